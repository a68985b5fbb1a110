//! Provider JSON.

use base::Ctx;
use serde_json::{Value, json};

use super::store::ProviderRow;
use crate::wire::MOUNT;

pub fn provider(ctx: &Ctx, p: &ProviderRow) -> Value {
    let path = format!("{MOUNT}/resource_providers/{}", p.uuid);
    let mut links = vec![json!({"rel": "self", "href": path})];
    for (minor, rel) in
        [(0, "inventories"), (0, "usages"), (1, "aggregates"), (6, "traits"), (11, "allocations")]
    {
        if ctx.at_least(1, minor) {
            links.push(json!({"rel": rel, "href": format!("{path}/{rel}")}));
        }
    }
    let mut out = json!({"uuid": p.uuid, "name": p.name, "generation": p.generation, "links": links});
    if ctx.at_least(1, 14) {
        out["parent_provider_uuid"] = json!(p.parent);
        out["root_provider_uuid"] = json!(p.root);
    }
    out
}
