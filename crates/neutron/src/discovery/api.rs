use std::sync::Arc;

use base::{Policy, Rule};
use serde_json::{Value, json};
use web::{Origin, Params, Path, Routes};

use super::extensions::{EXTENSIONS, view};
use crate::networks::rules::ZONE;
use crate::{MOUNT, Neutron, fault, flavors};

const VERSIONS: Policy = Policy::new("get_versions", Rule::Public);
const ANYONE: Policy = Policy::new("get_extensions", Rule::Unchecked);
const ZONES: Policy = Policy::new("get_availability_zone", Rule::Reader);
const PROVIDERS: Policy = Policy::new("get_service_provider", Rule::Reader);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/", &VERSIONS, versions)
        .get("/v2.0", &VERSIONS, resources)
        .get("/v2.0/extensions", &ANYONE, extensions)
        .get("/v2.0/extensions/{alias}", &ANYONE, extension)
        .get("/v2.0/availability_zones", &ZONES, availability_zones)
        .get("/v2.0/service-providers", &PROVIDERS, service_providers)
}

async fn versions(Origin(origin): Origin) -> web::Result {
    Ok(web::json(
        200,
        &json!({"versions": [{
            "id": "v2.0",
            "status": "CURRENT",
            "links": [{"rel": "self", "href": format!("{origin}{MOUNT}/v2.0/")}],
        }]}),
    ))
}

async fn resources(Origin(origin): Origin) -> web::Result {
    let resources: Vec<Value> = [
        ("network", "networks"),
        ("subnet", "subnets"),
        ("port", "ports"),
        ("router", "routers"),
        ("floatingip", "floatingips"),
        ("security_group", "security-groups"),
        ("security_group_rule", "security-group-rules"),
        ("rbac_policy", "rbac-policies"),
        ("subnetpool", "subnetpools"),
        ("address_scope", "address-scopes"),
        ("address_group", "address-groups"),
        ("trunk", "trunks"),
        ("default_security_group_rule", "default-security-group-rules"),
        ("network_ip_availability", "network-ip-availabilities"),
        ("quota", "quotas"),
        ("agent", "agents"),
        ("availability_zone", "availability_zones"),
        ("service_provider", "service-providers"),
        ("flavor", "flavors"),
        ("service_profile", "service_profiles"),
        ("floatingip_pool", "floatingip-pools"),
        ("extension", "extensions"),
    ]
    .iter()
    .map(|(name, collection)| {
        json!({
            "name": name,
            "collection": collection.replace('-', "_"),
            "links": [{"rel": "self", "href": format!("{origin}{MOUNT}/v2.0/{collection}")}],
        })
    })
    .collect();
    Ok(web::json(200, &json!({ "resources": resources })))
}

async fn extensions() -> web::Result {
    let all: Vec<Value> = EXTENSIONS.iter().map(view).collect();
    Ok(web::json(200, &json!({ "extensions": all })))
}

async fn extension(Path(alias): Path<String>) -> web::Result {
    let found = EXTENSIONS.iter().find(|e| e.0 == alias).ok_or_else(|| fault::extension_not_found(&alias))?;
    Ok(web::json(200, &json!({"extension": view(found)})))
}

async fn availability_zones(params: Params) -> web::Result {
    let mut zones = vec![];
    for resource in ["network", "router"] {
        let zone = [("name", ZONE), ("resource", resource), ("state", "available")];
        let asked = |name: &str, value: &str| {
            let mut wanted = params.all(name).peekable();
            wanted.peek().is_none() || wanted.any(|wanted| wanted == value)
        };
        if zone.iter().all(|(name, value)| asked(name, value)) {
            zones.push(Value::Object(
                zone.iter().map(|(name, value)| ((*name).into(), json!(value))).collect(),
            ));
        }
    }
    Ok(web::json(200, &json!({"availability_zones": zones})))
}

/// Who makes routers; services beyond these resources (VPN, load balancers) would be listed here, too.
async fn service_providers() -> web::Result {
    let routers = json!({"service_type": flavors::ROUTERS, "name": flavors::PROVIDER, "default": true});
    Ok(web::json(200, &json!({"service_providers": [routers]})))
}
