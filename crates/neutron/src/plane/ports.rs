//! Ports as far as plans are made of them: of thousands, a fraction of what their rows hold.

use std::collections::HashMap;
use std::net::IpAddr;

use base::Result;
use db::{AnyConnection, FromRow, Row, sql};

use crate::ports::{self, AddressPair, DhcpOption};

#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlanPort {
    pub id: String,
    pub mac: String,
    pub admin_state_up: bool,
    /// Whether its status says so already.
    pub active: bool,
    pub device_owner: String,
    /// It belongs to a device.
    pub has_device: bool,
    /// A load balancer has it.
    pub is_balancers: bool,
    /// It has a place.
    pub is_bound: bool,
    pub port_security: bool,
    pub pairs: Vec<AddressPair>,
    pub hostname: String,
    pub dns_name: String,
    /// With the trailing dot that the API wants.
    pub dns_domain: String,
    pub dhcp_options: Vec<DhcpOption>,
    /// (subnet id, address)
    pub fixed_ips: Vec<(String, IpAddr)>,
    /// Ids of its security groups.
    pub groups: Vec<String>,
}

impl PlanPort {
    pub fn is_router_port(&self) -> bool {
        [ports::ROUTER_INTERFACE, ports::ROUTER_GATEWAY].contains(&self.device_owner.as_str())
    }

    /// A port of the cloud itself.
    pub fn is_trusted(&self) -> bool {
        self.device_owner.starts_with("network:")
    }
}

/// In the order of [`COLUMNS`].
impl FromRow for PlanPort {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Self {
            id: row.text("id")?,
            mac: row.text("mac_address")?,
            admin_state_up: row.bool("admin_state_up")?,
            active: row.bool("active")?,
            device_owner: row.text("device_owner")?,
            has_device: row.bool("has_device")?,
            is_balancers: row.bool("is_balancers")?,
            is_bound: row.bool("is_bound")?,
            port_security: row.bool("port_security")?,
            pairs: row.json("allowed_address_pairs")?,
            hostname: row.text("hostname")?,
            dns_name: row.text("dns_name")?,
            dns_domain: row.text("dns_domain")?,
            dhcp_options: row.json("extra_dhcp_opts")?,
            fixed_ips: Vec::new(),
            groups: Vec::new(),
        })
    }
}

const COLUMNS: &str = "id, mac_address, admin_state_up, \
    CASE WHEN status = 'ACTIVE' THEN 1 ELSE 0 END AS active, device_owner, \
    CASE WHEN device_id <> '' THEN 1 ELSE 0 END AS has_device, \
    CASE WHEN balancer_id <> '' THEN 1 ELSE 0 END AS is_balancers, \
    CASE WHEN binding_host <> '' THEN 1 ELSE 0 END AS is_bound, \
    port_security, allowed_address_pairs, hostname, dns_name, dns_domain, extra_dhcp_opts";

struct Address {
    port_id: String,
    subnet_id: String,
    /// None: unreadable; only parsed addresses are written.
    address: Option<IpAddr>,
    position: i64,
}

impl FromRow for Address {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Self {
            port_id: row.text("port_id")?,
            subnet_id: row.text("subnet_id")?,
            address: row.parsed("address")?,
            position: row.int("position")?,
        })
    }
}

/// All ports of a network, however many ports others have.
pub async fn of_network(conn: &mut AnyConnection, network_id: &str) -> Result<Vec<PlanPort>> {
    let text = format!("SELECT {COLUMNS} FROM port WHERE network_id = $1");
    let mut ports: Vec<PlanPort> = db::sql_built(text).bind(network_id).rows(conn).await?;
    let place: HashMap<String, usize> =
        ports.iter().enumerate().map(|(place, port)| (port.id.clone(), place)).collect();
    // A port without a row was made since, and wakes its network again.
    let mut addresses: Vec<Address> =
        sql("SELECT port_id, subnet_id, address, position FROM ip_allocation WHERE network_id = $1")
            .bind(network_id)
            .rows(conn)
            .await?;
    addresses.sort_by_key(|address| address.position);
    for Address { port_id, subnet_id, address, .. } in addresses {
        if let (Some(place), Some(address)) = (place.get(&port_id), address) {
            ports[*place].fixed_ips.push((subnet_id, address));
        }
    }
    let groups: Vec<(String, String)> = sql("SELECT b.port_id, b.security_group_id \
         FROM port p JOIN port_security_group b ON b.port_id = p.id \
         WHERE p.network_id = $1 ORDER BY b.security_group_id")
    .bind(network_id)
    .rows(conn)
    .await?;
    for (port_id, group) in groups {
        if let Some(place) = place.get(&port_id) {
            ports[*place].groups.push(group);
        }
    }
    Ok(ports)
}
