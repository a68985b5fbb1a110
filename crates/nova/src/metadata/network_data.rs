//! `network_data.json`: the guest's links and networks, after Nova's schema.

use std::net::IpAddr;

use ipnet::IpNet;
use neutron::{FixedIp, PortView};
use serde_json::{Value, json};

pub(super) fn network_data(ports: &[PortView]) -> Value {
    let (mut links, mut networks, mut services) = (Vec::new(), Vec::new(), Vec::<Value>::new());
    for port in ports {
        let link = format!("tap{}", port.id.get(..11).unwrap_or(&port.id));
        let dhcp = port.fixed_ips.iter().any(|ip| ip.dhcp);
        links.push(json!({
            "id": link,
            "vif_id": port.id,
            "type": "phy",
            // DHCP hands the MTU out; saying it twice could contradict.
            "mtu": if dhcp { Value::Null } else { json!(port.mtu) },
            "ethernet_mac_address": port.mac,
        }));
        for ip in &port.fixed_ips {
            networks.push(network(port, ip, &link, networks.len()));
            for service in dns(ip) {
                if !services.contains(&service) {
                    services.push(service);
                }
            }
        }
    }
    json!({"links": links, "networks": networks, "services": services})
}

fn dns(ip: &FixedIp) -> Vec<Value> {
    ip.dns.iter().map(|address| json!({"type": "dns", "address": address.to_string()})).collect()
}

fn network(port: &PortView, ip: &FixedIp, link: &str, index: usize) -> Value {
    let version = if ip.address.is_ipv4() { 4 } else { 6 };
    let id = format!("network{index}");
    if ip.dhcp {
        return json!({
            "id": id, "type": format!("ipv{version}_dhcp"), "link": link, "network_id": port.network_id,
        });
    }
    let route = |net: IpNet, gateway: IpAddr| {
        json!({
            "network": net.network().to_string(),
            "netmask": net.netmask().to_string(),
            "gateway": gateway.to_string(),
        })
    };
    let default: IpNet =
        if version == 4 { IpNet::V4(Default::default()) } else { IpNet::V6(Default::default()) };
    let mut routes: Vec<Value> = ip.gateway.iter().map(|gateway| route(default, *gateway)).collect();
    routes.extend(ip.routes.iter().map(|(net, hop)| route(*net, *hop)));
    let netmask = IpNet::new(ip.address, ip.prefix).map(|net| net.netmask().to_string());
    json!({
        "id": id,
        "type": format!("ipv{version}"),
        "link": link,
        "ip_address": ip.address.to_string(),
        "netmask": netmask.unwrap_or_default(),
        "routes": routes,
        "network_id": port.network_id,
        "services": dns(ip),
    })
}
