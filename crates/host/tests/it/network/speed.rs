//! What an apply costs. The limits are generous: they catch a mistake, not a slow machine.

use std::time::{Duration, Instant};

use host::Network;
use host::plan::*;

use super::Sandbox;
use super::plans::*;

/// A network whose ports are all in one group that lets its members in.
fn plan(count: u8) -> NetworkPlan {
    let members: Vec<String> = (0..count).map(|last| format!("10.0.0.{}/32", last + 10)).collect();
    let port = |last: u8| {
        with_rules(
            port(&format!("p{last:03}"), last + 10),
            [from_group(), ingress(Protocol::TCP, 22), ping()],
        )
    };
    with_group(tenant("net", (0..count).map(port).collect()), &members)
}

#[test]
fn one_more_port_costs_milliseconds() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        for count in [1, 50, 200] {
            let began = Instant::now();
            network.apply_network(&plan(count)).await.unwrap();
            let first = began.elapsed();
            let began = Instant::now();
            network.apply_network(&plan(count + 1)).await.unwrap();
            let more = began.elapsed();
            let began = Instant::now();
            network.apply_network(&plan(count + 1)).await.unwrap();
            let same = began.elapsed();
            eprintln!("{count} ports: {first:?}; one more: {more:?}; unchanged: {same:?}");
            assert!(more < Duration::from_secs(1) && same < Duration::from_millis(500), "{more:?} {same:?}");
        }
        network.apply_network(&external(vec![])).await.unwrap();
        let plan = plan(1);
        for (what, floating) in
            [("router", &[][..]), ("with a floating address", &[(7, 10)]), ("unchanged", &[(7, 10)])]
        {
            let began = Instant::now();
            network.apply_router(&router("rtr", &plan, 5, floating)).await.unwrap();
            eprintln!("{what}: {:?}", began.elapsed());
        }
        let began = Instant::now();
        network.remove_router(&uuid("rtr")).await.unwrap();
        network.remove_network(&plan.id).await.unwrap();
        eprintln!("removed both: {:?}", began.elapsed());
    });
}
