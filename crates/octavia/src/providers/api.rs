use std::sync::Arc;

use serde_json::{Value, json};
use web::{Params, Path, Routes};

use super::{ALL, FLAVOR_CAPABILITIES, ZONE_CAPABILITIES, named};
use crate::request::listing::only;
use crate::{Octavia, policy};

pub fn routes(routes: Routes<Arc<Octavia>>) -> Routes<Arc<Octavia>> {
    routes
        .get("/v2/lbaas/providers", &policy::PROVIDERS, list)
        .get("/v2/lbaas/providers/{provider}/flavor_capabilities", &policy::PROVIDER_FLAVOR, flavors)
        .get("/v2/lbaas/providers/{provider}/availability_zone_capabilities", &policy::PROVIDER_ZONE, zones)
}

async fn list(params: Params) -> web::Result {
    let fields: Vec<&str> = params.all("fields").flat_map(|one| one.split(',')).collect();
    let providers: Vec<Value> = ALL
        .iter()
        .map(|(name, _, description)| {
            let view = json!({"name": name, "description": description});
            Value::Object(only(view.as_object().cloned().unwrap_or_default(), &fields))
        })
        .collect();
    Ok(web::json(200, &json!({ "providers": providers })))
}

/// Those that a filter and the wanted fields leave.
fn capabilities(member: &str, all: &[(&str, &str)], params: &Params) -> web::Result {
    let fields: Vec<&str> = params.all("fields").flat_map(|one| one.split(',')).collect();
    let (name, description) = (params.get("name"), params.get("description"));
    let shown: Vec<Value> = all
        .iter()
        .filter(|(own, _)| name.is_none_or(|name| name == *own))
        .filter(|(_, own)| description.is_none_or(|description| description == *own))
        .map(|(name, description)| {
            let view = json!({"name": name, "description": description});
            Value::Object(only(view.as_object().cloned().unwrap_or_default(), &fields))
        })
        .collect();
    Ok(web::json(200, &json!({ member: shown })))
}

async fn flavors(Path(provider): Path<String>, params: Params) -> web::Result {
    named(&provider)?;
    capabilities("flavor_capabilities", FLAVOR_CAPABILITIES, &params)
}

async fn zones(Path(provider): Path<String>, params: Params) -> web::Result {
    named(&provider)?;
    capabilities("availability_zone_capabilities", ZONE_CAPABILITIES, &params)
}
