use async_trait::async_trait;
use base::{Ctx, Result};
use db::AnyConnection;
use serde_json::{Map, Value, json};

use super::rules::ZONE;
use super::store::Joined;
use super::{Network, SPEC, store};
use crate::Neutron;
use crate::rbac;
use crate::request::{Resource, Spec, View};

#[async_trait]
impl Resource for Network {
    const SPEC: &'static Spec = &SPEC;
    const RBAC: Option<&'static str> = Some("network");
    const FOR_SERVICES: bool = true;

    async fn views(_: &Neutron, conn: &mut AnyConnection, ctx: &Ctx, rows: Vec<Self>) -> Result<Vec<View>> {
        let joined = store::joined(conn, &rows).await?;
        let granted = rbac::store::granted(conn, ctx, "network").await?;
        let none = Joined::default();
        Ok(rows
            .iter()
            .map(|n| {
                let id = &n.standard.id;
                view(ctx, n, joined.get(id).unwrap_or(&none), n.shared || granted.contains(id))
            })
            .collect())
    }
}

/// `shared`: with the caller's project.
fn view(ctx: &Ctx, network: &Network, joined: &Joined, shared: bool) -> Map<String, Value> {
    let text = |t: &str| if t.is_empty() { Value::Null } else { json!(t) };
    let mut view = network.standard.open();
    view.insert("admin_state_up".into(), json!(network.admin_state_up));
    view.insert("mtu".into(), json!(network.mtu));
    view.insert("status".into(), json!("ACTIVE"));
    view.insert("subnets".into(), json!(joined.subnets));
    view.insert("shared".into(), json!(shared));
    view.insert("availability_zone_hints".into(), json!(network.availability_zone_hints));
    view.insert("availability_zones".into(), json!([ZONE]));
    view.insert("router:external".into(), json!(network.external));
    if network.external {
        view.insert("is_default".into(), json!(network.is_default));
    }
    view.insert("port_security_enabled".into(), json!(network.port_security));
    view.insert("dns_domain".into(), json!(network.dns_domain));
    view.insert("qos_policy_id".into(), text(&network.qos_policy_id));
    view.insert("ipv4_address_scope".into(), json!(joined.scopes.get(&4)));
    view.insert("ipv6_address_scope".into(), json!(joined.scopes.get(&6)));
    if ctx.is_admin() {
        view.insert("provider:network_type".into(), json!(network.network_type));
        view.insert("provider:physical_network".into(), text(&network.physical_network));
        view.insert("provider:segmentation_id".into(), json!(network.segmentation_id));
    }
    network.standard.close(&mut view);
    view
}
