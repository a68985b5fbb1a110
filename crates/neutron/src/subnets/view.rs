use serde_json::{Map, Value, json};

use super::Subnet;

pub fn view(subnet: &Subnet) -> Map<String, Value> {
    let mode = |m: &str| if m.is_empty() { Value::Null } else { json!(m) };
    let mut view = subnet.standard.open();
    view.insert("network_id".into(), json!(subnet.network_id));
    view.insert("ip_version".into(), json!(subnet.ip_version()));
    view.insert("subnetpool_id".into(), Value::Null);
    view.insert("enable_dhcp".into(), json!(subnet.enable_dhcp));
    view.insert("ipv6_ra_mode".into(), mode(&subnet.ra_mode));
    view.insert("ipv6_address_mode".into(), mode(&subnet.address_mode));
    view.insert("gateway_ip".into(), json!(subnet.gateway));
    view.insert("cidr".into(), json!(subnet.cidr.to_string()));
    view.insert("allocation_pools".into(), json!(subnet.pools));
    view.insert("host_routes".into(), json!(subnet.host_routes));
    view.insert("dns_nameservers".into(), json!(subnet.nameservers));
    subnet.standard.close(&mut view);
    view
}
