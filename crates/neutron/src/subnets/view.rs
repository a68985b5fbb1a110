use async_trait::async_trait;
use base::{Ctx, Result};
use db::AnyConnection;
use serde_json::{Map, Value, json};
use web::Params;

use super::{SPEC, Subnet};
use crate::networks::rules::limited_to_seen;
use crate::request::{Resource, Spec, View};
use crate::rows::{Bind, Where};
use crate::{Neutron, networks};

/// A subnet is seen by its owner, by its network's owner, and by whoever may use the network in one way or the other.
#[async_trait]
impl Resource for Subnet {
    const SPEC: &'static Spec = &SPEC;

    fn scope(ctx: &Ctx, conditions: &mut Where) {
        if let Some(project) = limited_to_seen(ctx) {
            conditions.and(
                "project_id = ? OR network_id IN (SELECT id FROM network WHERE project_id = ?) OR network_id IN \
                 (SELECT object_id FROM rbac_policy WHERE object_type = 'network' AND target_project IN ('*', ?))",
                vec![Bind::Text(project); 3],
            );
        }
    }

    fn filters(conditions: &mut Where, params: &Params) -> Result<()> {
        if let Some(external) = params.flag("router:external") {
            conditions.and(
                "network_id IN (SELECT id FROM network WHERE external = ?)",
                [Bind::Int(i64::from(external))],
            );
        }
        if let Some(shared) = params.flag("shared") {
            conditions.and(
                "network_id IN (SELECT id FROM network WHERE shared = ?)",
                [Bind::Int(i64::from(shared))],
            );
        }
        Ok(())
    }

    async fn views(_: &Neutron, conn: &mut AnyConnection, _: &Ctx, rows: Vec<Self>) -> Result<Vec<View>> {
        let external = networks::store::external_ids(conn).await?;
        Ok(rows.iter().map(|s| view(s, external.contains(&s.network_id))).collect())
    }
}

fn view(subnet: &Subnet, external: bool) -> Map<String, Value> {
    let mode = |m: &str| if m.is_empty() { Value::Null } else { json!(m) };
    let mut view = subnet.standard.open();
    view.insert("network_id".into(), json!(subnet.network_id));
    view.insert("ip_version".into(), json!(subnet.ip_version()));
    view.insert("subnetpool_id".into(), mode(&subnet.subnetpool_id));
    view.insert("enable_dhcp".into(), json!(subnet.enable_dhcp));
    view.insert("ipv6_ra_mode".into(), mode(&subnet.ra_mode));
    view.insert("ipv6_address_mode".into(), mode(&subnet.address_mode));
    view.insert("gateway_ip".into(), json!(subnet.gateway));
    view.insert("router:external".into(), json!(external));
    view.insert("cidr".into(), json!(subnet.cidr.to_string()));
    view.insert("allocation_pools".into(), json!(subnet.pools));
    view.insert("host_routes".into(), json!(subnet.host_routes));
    view.insert("dns_nameservers".into(), json!(subnet.nameservers));
    view.insert("service_types".into(), json!(subnet.service_types));
    view.insert("dns_publish_fixed_ip".into(), json!(subnet.dns_publish_fixed_ip));
    subnet.standard.close(&mut view);
    view
}
