use serde_json::{Map, Value, json};

use super::FloatingIp;
use crate::ports::Port;

/// `port`: the one that it leads to.
pub fn view(ip: &FloatingIp, port: Option<&Port>) -> Map<String, Value> {
    let target = ip.target.as_ref();
    let mut view = ip.standard.open();
    // Floating IPs have no name.
    view.shift_remove("name");
    view.insert("floating_ip_address".into(), json!(ip.floating_address));
    view.insert("floating_network_id".into(), json!(ip.floating_network_id));
    view.insert("router_id".into(), json!(target.map(|t| &t.router_id)));
    view.insert("port_id".into(), json!(target.map(|t| &t.port_id)));
    view.insert("fixed_ip_address".into(), json!(target.map(|t| t.fixed)));
    view.insert("status".into(), json!(ip.status));
    let details = port.map(|p| {
        json!({
            "name": p.standard.name,
            "network_id": p.network_id,
            "mac_address": p.mac,
            "admin_state_up": p.admin_state_up,
            "status": p.status,
            "device_id": p.device_id,
            "device_owner": p.device_owner,
        })
    });
    view.insert("port_details".into(), json!(details));
    ip.standard.close(&mut view);
    view
}
