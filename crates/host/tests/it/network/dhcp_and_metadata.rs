//! A machine finds its address and itself.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use async_trait::async_trait;
use host::plan::*;
use host::{MetadataAnswer, MetadataCaller, MetadataPosted, MetadataSource, Network};

use super::plans::*;
use super::sandbox::have;
use super::{Guest, Sandbox};

/// What udhcpc calls with each lease.
const SCRIPT: &str = r#"#!/bin/sh
case "$1" in
bound|renew)
	ip link set "$interface" mtu "$mtu"
	ip address replace "$ip/$mask" dev "$interface"
	set -- $staticroutes
	while [ $# -ge 2 ]; do
		if [ "$2" = 0.0.0.0 ]; then ip route replace "$1" dev "$interface"; else ip route replace "$1" via "$2"; fi
		shift 2
	done
	echo "ip=$ip mask=$mask router=$router dns=$dns domain=$domain hostname=$hostname mtu=$mtu lease=$lease server=$serverid"
	echo "routes=$staticroutes"
	;;
esac
"#;

struct Echo;

#[async_trait]
impl MetadataSource for Echo {
    async fn get(&self, caller: &MetadataCaller, path: &str) -> Option<MetadataAnswer> {
        path.starts_with("/openstack/").then(|| MetadataAnswer {
            content_type: "text/plain",
            body: format!("{} {} {path}", caller.port_id, caller.address).into_bytes(),
        })
    }

    async fn post(&self, _: &MetadataCaller, path: &str, body: &[u8]) -> MetadataPosted {
        match (path, body) {
            ("/openstack/latest/password", b"secret") => MetadataPosted::Kept,
            ("/openstack/latest/password", _) => MetadataPosted::Conflict,
            _ => MetadataPosted::Refused,
        }
    }
}

async fn lease(guest: &Guest, script: &str, more: &[&str]) -> String {
    let mut arguments = vec!["udhcpc", "-f", "-q", "-n", "-t", "3", "-T", "1", "-i", "eth0", "-s", script];
    arguments.extend(["-O", "staticroutes", "-O", "mtu"]);
    arguments.extend(more);
    guest.run("busybox", &arguments).await
}

async fn get(guest: &Guest, path: &str) -> String {
    let url = format!("http://169.254.169.254{path}");
    guest.run("curl", &["-sS", "--max-time", "5", "-w", " %{http_code} %{content_type}", &url]).await
}

#[test]
fn a_machine_gets_its_address_and_metadata() {
    Sandbox::run(async |sandbox: Sandbox| {
        if !have("busybox", "busybox") || !have("curl", "curl") {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("script");
        std::fs::write(&script, SCRIPT).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        let script = script.to_str().unwrap();

        let network = sandbox.network;
        network.serve_metadata(Arc::new(Echo));
        // Not even an empty security group keeps a machine from its address and metadata.
        let mut a = port("a", 11);
        a.rules = [].into();
        let mut free = port("c", 13);
        free.port_security = false;
        let plan = tenant("net", vec![a, port("b", 12), free]);
        network.apply_network(&plan).await.unwrap();
        let a = Guest::plug(&network, &plan, &plan.ports[0]).await;
        let said = lease(&a, script, &[]).await;
        assert!(
            said.contains(
                "ip=10.0.0.11 mask=24 router=10.0.0.1 dns=192.0.2.53 domain=cloud.example hostname=machine-11 \
                 mtu=1450 lease=3600 server=10.0.0.2"
            ),
            "{said}"
        );
        assert!(
            said.contains("routes=192.168.9.0/24 10.0.0.99 169.254.169.254/32 10.0.0.2 0.0.0.0/0 10.0.0.1"),
            "{said}"
        );
        // Broadcast answers, and an address that was another's.
        let said = lease(&a, script, &["-B", "-r", "10.0.0.77"]).await;
        assert!(said.contains("ip=10.0.0.11 "), "{said}");

        let own =
            format!("{} 10.0.0.11 /openstack/latest/meta_data.json?x=1 200 text/plain", plan.ports[0].id);
        assert_eq!(get(&a, "/openstack/latest/meta_data.json?x=1").await, own);
        assert!(get(&a, "/elsewhere").await.contains("404"));
        let posted =
            a.run("curl", &["-sS", "-d", "x", "-w", " %{http_code}", "http://169.254.169.254/openstack/"]);
        assert!(posted.await.contains("405"));
        let post = async |body: &str| {
            let url = "http://169.254.169.254/openstack/latest/password";
            a.run("curl", &["-sS", "-o", "/dev/null", "-d", body, "-w", "%{http_code}", url]).await
        };
        assert_eq!(post("secret").await, "200");
        assert_eq!(post("another").await, "409");
        assert_eq!(post(&"x".repeat(100_000)).await, "400");
        let put =
            a.run("curl", &["-sS", "-X", "PUT", "-w", " %{http_code}", "http://169.254.169.254/openstack/"]);
        assert!(put.await.contains("405"));

        // An address of no port has no metadata, whatever its headers say.
        let c = Guest::start(&network, &plan, &plan.ports[2]).await;
        c.run("ip", &["route", "add", "169.254.169.254", "via", "10.0.0.2"]).await;
        assert!(get(&c, "/openstack/x").await.contains(" 10.0.0.13 /openstack/x 200"));
        c.run("ip", &["address", "flush", "dev", "eth0"]).await;
        c.address("10.0.0.200/24").await;
        c.run("ip", &["route", "add", "169.254.169.254", "via", "10.0.0.2"]).await;
        let forged = [
            "-sS",
            "--max-time",
            "2",
            "-H",
            "X-Forwarded-For: 10.0.0.11",
            "-w",
            " %{http_code}",
            "http://169.254.169.254/openstack/",
        ];
        assert!(!c.inside(move || Ok(super::sandbox::try_command("curl", &forged).0)).await);

        // A stranger is not even answered.
        let stranger = PortPlan { mac: "fa:16:3e:00:00:77".into(), port_security: false, ..port("d", 14) };
        let listed = PortPlan { mac: "fa:16:3e:00:00:0e".into(), ..stranger.clone() };
        let more = NetworkPlan { ports: vec![plan.ports[0].clone(), listed], ..plan.clone() };
        network.apply_network(&more).await.unwrap();
        let d = Guest::plug(&network, &more, &stranger).await;
        let arguments = ["udhcpc", "-f", "-q", "-n", "-t", "2", "-T", "1", "-i", "eth0", "-s", "/bin/true"];
        let got = d.inside(move || Ok(super::sandbox::try_command("busybox", &arguments).0)).await;
        assert!(!got);
    });
}

/// fe80::a9fe:a9fe, once the guest's own link-local address may be used.
async fn get6(guest: &Guest, path: &str) -> String {
    let url = format!("http://[fe80::a9fe:a9fe%25eth0]{path}");
    let wait = ["-s", "--max-time", "5", "--retry", "5", "--retry-all-errors", "--retry-delay", "1"];
    guest.run("curl", &[&wait[..], &["-w", " %{http_code}", &url]].concat()).await
}

#[test]
fn metadata_is_on_the_link_by_ipv6() {
    Sandbox::run(async |sandbox: Sandbox| {
        if !have("curl", "curl") {
            return;
        }
        let network = sandbox.network;
        network.serve_metadata(Arc::new(Echo));
        // A network without any subnet of IPv6, ports that may send and hear nothing else.
        let mut a = port("a", 11);
        a.rules = [].into();
        let mut stateless = port("b", 12);
        stateless.rules = [].into();
        stateless.stateless = true;
        let mut plan = tenant("net", vec![a, stateless]);
        network.apply_network(&plan).await.unwrap();
        let a = Guest::plug(&network, &plan, &plan.ports[0]).await;
        let b = Guest::plug(&network, &plan, &plan.ports[1]).await;
        let own =
            |port: &PortPlan, last: u8| format!("{} fe80::f816:3eff:fe00:{last:x} /openstack/x 200", port.id);
        assert_eq!(get6(&a, "/openstack/x").await, own(&plan.ports[0], 11));
        assert_eq!(get6(&b, "/openstack/x").await, own(&plan.ports[1], 12));
        assert!(get6(&a, "/elsewhere").await.contains("404"));
        // It is the only thing that is there.
        let namespace = network.namespace(&plan.id);
        let addresses = ["-n", namespace.as_str(), "-6", "-o", "address", "show", "dev", "br0"];
        let shown = super::sandbox::command("ip", &addresses);
        assert_eq!(shown.matches("inet6").count(), 1, "{shown}");
        let other = ["-sS", "--max-time", "1", "http://[fe80::a9fe:a9fe%25eth0]:22/"];
        let refused = a.inside(move || Ok(super::sandbox::try_command("curl", &other))).await;
        assert!(!refused.0 && refused.1.contains("timed out"), "{}", refused.1);

        // Ports that come later ask as well, and a bridge that somebody deleted answers again.
        plan.ports.push(port("c", 13));
        network.apply_network(&plan).await.unwrap();
        let c = Guest::plug(&network, &plan, &plan.ports[2]).await;
        assert_eq!(get6(&c, "/openstack/x").await, own(&plan.ports[2], 13));
        for broken in [&["address", "flush", "dev", "br0"][..], &["link", "delete", "br0"]] {
            let arguments = [&["-n", namespace.as_str()][..], broken].concat();
            super::sandbox::command("ip", &arguments);
            network.apply_network(&plan).await.unwrap();
            assert_eq!(get6(&a, "/openstack/x").await, own(&plan.ports[0], 11), "{broken:?}");
        }
    });
}

#[test]
fn behind_a_router_metadata_comes_from_the_router() {
    Sandbox::run(async |sandbox: Sandbox| {
        if !have("curl", "curl") {
            return;
        }
        let network = sandbox.network;
        network.serve_metadata(Arc::new(Echo));
        // Two tenants with the same addresses.
        for (name, machine, router_name, last) in [("red", "r", "rr", 5), ("blue", "b", "rb", 6)] {
            network.apply_network(&external(vec![])).await.unwrap();
            let plan = tenant(name, vec![port(machine, 11)]);
            network.apply_network(&plan).await.unwrap();
            network.apply_router(&router(router_name, &plan, last, &[])).await.unwrap();
            let guest = Guest::start(&network, &plan, &plan.ports[0]).await;
            let answer = get(&guest, "/openstack/x").await;
            assert_eq!(answer, format!("{} 10.0.0.11 /openstack/x 200 text/plain", uuid(machine)));
        }
        // From outside nobody asks.
        super::sandbox::command("ip", &["route", "add", "169.254.169.254", "via", "198.51.100.5"]);
        assert!(super::guest::connect("169.254.169.254:80".parse().unwrap()).is_none());
    });
}

#[test]
fn machines_know_each_other_by_name() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let mut plan = tenant("net", vec![port("a", 11)]);
        plan.subnets[0].dns_nameservers.clear();
        network.apply_network(&plan).await.unwrap();
        let a = Guest::start(&network, &plan, &plan.ports[0]).await;
        let socket = a.udp("0.0.0.0:0").await;
        let ask = |name: &str| {
            let mut question = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            for label in name.split('.') {
                question.push(label.len() as u8);
                question.extend_from_slice(label.as_bytes());
            }
            question.extend([0, 0, 1, 0, 1]);
            socket.send_to(&question, "10.0.0.2:53").unwrap();
            let mut answer = [0; 512];
            let length = socket.recv(&mut answer).unwrap();
            answer[length - 4..length].to_vec()
        };
        assert_eq!(ask("machine-11.cloud.example"), [10, 0, 0, 11]);
        // One that comes later is known at once.
        plan.ports.push(PortPlan { dns_domain: "other.example".into(), ..port("b", 12) });
        network.apply_network(&plan).await.unwrap();
        assert_eq!(ask("machine-12.other.example"), [10, 0, 0, 12]);
    });
}

