//! Candidates' JSON.

use std::collections::BTreeSet;

use base::Ctx;
use serde_json::{Map, Value, json};

use super::Request;
use super::plan::{Candidate, Found};
use crate::world::World;

pub fn found(ctx: &Ctx, world: &World, request: &Request, found: &Found) -> Value {
    let requests: Vec<Value> = found.candidates.iter().map(|c| candidate(ctx, world, c)).collect();
    let asked: BTreeSet<&str> =
        request.groups.iter().flat_map(|g| g.resources.iter().map(|(class, _)| class.as_str())).collect();
    let mut summaries = Map::new();
    for p in found.summaries.iter().filter_map(|at| world.providers.get(*at)) {
        let resources: Map<String, Value> = p
            .inventories
            .values()
            .filter(|i| ctx.at_least(1, 27) || asked.contains(i.resource_class.as_str()))
            .map(|i| (i.resource_class.clone(), json!({"capacity": i.capacity() as i64, "used": i.used})))
            .collect();
        let mut out = json!({"resources": resources});
        if ctx.at_least(1, 17) {
            out["traits"] = json!(p.traits);
        }
        if ctx.at_least(1, 29) {
            out["parent_provider_uuid"] = json!(p.row.parent);
            out["root_provider_uuid"] = json!(p.row.root);
        }
        summaries.insert(p.row.uuid.clone(), out);
    }
    json!({"allocation_requests": requests, "provider_summaries": summaries})
}

fn candidate(ctx: &Ctx, world: &World, c: &Candidate) -> Value {
    let uuid = |at: &usize| world.providers.get(*at).map(|p| p.row.uuid.clone()).unwrap_or_default();
    let mut by_provider: Map<String, Value> = Map::new();
    for ((at, class), n) in &c.resources {
        let entry = by_provider.entry(uuid(at)).or_insert_with(|| json!({"resources": {}}));
        entry["resources"][class] = json!(n);
    }
    if !ctx.at_least(1, 12) {
        let list: Vec<Value> = by_provider
            .into_iter()
            .map(|(uuid, mut inner)| json!({"resource_provider": {"uuid": uuid}, "resources": inner["resources"].take()}))
            .collect();
        return json!({"allocations": list});
    }
    let mut out = json!({"allocations": by_provider});
    if ctx.at_least(1, 34) {
        let mappings: Map<String, Value> = c
            .mappings
            .iter()
            .map(|(suffix, providers)| (suffix.clone(), providers.iter().map(uuid).collect()))
            .collect();
        out["mappings"] = Value::Object(mappings);
    }
    out
}
