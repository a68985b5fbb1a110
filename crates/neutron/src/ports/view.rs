use base::Ctx;
use serde_json::{Map, Value, json};

use super::{FullPort, Port};

/// `tap` when a host carries it, `unbound` when none does.
pub fn vif_type(port: &Port) -> &'static str {
    if port.binding_host.is_empty() { "unbound" } else { "tap" }
}

pub fn view(ctx: &Ctx, full: &FullPort) -> Map<String, Value> {
    let port = &full.port;
    let mut view = port.standard.open();
    view.insert("network_id".into(), json!(port.network_id));
    view.insert("mac_address".into(), json!(port.mac));
    view.insert("admin_state_up".into(), json!(port.admin_state_up));
    view.insert("status".into(), json!(port.status));
    view.insert("device_id".into(), json!(port.device_id));
    view.insert("device_owner".into(), json!(port.device_owner));
    let ips: Vec<Value> = full
        .fixed_ips
        .iter()
        .map(|ip| json!({"subnet_id": ip.subnet_id, "ip_address": ip.address}))
        .collect();
    view.insert("fixed_ips".into(), Value::Array(ips));
    view.insert("allowed_address_pairs".into(), json!(port.pairs));
    view.insert("security_groups".into(), json!(full.groups));
    view.insert("port_security_enabled".into(), json!(port.port_security));
    view.insert("binding:vnic_type".into(), json!(port.vnic_type));
    if ctx.is_admin() || ctx.auth.has_role("service") {
        let bound = !port.binding_host.is_empty();
        view.insert("binding:host_id".into(), json!(port.binding_host));
        view.insert("binding:profile".into(), port.binding_profile.clone());
        view.insert("binding:vif_type".into(), json!(vif_type(port)));
        let details = if bound { json!({"port_filter": true, "connectivity": "l2"}) } else { json!({}) };
        view.insert("binding:vif_details".into(), details);
    }
    port.standard.close(&mut view);
    view
}