#[test]
fn a_packet_that_is_too_large_is_told_of() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let mut ext = external(vec![]);
        ext.mtu = 1300;
        network.apply_network(&ext).await.unwrap();
        let net = tenant("net", vec![port("a", 11)]);
        network.apply_network(&net).await.unwrap();
        let mut plan = router("rtr", &net, 5, &[(7, 11)]);
        plan.gateway.as_mut().unwrap().port.mtu = 1300;
        network.apply_router(&plan).await.unwrap();
        let a = Guest::start(&network, &net, &net.ports[0]).await;
        let send = |size: &'static str| {
            a.inside(move || {
                let arguments = ["-c2", "-W1", "-M", "do", "-s", size, "198.51.100.1"];
                Ok(super::sandbox::try_command("ping", &arguments))
            })
        };
        assert!(send("1272").await.0, "1300 with its headers");
        let (passed, said) = send("1400").await;
        assert!(!passed && said.contains("mtu = 1300"), "{said}");
        // The machine has learnt it, although its group lets nothing in.
        let route = a.run("ip", &["route", "get", "198.51.100.1"]).await;
        assert!(route.contains("mtu 1300"), "{route}");
        // And from outside, through the floating address, towards the machine.
        let said =
            super::sandbox::try_command("ip", &["-o", "link", "show", &host::names::host_link(&ext.id)]);
        assert!(said.1.contains("mtu 1300"), "{}", said.1);
    });
}
