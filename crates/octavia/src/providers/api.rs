use std::sync::Arc;

use base::{Error, Kind};
use serde_json::{Value, json};
use web::{Params, Path, Routes};

use super::{ALL, named};
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

/// One process on one machine: there is nothing to choose.
async fn flavors(Path(provider): Path<String>) -> web::Result {
    named(&provider)?;
    Ok(web::json(200, &json!({"flavor_capabilities": []})))
}

async fn zones(Path(provider): Path<String>) -> web::Result {
    named(&provider)?;
    let words = format!("Provider '{provider}' does not support a requested action: availability zones");
    Err(Error::new(Kind::NotImplemented, words).into())
}
