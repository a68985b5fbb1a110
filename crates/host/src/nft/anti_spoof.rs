//! Who may say to be whom: the bridge family's table.

use ipnet::{IpNet, Ipv6Net};

use super::Text;
use super::network::{Port, is_single};

pub(super) fn render(text: &mut Text, ports: &[Port<'_>]) {
    sets(text, ports);
    text.block("chain prerouting", |text| {
        text.line("type filter hook prerouting priority -300; policy accept;");
        text.line("meta mark set 0");
        text.line("meta mark set iifname map @ports");
        text.line("iifname \"tap*\" meta mark 0 drop");
        text.line("meta mark { 0, 0xffff } accept");
        text.line("meta mark . ether saddr != @macs drop");
        // Everything else goes, VLAN tags too: their contents would pass the security groups unseen.
        text.line("ether type vmap { arp : goto from_arp, ip : goto from_ip4, ip6 : goto from_ip6 }");
        text.line("drop");
    });
    text.block("chain from_arp", |text| {
        text.line("meta mark . arp saddr ether . arp saddr ip @sources4 accept");
        text.line("meta mark . arp saddr ether . arp saddr ip @ranges4 accept");
        // The probe of a machine that is about to use an address.
        text.line("arp saddr ip 0.0.0.0 meta mark . arp saddr ether @macs accept");
        text.line("drop");
    });
    text.block("chain from_ip4", |text| {
        text.line("udp sport 67 udp dport 68 drop");
        text.line("ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept");
        text.line("meta mark . ether saddr . ip saddr @sources4 accept");
        text.line("meta mark . ether saddr . ip saddr @ranges4 accept");
        text.line("drop");
    });
    text.block("chain from_ip6", |text| {
        text.line("icmpv6 type { nd-router-advert, nd-redirect } drop");
        text.line("udp sport 547 udp dport 546 drop");
        // The target of a neighbour advertisement (bytes 8 to 23 of ICMPv6) is what ARP's source address is in IPv4.
        text.line("icmpv6 type nd-neighbor-advert meta mark . @th,64,128 != @targets6 drop");
        text.line(
            "ip6 saddr :: icmpv6 type { nd-neighbor-solicit, nd-router-solicit, mld-listener-report, mld2-listener-report } accept",
        );
        text.line("meta mark . ether saddr . ip6 saddr @sources6 accept");
        text.line("meta mark . ether saddr . ip6 saddr @ranges6 accept");
        text.line("drop");
    });
    text.block("chain deliver", |text| {
        text.line("meta mark set 0");
        text.line("meta mark set oifname map @ports");
        text.line("oifname \"tap*\" meta mark 0 drop");
        text.line("meta mark { 0, 0xffff } accept");
        text.line("ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 accept");
        // Flooded because the bridge has not learnt its place: not for this port.
        text.line("meta mark . ether daddr != @macs drop");
    });
    text.block("chain forward", |text| {
        // After br_netfilter (0): the sender's egress rules need the sender's mark.
        text.line("type filter hook forward priority 100; policy accept;");
        text.line("jump deliver");
    });
    text.block("chain output", |text| {
        text.line("type filter hook output priority 100; policy accept;");
        text.line("jump deliver");
    });
}

fn sets(text: &mut Text, ports: &[Port<'_>]) {
    let links: Vec<String> =
        ports.iter().map(|port| format!("\"{}\" : {:#x}", port.link, port.mark)).collect();
    text.elements("map ports", "type ifname : mark", &links);

    let mut macs = Vec::new();
    let mut lists: [Vec<String>; 4] = Default::default();
    let mut targets6 = Vec::new();
    for port in ports.iter().filter(|port| port.is_protected()) {
        let mark = port.mark;
        macs.extend(port.macs().iter().map(|mac| format!("{mark:#x} . {mac}")));
        for (mac, network) in &port.sources {
            let list = match (network, is_single(network)) {
                (IpNet::V4(_), true) => 0,
                (IpNet::V4(_), false) => 1,
                (IpNet::V6(_), true) => 2,
                (IpNet::V6(_), false) => 3,
            };
            let address = if is_single(network) { network.addr().to_string() } else { network.to_string() };
            lists[list].push(format!("{mark:#x} . {mac} . {address}"));
        }
        let addresses6: Vec<Ipv6Net> = port
            .sources
            .iter()
            .filter_map(|(_, network)| match network {
                IpNet::V6(network) => Some(*network),
                IpNet::V4(_) => None,
            })
            .collect();
        targets6.extend(Ipv6Net::aggregate(&addresses6).iter().map(|network| {
            let (first, last) = (u128::from(network.network()), u128::from(network.broadcast()));
            match first == last {
                true => format!("{mark:#x} . {first:#034x}"),
                false => format!("{mark:#x} . {first:#034x}-{last:#034x}"),
            }
        }));
    }
    let [sources4, ranges4, sources6, ranges6] = lists;
    text.elements("set macs", "type mark . ether_addr", &macs);
    text.elements("set sources4", "type mark . ether_addr . ipv4_addr", &sources4);
    text.elements("set ranges4", "type mark . ether_addr . ipv4_addr; flags interval", &ranges4);
    text.elements("set sources6", "type mark . ether_addr . ipv6_addr", &sources6);
    text.elements("set ranges6", "type mark . ether_addr . ipv6_addr; flags interval", &ranges6);
    text.elements("set targets6", "typeof meta mark . @th,64,128; flags interval", &targets6);
}
