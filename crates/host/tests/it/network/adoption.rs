//! Restarts, repairs and removal.

use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use host::plan::*;
use host::{Network, Present, link, names, netns};

use super::guest::{connect, talks};
use super::plans::*;
use super::sandbox::{command, try_command};
use super::{Guest, Sandbox};

/// Everything that `ip` and `nft` tell of the cloud's namespaces and the host.
fn picture() -> String {
    let mut text = String::new();
    for namespace in
        command("ip", &["netns", "list"]).lines().filter_map(|line| line.split_whitespace().next())
    {
        for what in ["link", "address", "route"] {
            text += &command("ip", &["-n", namespace, what]);
        }
    }
    text + &command("ip", &["link"]) + &command("ip", &["address"]) + &command("ip", &["route"])
}

#[test]
fn a_new_daemon_adopts_what_is_there() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let ext = external(vec![]);
        let plan = tenant("net", vec![with_rules(port("a", 11), [ingress(Protocol::TCP, 22)])]);
        let rtr = router("rtr", &plan, 5, &[(7, 11)]);
        network.apply_network(&ext).await.unwrap();
        network.apply_network(&plan).await.unwrap();
        network.apply_router(&rtr).await.unwrap();
        let a = Guest::start(&network, &plan, &plan.ports[0]).await;
        a.echo("10.0.0.11:22").await;
        let mut ssh = connect("198.51.100.7:22".parse().unwrap()).unwrap();
        assert!(talks(&mut ssh));
        let before = picture();
        drop(network);

        let network = Sandbox::driver();
        let present = network.list().await.unwrap();
        assert_eq!(present.routers, std::slice::from_ref(&rtr.id));
        assert_eq!(present.networks.len(), 2);
        for id in [&ext.id, &plan.id] {
            assert!(present.networks.contains(id), "{present:?}");
        }
        for _ in 0..2 {
            network.apply_network(&ext).await.unwrap();
            network.apply_network(&plan).await.unwrap();
            network.apply_router(&rtr).await.unwrap();
            assert_eq!(picture(), before);
            assert!(talks(&mut ssh), "its connection lives through it");
        }
    });
}

#[test]
fn damage_is_repaired() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let ext = external(vec![]);
        let plan = tenant("net", vec![with_rules(port("a", 11), [ingress(Protocol::TCP, 22)])]);
        let rtr = router("rtr", &plan, 5, &[(7, 11)]);
        let apply = async || {
            network.apply_network(&ext).await.unwrap();
            network.apply_network(&plan).await.unwrap();
            network.apply_router(&rtr).await.unwrap();
        };
        apply().await;
        let a = Guest::start(&network, &plan, &plan.ports[0]).await;
        a.echo("10.0.0.11:22").await;
        let works =
            || connect("198.51.100.7:22".parse().unwrap()).is_some_and(|mut stream| talks(&mut stream));
        assert!(works());
        let tenant_name = network.namespace(&plan.id);
        let router_name = names::NetnsName::router("test", &rtr.id);
        let (tenant_name, router_name) = (tenant_name.as_str(), router_name.as_str());
        let interface = names::router_link(&rtr.interfaces[0].port_id);
        let damage: [&[&str]; 6] = [
            &["netns", "exec", tenant_name, "nft", "flush", "ruleset"],
            &["netns", "exec", router_name, "nft", "flush", "ruleset"],
            &["-n", router_name, "link", "del", &interface],
            &["-n", router_name, "route", "del", "default"],
            &["-n", tenant_name, "link", "set", "br0", "down"],
            &["link", "del", &names::host_link(&ext.id)],
        ];
        for arguments in damage {
            command("ip", arguments);
            apply().await;
            // Without rules everything would pass, too.
            let rules = command("ip", &["netns", "exec", tenant_name, "nft", "list", "ruleset"]);
            assert!(rules.contains("jump always_ingress"), "{arguments:?}: {rules}");
            assert!(works(), "after {arguments:?}");
        }
        netns::remove(&names::NetnsName::router("test", &rtr.id)).unwrap();
        apply().await;
        assert!(works(), "after its namespace was removed");
    });
}

