//! Security groups and anti-spoofing.

use host::Network;
use host::plan::*;

use super::guest::talks;
use super::plans::*;
use super::{Guest, Sandbox};

#[test]
fn only_what_a_rule_allows_comes_in() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let closed = tenant("net", vec![port("a", 11), port("b", 12)]);
        network.apply_network(&closed).await.unwrap();
        let a = Guest::start(&network, &closed, &closed.ports[0]).await;
        let b = Guest::start(&network, &closed, &closed.ports[1]).await;
        b.echo("10.0.0.12:22").await;
        assert!(!a.pings("10.0.0.12").await);
        assert!(a.connect("10.0.0.12:22").await.is_none());

        let b_open = with_rules(port("b", 12), [ping(), ingress(Protocol::TCP, 22)]);
        let open = tenant("net", vec![port("a", 11), b_open]);
        network.apply_network(&open).await.unwrap();
        assert!(a.pings("10.0.0.12").await);
        assert!(!b.pings("10.0.0.11").await, "nothing was allowed the other way");
        let mut ssh = a.connect("10.0.0.12:22").await.expect("port 22 is open");
        assert!(talks(&mut ssh));
        b.echo("10.0.0.12:23").await;
        assert!(a.connect("10.0.0.12:23").await.is_none());

        // Who may not send reaches nobody, whoever would let him in.
        let mut mute = port("a", 11);
        mute.rules = [].into();
        let muted = tenant("net", vec![mute, open.ports[1].clone()]);
        network.apply_network(&muted).await.unwrap();
        assert!(!a.pings("10.0.0.12").await);
        assert!(!talks(&mut ssh), "its connection was begun by an egress rule that is gone");
    });
}

#[test]
fn a_removed_rule_ends_its_connections_and_no_others() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let both = with_rules(port("b", 12), [ingress(Protocol::TCP, 22), ingress(Protocol::TCP, 80)]);
        let plan = tenant("net", vec![port("a", 11), both]);
        network.apply_network(&plan).await.unwrap();
        let a = Guest::start(&network, &plan, &plan.ports[0]).await;
        let b = Guest::start(&network, &plan, &plan.ports[1]).await;
        b.echo("10.0.0.12:22").await;
        b.echo("10.0.0.12:80").await;
        let mut ssh = a.connect("10.0.0.12:22").await.unwrap();
        let mut http = a.connect("10.0.0.12:80").await.unwrap();
        assert!(talks(&mut ssh) && talks(&mut http));

        let one = with_rules(port("b", 12), [ingress(Protocol::TCP, 80)]);
        network.apply_network(&tenant("net", vec![port("a", 11), one])).await.unwrap();
        assert!(!talks(&mut ssh));
        assert!(talks(&mut http));
    });
}

#[test]
fn remote_groups_ports_without_security_and_ports_that_are_down() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let mut free = port("c", 13);
        free.port_security = false;
        free.rules = [].into();
        let b = with_rules(port("b", 12), [from_group()]);
        let plan = tenant("net", vec![port("a", 11), b.clone(), free.clone()]);
        let plan = with_group(plan, &["10.0.0.11/32".into()]);
        network.apply_network(&plan).await.unwrap();
        let guests = [
            Guest::start(&network, &plan, &plan.ports[0]).await,
            Guest::start(&network, &plan, &plan.ports[1]).await,
            Guest::start(&network, &plan, &plan.ports[2]).await,
        ];
        let [a, _, c] = &guests;
        assert!(a.pings("10.0.0.12").await, "a member");
        assert!(!c.pings("10.0.0.12").await, "not a member");
        assert!(a.pings("10.0.0.13").await, "no port security");
        c.address("10.0.0.200/24").await;
        assert!(a.pings("10.0.0.200").await, "it may even make addresses up");

        let empty = with_group(tenant("net", vec![port("a", 11), b, free.clone()]), &[]);
        network.apply_network(&empty).await.unwrap();
        assert!(!a.pings("10.0.0.12").await, "nobody is in the group");

        let down = PortPlan { admin_up: false, ..free };
        network.apply_network(&tenant("net", vec![port("a", 11), port("b", 12), down])).await.unwrap();
        assert!(!a.pings("10.0.0.13").await && !c.pings("10.0.0.11").await, "it is down");
    });
}

