use std::collections::HashMap;

use async_trait::async_trait;
use base::{Ctx, Result};
use db::{AnyConnection, FromRow, Row};
use serde_json::{Map, Value, json};
use web::Params;

use super::SPEC;
use crate::networks::Network;
use crate::request::{Resource, Spec, View};
use crate::rows::{Where, texts};
use crate::subnets::Subnet;
use crate::{Neutron, ipam};

/// A network, seen as a set of addresses.
pub struct Availability(Network);

impl FromRow for Availability {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Network::from_row(row).map(Availability)
    }
}

struct Used {
    subnet: String,
    count: i64,
}

impl FromRow for Used {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Used { subnet: row.text("subnet_id")?, count: row.int("used")? })
    }
}

#[async_trait]
impl Resource for Availability {
    const SPEC: &'static Spec = &SPEC;
    const FOR_SERVICES: bool = true;

    fn filters(conditions: &mut Where, params: &Params) -> Result<()> {
        let versions: Vec<_> = params.all("ip_version").filter_map(|v| v.parse::<i64>().ok()).collect();
        if params.has("ip_version") {
            let mut of_subnets = Where::default();
            of_subnets.among("ip_version", versions.into_iter().map(Into::into).collect());
            conditions.and_in("id", "SELECT network_id FROM subnet", of_subnets);
        }
        Ok(())
    }

    async fn views(_: &Neutron, conn: &mut AnyConnection, _: &Ctx, rows: Vec<Self>) -> Result<Vec<View>> {
        let mut conditions = Where::default();
        if rows.len() <= 200 {
            conditions.among("network_id", texts(rows.iter().map(|n| &n.0.standard.id)));
        }
        let used: Vec<Used> = conditions
            .clone()
            .statement("SELECT subnet_id, COUNT(*) AS used FROM ip_allocation", " GROUP BY subnet_id")
            .rows(conn)
            .await?;
        let used: HashMap<String, i64> = used.into_iter().map(|u| (u.subnet, u.count)).collect();
        let mut subnets: HashMap<String, Vec<Subnet>> = HashMap::new();
        for subnet in conditions.rows::<Subnet>(conn, crate::subnets::SPEC.table).await? {
            subnets.entry(subnet.network_id.clone()).or_default().push(subnet);
        }
        Ok(rows
            .iter()
            .map(|n| view(&n.0, &subnets.remove(&n.0.standard.id).unwrap_or_default(), &used))
            .collect())
    }
}

fn view(network: &Network, subnets: &[Subnet], used: &HashMap<String, i64>) -> View {
    // Pools of IPv6 hold more than 64 bits count.
    let (mut total, mut in_use) = (0u128, 0i64);
    let of_subnets: Vec<Value> = subnets
        .iter()
        .map(|s| {
            let size = ipam::total(&s.pools);
            let of = used.get(&s.standard.id).copied().unwrap_or(0);
            total = total.saturating_add(size);
            in_use += of;
            json!({
                "subnet_id": s.standard.id,
                "subnet_name": s.standard.name,
                "cidr": s.cidr.to_string(),
                "ip_version": s.ip_version(),
                "total_ips": number(size),
                "used_ips": of,
            })
        })
        .collect();
    let s = &network.standard;
    let mut view = Map::new();
    view.insert("id".into(), json!(s.id));
    view.insert("network_id".into(), json!(s.id));
    view.insert("network_name".into(), json!(s.name));
    view.insert("project_id".into(), json!(s.project_id));
    view.insert("tenant_id".into(), json!(s.project_id));
    view.insert("total_ips".into(), number(total));
    view.insert("used_ips".into(), json!(in_use));
    view.insert("subnet_ip_availability".into(), Value::Array(of_subnets));
    view
}

/// A count as JSON: exact as long as it can be.
fn number(count: u128) -> Value {
    u64::try_from(count).map_or_else(|_| json!(count as f64), |n| json!(n))
}
