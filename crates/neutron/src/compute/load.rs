//! Ports as Nova sees them: four more statements, however many ports.

use std::collections::{HashMap, HashSet};

use base::{Error, Kind, Result};
use db::{AnyConnection, Row};

use super::{FixedIp, PortView, v4};
use crate::networks::{self, Network};
use crate::ports::FullPort;
use crate::rows::{Where, texts};
use crate::subnets::{self, Subnet};

struct Floating {
    port: String,
    fixed: String,
    floating: String,
}

impl db::FromRow for Floating {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Floating {
            port: row.text("port_id")?,
            fixed: row.text("fixed_ip_address")?,
            floating: row.text("floating_ip_address")?,
        })
    }
}

fn among<'a>(column: &str, values: impl Iterator<Item = &'a String>) -> Where {
    let unique: HashSet<&String> = values.collect();
    let mut conditions = Where::default();
    conditions.among(column, texts(unique));
    conditions
}

pub async fn one(conn: &mut AnyConnection, full: FullPort) -> Result<PortView> {
    let id = full.port.standard.id.clone();
    views(conn, vec![full])
        .await?
        .pop()
        // Its network can't go before it does.
        .ok_or_else(|| Error::new(Kind::Internal, format!("Port {id} has no network.")))
}

/// In the order of `ports`.
pub async fn views(conn: &mut AnyConnection, ports: Vec<FullPort>) -> Result<Vec<PortView>> {
    if ports.is_empty() {
        return Ok(Vec::new());
    }
    let networks: Vec<Network> =
        among("id", ports.iter().map(|p| &p.port.network_id)).rows(conn, networks::SPEC.table).await?;
    let networks: HashMap<&str, &Network> = networks.iter().map(|n| (n.standard.id.as_str(), n)).collect();
    let subnets: Vec<Subnet> =
        among("id", ports.iter().flat_map(|p| p.fixed_ips.iter().map(|ip| &ip.subnet_id)))
            .rows(conn, subnets::SPEC.table)
            .await?;
    let subnets: HashMap<&str, &Subnet> = subnets.iter().map(|s| (s.standard.id.as_str(), s)).collect();
    let floating: Vec<Floating> = among("port_id", ports.iter().map(|p| &p.port.standard.id))
        .statement("SELECT port_id, fixed_ip_address, floating_ip_address FROM floating_ip", "")
        .rows(conn)
        .await?;
    let groups: Vec<(String, String)> = among("id", ports.iter().flat_map(|p| &p.groups))
        .statement("SELECT id, name FROM security_group", "")
        .rows(conn)
        .await?;
    let groups: HashMap<String, String> = groups.into_iter().collect();
    Ok(ports
        .into_iter()
        .filter_map(|full| {
            let network = networks.get(full.port.network_id.as_str())?;
            let fixed_ips = full
                .fixed_ips
                .iter()
                .filter_map(|ip| {
                    let subnet = subnets.get(ip.subnet_id.as_str())?;
                    let text = ip.address.to_string();
                    let floating =
                        floating.iter().find(|f| f.port == full.port.standard.id && f.fixed == text);
                    Some(FixedIp {
                        subnet_id: ip.subnet_id.clone(),
                        address: ip.address,
                        prefix: subnet.cidr.prefix_len(),
                        gateway: subnet.gateway,
                        dns: subnet.nameservers.clone(),
                        routes: subnet.host_routes.iter().map(|r| (r.destination, r.nexthop)).collect(),
                        floating: floating.and_then(|f| v4(&f.floating)),
                        dhcp: subnet.enable_dhcp,
                    })
                })
                .collect();
            let port = full.port;
            Some(PortView {
                id: port.standard.id,
                name: port.standard.name,
                project_id: port.standard.project_id,
                network_name: network.standard.name.clone(),
                mtu: u32::try_from(network.mtu).unwrap_or(1500),
                network_id: port.network_id,
                mac: port.mac,
                fixed_ips,
                device_id: port.device_id,
                device_owner: port.device_owner,
                security_groups: full
                    .groups
                    .iter()
                    .map(|id| (id.clone(), groups.get(id).cloned().unwrap_or_default()))
                    .collect(),
                port_security: port.port_security,
                status: port.status,
                vnic_type: port.vnic_type,
                tags: port.standard.tags,
                created_by_nova: port.created_by_nova,
            })
        })
        .collect())
}
