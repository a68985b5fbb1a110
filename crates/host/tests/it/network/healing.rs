//! What others break is noticed, and repaired without touching what runs.

use std::time::Duration;

use host::plan::*;
use host::{Drift, Network, names};

use super::guest::{connect, talks};
use super::plans::*;
use super::sandbox::command;
use super::{Guest, Sandbox};

#[test]
fn damage_is_noticed_and_repaired_under_a_running_connection() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let mut drifts = network.drifts();
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
        let mut ssh = connect("198.51.100.7:22".parse().unwrap()).unwrap();
        assert!(talks(&mut ssh));
        // Making and starting is no damage.
        tokio::time::sleep(Duration::from_millis(500)).await;
        while drifts.try_recv().is_ok() {}
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(drifts.try_recv().is_err());

        let tenant_name = network.namespace(&plan.id);
        let router_name = names::NetnsName::router("test", &rtr.id);
        let (tenant_name, router_name) = (tenant_name.as_str(), router_name.as_str());
        let interface = names::router_link(&rtr.interfaces[0].port_id);
        let (of_network, of_router) = (Drift::Network(plan.id.clone()), Drift::Router(rtr.id.clone()));
        let damage: [(&[&str], &Drift); 9] = [
            (&["netns", "exec", tenant_name, "nft", "flush", "ruleset"], &of_network),
            (&["netns", "exec", router_name, "nft", "flush", "ruleset"], &of_router),
            (&["-n", router_name, "link", "del", &interface], &of_router),
            (&["-n", router_name, "route", "del", "default"], &of_router),
            (&["-n", router_name, "address", "flush", "dev", &interface], &of_router),
            (&["-n", tenant_name, "link", "set", "br0", "down"], &of_network),
            (&["-n", tenant_name, "address", "del", "10.0.0.2/24", "dev", "br0"], &of_network),
            (&["netns", "del", tenant_name], &of_network),
            (&["netns", "del", router_name], &of_router),
        ];
        for (arguments, expected) in damage {
            command("ip", arguments);
            let noticed = async { while drifts.recv().await.unwrap() != *expected {} };
            tokio::time::timeout(Duration::from_secs(12), noticed)
                .await
                .unwrap_or_else(|_| panic!("{arguments:?} was not noticed"));
            apply().await;
            assert!(talks(&mut ssh), "its connection lives through {arguments:?}");
            assert!(connect("198.51.100.7:22".parse().unwrap()).is_some(), "{arguments:?}");
            let rules = command("ip", &["netns", "exec", tenant_name, "nft", "list", "ruleset"]);
            assert!(rules.contains("jump always_ingress"), "{arguments:?}: {rules}");
        }
        let shown = command("ip", &["-n", tenant_name, "address", "show", "dev", "br0"]);
        assert!(shown.contains("10.0.0.2/24"), "{shown}");
    });
}

#[test]
fn a_bridge_that_is_deleted_comes_back() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let mut drifts = network.drifts();
        let plan = tenant("net", vec![port("a", 11)]);
        network.apply_network(&plan).await.unwrap();
        let a = Guest::start(&network, &plan, &plan.ports[0]).await;
        let tap = names::tap(&plan.ports[0].id);
        let namespace = network.namespace(&plan.id);
        tokio::time::sleep(Duration::from_millis(500)).await;
        while drifts.try_recv().is_ok() {}
        command("ip", &["-n", namespace.as_str(), "link", "del", "br0"]);
        let noticed = tokio::time::timeout(Duration::from_secs(12), drifts.recv()).await;
        assert_eq!(noticed.unwrap().unwrap(), Drift::Network(plan.id.clone()));
        network.apply_network(&plan).await.unwrap();
        let shown = command("ip", &["-n", namespace.as_str(), "link", "show", &tap]);
        assert!(shown.contains("master br0"), "the machine's tap is on it again: {shown}");
        assert!(a.pings("10.0.0.2").await);
    });
}
