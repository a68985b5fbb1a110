use async_trait::async_trait;
use base::{Ctx, Result};
use db::AnyConnection;
use serde_json::{Map, Value, json};

use super::{FloatingIp, SPEC, store};
use crate::Neutron;
use crate::port_forwardings::{self, PortForwarding};
use crate::ports::Port;
use crate::request::{Resource, Spec, View};

#[async_trait]
impl Resource for FloatingIp {
    const SPEC: &'static Spec = &SPEC;

    async fn views(_: &Neutron, conn: &mut AnyConnection, _: &Ctx, rows: Vec<Self>) -> Result<Vec<View>> {
        let ports = store::targets(conn, &rows).await?;
        let policies = store::network_policies(conn, &rows).await?;
        let mut forwardings = port_forwardings::store::of_floating_ips(conn, &rows).await?;
        Ok(rows
            .iter()
            .map(|ip| {
                let port = ip.target.as_ref().and_then(|t| ports.get(&t.port_id));
                let mut view = view(ip, port, &forwardings.remove(&ip.standard.id).unwrap_or_default());
                let policy = policies.get(&ip.floating_network_id);
                view.insert("qos_network_policy_id".into(), json!(policy));
                view
            })
            .collect())
    }
}

/// `port`: the one that it leads to.
fn view(ip: &FloatingIp, port: Option<&Port>, forwardings: &[PortForwarding]) -> Map<String, Value> {
    let target = ip.target.as_ref();
    let mut view = ip.standard.open();
    // Floating IPs have no name.
    view.shift_remove("name");
    view.insert("floating_ip_address".into(), json!(ip.floating_address));
    view.insert("floating_network_id".into(), json!(ip.floating_network_id));
    let text = |t: &str| if t.is_empty() { Value::Null } else { json!(t) };
    view.insert("router_id".into(), text(target.map_or(&ip.forwarded_by, |t| &t.router_id)));
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
    let forwardings: Vec<Value> = forwardings.iter().map(|f| Value::Object(f.in_floating_ip())).collect();
    view.insert("port_forwardings".into(), Value::Array(forwardings));
    view.insert("qos_policy_id".into(), text(&ip.qos_policy_id));
    view.insert("dns_name".into(), json!(ip.dns_name));
    view.insert("dns_domain".into(), json!(ip.dns_domain));
    ip.standard.close(&mut view);
    view
}
