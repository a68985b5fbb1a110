//! Flavors as JSON, by microversion.

use base::Ctx;
use serde_json::{Map, Value, json};

use super::Flavor;
use crate::links::Links;

pub(super) fn brief(ctx: &Ctx, links: &Links, flavor: &Flavor) -> Value {
    let mut out = Map::new();
    out.insert("id".into(), json!(flavor.id));
    out.insert("name".into(), json!(flavor.name));
    out.insert("links".into(), links.of("flavors", &flavor.id));
    if ctx.at_least(2, 55) {
        out.insert("description".into(), json!(flavor.description));
    }
    Value::Object(out)
}

pub(super) fn full(ctx: &Ctx, links: &Links, flavor: &Flavor) -> Value {
    let swap = match flavor.swap_mib {
        0 if !ctx.at_least(2, 75) => json!(""),
        swap => json!(swap),
    };
    let mut out = json!({
        "id": flavor.id,
        "name": flavor.name,
        "ram": flavor.memory_mib,
        "disk": flavor.root_gib,
        "swap": swap,
        "OS-FLV-EXT-DATA:ephemeral": flavor.ephemeral_gib,
        "vcpus": flavor.vcpus,
        "os-flavor-access:is_public": flavor.is_public,
        "links": links.of("flavors", &flavor.id),
    });
    if !ctx.at_least(2, 102) {
        out["OS-FLV-DISABLED:disabled"] = json!(false);
        out["rxtx_factor"] = json!(flavor.rxtx_factor);
    }
    if ctx.at_least(2, 55) {
        out["description"] = json!(flavor.description);
    }
    if ctx.at_least(2, 61) {
        out["extra_specs"] = json!(flavor.extra_specs);
    }
    out
}

pub(super) fn access(flavor: &str, projects: &[String]) -> Value {
    let list: Vec<Value> =
        projects.iter().map(|project| json!({"flavor_id": flavor, "tenant_id": project})).collect();
    json!({"flavor_access": list})
}
