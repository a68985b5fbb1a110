//! IPv6: machines find their router, make or get their addresses, and reach each other and the world through it.

use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::time::Duration;

use dhcproto::v6::{DhcpOption, DhcpOptions, IANA, Message, MessageType, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable};
use host::Network;
use host::plan::*;

use super::plans::*;
use super::sandbox::{command, try_command, within};
use super::{Guest, Sandbox};

/// What a machine's MAC makes of a prefix.
fn own(prefix: &str, last: u8) -> String {
    format!("{prefix}f816:3eff:fe00:{last:x}")
}

fn subnet6(id: &str, prefix: &str, dhcpv6: Dhcpv6) -> SubnetPlan {
    SubnetPlan {
        id: id.into(),
        cidr: format!("{prefix}/64").parse().unwrap(),
        gateway: Some(format!("{prefix}1").parse().unwrap()),
        dns_nameservers: vec!["2001:db8::53".parse().unwrap()],
        lease_time: 3600,
        dns_domain: "cloud.example".into(),
        dhcpv6,
        ..SubnetPlan::default()
    }
}

/// A machine's port that lets in IPv6 pings.
fn port6(name: &str, last: u8, subnet: &str, address: &str) -> PortPlan {
    let ping6 = RulePlan { ipv6: true, ..ping() };
    let mut port = with_rules(port(name, last), [ping6]);
    port.fixed_ips = vec![(subnet.into(), address.parse().unwrap())];
    port
}

fn interface(name: &str, last: u8, network: &NetworkPlan, prefix: &str, mode: RaMode) -> RouterPort {
    RouterPort {
        port_id: uuid(name),
        network_id: network.id.clone(),
        mac: format!("fa:16:3e:00:06:{last:02x}"),
        mtu: network.mtu,
        addresses: vec![format!("{prefix}1/64").parse().unwrap()],
        prefixes: vec![PrefixPlan {
            prefix: format!("{prefix}/64").parse().unwrap(),
            mode,
            dns: vec!["2001:db8::53".parse().unwrap()],
        }],
    }
}

/// One exchange with the DHCPv6 server from the guest's eth0.
async fn dhcpv6(guest: &Guest, kind: MessageType, options: Vec<DhcpOption>) -> Option<Message> {
    guest
        .inside(move || {
            let index = command("ip", &["-o", "link", "show", "eth0"]);
            let index: u32 = index.split(':').next().unwrap().parse().unwrap();
            let socket = UdpSocket::bind("[::]:546").unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            let mut message = Message::new_with_id(kind, [4, 5, 6]);
            message.opts_mut().insert(DhcpOption::ClientId(vec![0, 3, 0, 1, 1, 2, 3, 4, 5, 6]));
            for option in options {
                message.opts_mut().insert(option);
            }
            let servers: Ipv6Addr = "ff02::1:2".parse().unwrap();
            let to = SocketAddrV6::new(servers, 547, 0, index);
            socket.send_to(&message.to_vec().unwrap(), to).unwrap();
            let mut buffer = [0; 1500];
            let length = socket.recv(&mut buffer).ok();
            Ok(length.map(|length| Message::decode(&mut Decoder::new(&buffer[..length])).unwrap()))
        })
        .await
}

fn association() -> DhcpOption {
    DhcpOption::IANA(IANA { id: 1, t1: 0, t2: 0, opts: DhcpOptions::new() })
}

fn address(message: &Message) -> Option<Ipv6Addr> {
    let Some(DhcpOption::IANA(identity)) = message.opts().get(OptionCode::IANA) else { return None };
    identity.opts.iter().find_map(|option| match option {
        DhcpOption::IAAddr(address) => Some(address.addr),
        _ => None,
    })
}

