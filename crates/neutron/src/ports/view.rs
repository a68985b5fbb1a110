use std::collections::HashMap;

use async_trait::async_trait;
use base::{Ctx, Result};
use db::AnyConnection;
use serde_json::{Map, Value, json};
use web::Params;

use super::{FullPort, Port, SPEC, filters, store};
use crate::Neutron;
use crate::networks::rules::limited_to_seen;
use crate::request::{Resource, Spec, View};
use crate::rows::{Bind, Where, texts};
use crate::trunks::{self, Subport};

/// A port is seen by its owner and by its network's owner.
#[async_trait]
impl Resource for Port {
    const SPEC: &'static Spec = &SPEC;

    fn scope(ctx: &Ctx, conditions: &mut Where) {
        if let Some(project) = limited_to_seen(ctx) {
            conditions.and(
                "project_id = ? OR network_id IN (SELECT id FROM network WHERE project_id = ?)",
                vec![Bind::Text(project); 2],
            );
        }
    }

    fn filters(conditions: &mut Where, params: &Params) -> Result<()> {
        filters::read(conditions, params)
    }

    async fn views(app: &Neutron, conn: &mut AnyConnection, ctx: &Ctx, rows: Vec<Self>) -> Result<Vec<View>> {
        let ports = store::full(conn, rows).await?;
        views(app, conn, ctx, ports).await
    }
}

/// What the network and the trunk of a port add to its view.
#[derive(Debug, Clone, Default)]
pub struct Joined {
    pub network_qos: String,
    pub trunk: Option<(String, Vec<Subport>)>,
}

pub async fn views(
    app: &Neutron,
    conn: &mut AnyConnection,
    ctx: &Ctx,
    ports: Vec<FullPort>,
) -> Result<Vec<View>> {
    let mut conditions = Where::default();
    if ports.len() <= 200 {
        conditions.among("id", texts(ports.iter().map(|p| &p.port.network_id)));
    }
    conditions.and("qos_policy_id <> ''", []);
    let policies: Vec<(String, String)> =
        conditions.statement("SELECT id, qos_policy_id FROM network", "").rows(conn).await?;
    let policies: HashMap<String, String> = policies.into_iter().collect();
    let mut trunks = trunks::store::of_parents(conn, &ports).await?;
    Ok(ports
        .iter()
        .map(|full| {
            let joined = Joined {
                network_qos: policies.get(&full.port.network_id).cloned().unwrap_or_default(),
                trunk: trunks.remove(&full.port.standard.id),
            };
            view(ctx, &app.config.dns_domain, full, &joined)
        })
        .collect())
}

/// `tap` when a host carries it, `unbound` when none does.
pub fn vif_type(port: &Port) -> &'static str {
    if port.binding_host.is_empty() { "unbound" } else { "tap" }
}

fn view(ctx: &Ctx, domain: &str, full: &FullPort, joined: &Joined) -> Map<String, Value> {
    let text = |t: &str| if t.is_empty() { Value::Null } else { json!(t) };
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
    view.insert("ip_allocation".into(), json!(if full.fixed_ips.is_empty() { "none" } else { "immediate" }));
    view.insert("allowed_address_pairs".into(), json!(port.pairs));
    view.insert("extra_dhcp_opts".into(), json!(port.dhcp_options));
    view.insert("security_groups".into(), json!(full.groups));
    view.insert("port_security_enabled".into(), json!(port.port_security));
    view.insert("propagate_uplink_status".into(), json!(port.propagate_uplink_status));
    view.insert("qos_policy_id".into(), text(&port.qos_policy_id));
    view.insert("qos_network_policy_id".into(), text(&joined.network_qos));
    view.insert("dns_name".into(), json!(port.dns_name));
    view.insert("dns_domain".into(), json!(port.dns_domain));
    view.insert("dns_assignment".into(), dns_assignment(domain, full));
    view.insert("binding:vnic_type".into(), json!(port.vnic_type));
    if let Some((trunk, subports)) = &joined.trunk {
        let subports: Vec<Value> = subports.iter().map(Subport::detail).collect();
        view.insert("trunk_details".into(), json!({"trunk_id": trunk, "sub_ports": subports}));
    }
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

/// The names that the cloud's DNS answers for the port's addresses: its own name, or one made of the address.
fn dns_assignment(domain: &str, full: &FullPort) -> Value {
    let domain = domain.trim_end_matches('.');
    let all = full.fixed_ips.iter().map(|ip| {
        let hostname = if full.port.dns_name.is_empty() {
            crate::plane::plan::default_hostname(ip.address)
        } else {
            full.port.dns_name.trim_end_matches('.').to_owned()
        };
        let fqdn = match hostname.strip_suffix(domain) {
            _ if domain.is_empty() => format!("{hostname}."),
            Some(head) if head.ends_with('.') => format!("{hostname}."),
            _ => format!("{hostname}.{domain}."),
        };
        let hostname = hostname.split('.').next().unwrap_or_default();
        json!({"ip_address": ip.address, "hostname": hostname, "fqdn": fqdn})
    });
    Value::Array(all.collect())
}
