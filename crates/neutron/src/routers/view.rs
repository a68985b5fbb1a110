use async_trait::async_trait;
use base::{Ctx, Result};
use db::AnyConnection;
use serde_json::{Map, Value, json};

use super::{FullRouter, Router, SPEC, store};
use crate::Neutron;
use crate::networks::rules::ZONE;
use crate::request::{Resource, Spec, View};

#[async_trait]
impl Resource for Router {
    const SPEC: &'static Spec = &SPEC;

    async fn views(_: &Neutron, conn: &mut AnyConnection, _: &Ctx, rows: Vec<Self>) -> Result<Vec<View>> {
        Ok(store::full(conn, rows).await?.iter().map(view).collect())
    }
}

pub fn view(full: &FullRouter) -> Map<String, Value> {
    let router = &full.router;
    let mut view = router.standard.open();
    view.insert("admin_state_up".into(), json!(router.admin_state_up));
    view.insert("status".into(), json!(router.status));
    let gateway = full.gateway.as_ref().map(|gateway| {
        let ips: Vec<Value> = gateway
            .fixed_ips
            .iter()
            .map(|ip| json!({"subnet_id": ip.subnet_id, "ip_address": ip.address}))
            .collect();
        json!({
            "network_id": gateway.port.network_id,
            "external_fixed_ips": ips,
            "enable_snat": router.enable_snat,
            "qos_policy_id": Some(&router.gateway_qos_policy_id).filter(|p| !p.is_empty()),
        })
    });
    view.insert("external_gateway_info".into(), json!(gateway));
    view.insert("routes".into(), json!(router.routes));
    view.insert("availability_zone_hints".into(), json!(router.availability_zone_hints));
    view.insert("availability_zones".into(), json!([ZONE]));
    view.insert("flavor_id".into(), json!(Some(&router.flavor_id).filter(|flavor| !flavor.is_empty())));
    router.standard.close(&mut view);
    view
}