#[test]
fn a_tap_lives_as_long_as_its_descriptor() {
    Sandbox::run(async |sandbox: Sandbox| {
        if !Path::new("/dev/net/tun").exists() {
            eprintln!("SKIPPED: this kernel has no /dev/net/tun");
            return;
        }
        let network = sandbox.network;
        let plan = tenant("net", vec![port("a", 11)]);
        let namespace = network.namespace(&plan.id);
        let id = plan.ports[0].id.clone();
        let missing = link::open_tap(&namespace, &id, 1450).await.unwrap_err();
        assert!(missing.to_string().contains("does not exist"), "{missing}");

        network.apply_network(&plan).await.unwrap();
        let tap = link::open_tap(&namespace, &id, 1450).await.unwrap();
        assert!(tap.as_raw_fd() > 2);
        let shown = command("ip", &["-n", namespace.as_str(), "link", "show", &names::tap(&id)]);
        assert!(
            shown.contains("master br0") && shown.contains("mtu 1450") && shown.contains("UP"),
            "{shown}"
        );
        let taken = link::open_tap(&namespace, &id, 1450).await.unwrap_err();
        assert!(taken.to_string().contains("in use"), "{taken}");

        network.apply_network(&NetworkPlan { mtu: 1400, ..plan.clone() }).await.unwrap();
        let shown = command("ip", &["-n", namespace.as_str(), "link", "show", &names::tap(&id)]);
        assert!(shown.contains("mtu 1400"), "{shown}");
        drop(tap);
        assert!(!try_command("ip", &["-n", namespace.as_str(), "link", "show", &names::tap(&id)]).0);
    });
}

#[test]
fn removal_leaves_nothing() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let before = (picture(), command("nft", &["list", "ruleset"]));
        let ext = external(vec![]);
        let plan = tenant("net", vec![port("a", 11)]);
        let rtr = router("rtr", &plan, 5, &[(7, 11)]);
        let early = network.apply_router(&rtr).await.unwrap_err();
        assert!(early.to_string().contains("has not been applied"), "{early}");
        network.apply_network(&ext).await.unwrap();
        network.apply_network(&plan).await.unwrap();
        network.apply_router(&rtr).await.unwrap();
        assert!(command("nft", &["list", "ruleset"]).contains("masquerade"));

        // The daemon that removes need not be the one that made.
        for (mine, id) in [(false, &rtr.id), (true, &plan.id), (true, &ext.id)] {
            let other = Sandbox::driver();
            match mine {
                true => {
                    other.remove_network(id).await.unwrap();
                    network.remove_network(id).await.unwrap();
                }
                false => {
                    other.remove_router(id).await.unwrap();
                    network.remove_router(id).await.unwrap();
                }
            }
        }
        assert_eq!(network.list().await.unwrap(), Present::default());
        assert_eq!((picture(), command("nft", &["list", "ruleset"])), before);
        assert_eq!(std::fs::read_dir("/run/netns").unwrap().count(), 0);
        network.remove_network("3fa85f64-5717-4562-b3fc-2c963f66afa6").await.unwrap();
    });
}

#[test]
fn an_external_network_that_becomes_internal_leaves_the_host() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let before = (picture(), command("nft", &["list", "ruleset"]));
        let ext = external(vec![]);
        network.apply_network(&ext).await.unwrap();
        assert!(command("ip", &["address"]).contains("198.51.100.1/24"));
        network.apply_network(&NetworkPlan { host_link: None, ..ext.clone() }).await.unwrap();
        network.remove_network(&ext.id).await.unwrap();
        assert_eq!((picture(), command("nft", &["list", "ruleset"])), before);
    });
}

#[test]
fn whoever_lists_leaves_alone_what_is_being_made() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = Arc::new(sandbox.network);
        let (end, lister) = (Arc::new(AtomicBool::new(false)), network.clone());
        let ended = end.clone();
        let lists = tokio::spawn(async move {
            while !ended.load(Ordering::Relaxed) {
                lister.list().await.unwrap();
            }
        });
        for number in 0..60 {
            network.apply_network(&tenant(&format!("net-{number}"), vec![])).await.unwrap();
        }
        end.store(true, Ordering::Relaxed);
        lists.await.unwrap();
    });
}