#[test]
fn nobody_speaks_in_anothers_name() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let open = |port: PortPlan| with_rules(port, [any(Direction::Ingress)]);
        let mut paired = open(port("a", 11));
        paired.allowed_address_pairs = vec![
            (paired.mac.clone(), "10.0.0.50/32".parse().unwrap()),
            (paired.mac.clone(), "10.0.0.64/28".parse().unwrap()),
        ];
        let plan = tenant("net", vec![paired, open(port("b", 12))]);
        network.apply_network(&plan).await.unwrap();
        let a = Guest::start(&network, &plan, &plan.ports[0]).await;
        let b = Guest::start(&network, &plan, &plan.ports[1]).await;
        assert!(a.pings("10.0.0.12").await);
        for address in ["10.0.0.50", "10.0.0.66", "10.0.0.99"] {
            a.address(&format!("{address}/24")).await;
        }
        let answers = async |from: &str| {
            let arguments = ["-c1", "-W1", "-I", from, "10.0.0.12"].map(str::to_owned);
            a.inside(move || {
                Ok(super::sandbox::try_command("ping", &arguments.each_ref().map(String::as_str)).0)
            })
            .await
        };
        assert!(answers("10.0.0.50").await && answers("10.0.0.66").await, "allowed pairs");
        assert!(!answers("10.0.0.99").await, "not its address");

        // A neighbour is not made to believe that somebody's address is at a's MAC.
        let neighbours = b.run("ip", &["neighbour"]).await;
        assert!(!neighbours.contains("10.0.0.99"), "{neighbours}");
        let announced =
            a.run("arping", &["-c", "2", "-w", "2", "-U", "-I", "eth0", "-s", "10.0.0.66", "10.0.0.66"]);
        announced.await;
        let neighbours = b.run("ip", &["neighbour"]).await;
        assert!(neighbours.contains("10.0.0.66"), "{neighbours}");

        // A DHCP server of a guest's own is not heard.
        let server = a.udp("10.0.0.11:67").await;
        let client = b.udp("10.0.0.12:68").await;
        server.send_to(b"offer", "10.0.0.12:68").unwrap();
        assert!(client.recv(&mut [0; 16]).is_err());
        let from_elsewhere = a.udp("10.0.0.11:69").await;
        from_elsewhere.send_to(b"data", "10.0.0.12:68").unwrap();
        assert_eq!(client.recv(&mut [0; 16]).unwrap(), 4);

        a.run("ip", &["link", "set", "eth0", "address", "fa:16:3e:00:00:99"]).await;
        assert!(!a.pings("10.0.0.12").await, "not its MAC");
    });
}

#[test]
fn ipv6_neighbours_are_found_and_not_forged() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let six = |name: &str, last: u8, rules: Vec<RulePlan>| {
            let mut port = with_rules(port(name, last), rules);
            port.fixed_ips.push(("subnet6".into(), format!("2001:db8::{last:x}").parse().unwrap()));
            port
        };
        let ping6 = RulePlan { ipv6: true, ..ping() };
        let plan = tenant("net", vec![six("a", 0x11, vec![]), six("b", 0x12, vec![ping6])]);
        network.apply_network(&plan).await.unwrap();
        let a = Guest::start(&network, &plan, &plan.ports[0]).await;
        let b = Guest::start(&network, &plan, &plan.ports[1]).await;
        a.address("2001:db8::11/64").await;
        b.address("2001:db8::12/64").await;
        assert!(a.pings("2001:db8::12").await);
        assert!(!b.pings("2001:db8::11").await);
        b.address("2001:db8::66/64").await;
        assert!(!a.pings("2001:db8::66").await, "its advertisement is a lie");
        let neighbours = a.run("ip", &["-6", "neighbour"]).await;
        let forged = neighbours.lines().find(|line| line.contains("2001:db8::66")).unwrap_or_default();
        assert!(!forged.contains("lladdr"), "{neighbours}");
    });
}

#[test]
fn without_state_answers_need_rules_of_their_own() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let stateless =
            |rules: Vec<RulePlan>| PortPlan { stateless: true, ..with_rules(port("a", 11), rules) };
        let b = with_rules(port("b", 12), [any(Direction::Ingress)]);
        let with = |rules| tenant("net", vec![stateless(rules), b.clone()]);
        let plan = with(vec![ingress(Protocol::TCP, 22)]);
        network.apply_network(&plan).await.unwrap();
        let a = Guest::start(&network, &plan, &plan.ports[0]).await;
        let guest = Guest::start(&network, &plan, &plan.ports[1]).await;
        a.echo("10.0.0.11:22").await;
        guest.echo("10.0.0.12:80").await;
        assert!(guest.connect("10.0.0.11:22").await.is_some(), "its answers may leave by its egress rule");
        assert!(a.connect("10.0.0.12:80").await.is_none(), "no rule lets the answer in");

        let from_b =
            RulePlan { protocol: Some(Protocol::TCP), ports: Some((1024, 65535)), ..any(Direction::Ingress) };
        network.apply_network(&with(vec![from_b])).await.unwrap();
        let mut http = a.connect("10.0.0.12:80").await.expect("a rule lets the answer in");
        assert!(talks(&mut http));
        // With state again, and without the rule.
        let mut stateful = with(vec![]);
        stateful.ports[0].stateless = false;
        network.apply_network(&stateful).await.unwrap();
        assert!(a.connect("10.0.0.12:80").await.is_some());
    });
}