#[test]
fn machines_find_their_router_and_each_other_through_it() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let (a6, b6) = (own("2001:db8:a:0:", 11), "2001:db8:b::77".to_owned());
        let near = NetworkPlan {
            subnets: vec![subnet6("a6", "2001:db8:a::", Dhcpv6::Off)],
            ..tenant("near", vec![port6("a", 11, "a6", &a6)])
        };
        let far = NetworkPlan {
            subnets: vec![subnet6("b6", "2001:db8:b::", Dhcpv6::Stateful)],
            ..tenant("far", vec![port6("b", 12, "b6", &b6)])
        };
        let mut ext = external(vec![]);
        ext.subnets.push(subnet6("e6", "2001:db8:e::", Dhcpv6::Off));
        let host = "2001:db8:e::1/64".parse().unwrap();
        ext.host_link.as_mut().unwrap().addresses.push(host);
        for plan in [&ext, &near, &far] {
            network.apply_network(plan).await.unwrap();
        }
        let mut plan = router("rtr", &near, 5, &[]);
        plan.interfaces = vec![
            interface("i", 1, &near, "2001:db8:a::", RaMode::Slaac),
            interface("j", 2, &far, "2001:db8:b::", RaMode::Stateful),
        ];
        let gateway = plan.gateway.as_mut().unwrap();
        gateway.port.addresses.push("2001:db8:e::5/64".parse().unwrap());
        gateway.next_hops.push("2001:db8:e::1".parse().unwrap());
        network.apply_router(&plan).await.unwrap();

        // A makes its address itself, and learns its way out and the MTU.
        let a = Guest::plug(&network, &near, &near.ports[0]).await;
        within(8, "an address by router advertisement", async || {
            a.run("ip", &["-6", "-o", "address", "show", "dev", "eth0", "scope", "global", "-tentative"])
                .await
                .contains(&a6)
        })
        .await;
        let routes = a.run("ip", &["-6", "route"]).await;
        assert!(routes.contains("default via fe80::f816:3eff:fe00:601"), "{routes}");
        assert!(a.run("cat", &["/proc/sys/net/ipv6/conf/eth0/mtu"]).await.contains("1450"));

        // B is told that there are addresses to ask for, and makes up none.
        let b = Guest::plug(&network, &far, &far.ports[0]).await;
        within(8, "a default route by router advertisement", async || {
            b.run("ip", &["-6", "route"]).await.contains("default via fe80::f816:3eff:fe00:602")
        })
        .await;
        assert!(!b.run("ip", &["-6", "address"]).await.contains("2001:db8"));
        b.has_link_local().await;
        let offer = dhcpv6(&b, MessageType::Solicit, vec![association()]).await.expect("an offer");
        assert_eq!(address(&offer), Some(b6.parse().unwrap()));
        let server = offer.opts().get(OptionCode::ServerId).unwrap().clone();
        let reply = dhcpv6(&b, MessageType::Request, vec![server, association()]).await.expect("a lease");
        assert_eq!((reply.msg_type(), address(&reply)), (MessageType::Reply, Some(b6.parse().unwrap())));
        assert!(dhcpv6(&a, MessageType::Solicit, vec![association()]).await.is_none(), "nothing to lease");
        b.address(&format!("{b6}/128")).await;

        assert!(a.pings(&b6).await, "through the router");
        assert!(b.pings(&a6).await, "and back");
        // The external network is routed, not translated: the host must know the way.
        assert!(!a.pings("2001:db8:e::1").await);
        for prefix in ["2001:db8:a::/64", "2001:db8:b::/64"] {
            command("ip", &["-6", "route", "add", prefix, "via", "2001:db8:e::5"]);
        }
        assert!(a.pings("2001:db8:e::1").await, "the host");
        assert!(try_command("ping", &["-c3", "-i0.4", "-W1", &b6]).0, "from the host, as its group allows");

        // A router that has become a stateless one says so at once.
        plan.interfaces[0].prefixes[0].mode = RaMode::Stateless;
        network.apply_router(&plan).await.unwrap();
        let stateless =
            NetworkPlan { subnets: vec![subnet6("a6", "2001:db8:a::", Dhcpv6::Stateless)], ..near.clone() };
        network.apply_network(&stateless).await.unwrap();
        let told = dhcpv6(&a, MessageType::InformationRequest, vec![]).await.expect("name servers");
        let servers = DhcpOption::DomainNameServers(vec!["2001:db8::53".parse().unwrap()]);
        assert_eq!(told.opts().get(OptionCode::DomainNameServers), Some(&servers));
        assert!(a.pings(&b6).await);
    });
}
