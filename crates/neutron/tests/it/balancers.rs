//! The calls that Octavia makes, and who may pass for one of its ports.

use base::Result;
use host::plan::PortKind;
use neutron::balancers::BalancerPort;
use neutron::plane::Wakes;
use neutron::{AllocatePort, OfServer};
use serde_json::json;

use crate::cloud::{Cloud, ctx, id};

fn server(network: &str) -> AllocatePort {
    AllocatePort {
        network_id: network.into(),
        fixed_ip: None,
        security_groups: Vec::new(),
        server_id: "s1".into(),
        hostname: "vm".into(),
        availability_zone: "nova".into(),
    }
}

/// A network of the admin's that everybody may use, with a subnet.
async fn shared(cloud: &Cloud) -> (String, String) {
    let network = id(&cloud.make_as("admin", "networks", "network", json!({"shared": true})).await);
    let subnet = json!({"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24"});
    let subnet = id(&cloud.make_as("admin", "subnets", "subnet", subnet).await);
    (network, subnet)
}

async fn own(cloud: &Cloud, network: &str, subnet: &str) -> String {
    let wanted = BalancerPort {
        balancer_id: "b",
        project_id: "alice",
        network_id: network,
        addresses: &[(subnet.into(), None)],
        qos_policy_id: "",
        is_leg: false,
    };
    let made: Result<_> =
        db::write!(cloud.db, |tx| cloud.app.create_balancer_port(tx, &ctx("alice"), &wanted).await);
    made.unwrap().0.id
}

async fn give(cloud: &Cloud, port: &str) -> Result<()> {
    let bound: Result<_> =
        db::write!(cloud.db, |tx| cloud.app.bind_vip(tx, &ctx("alice"), port, "b", "").await);
    bound.map(drop)
}

async fn release(cloud: &Cloud, port: &str, own: bool) {
    let released: Result<Wakes> =
        db::write!(cloud.db, |tx| cloud.app.release_vip(tx, &ctx("alice"), "b", port, own).await);
    released.unwrap();
}

#[tokio::test]
async fn a_machines_port_is_judged_whatever_its_owner_says_of_it() {
    let cloud = Cloud::start().await;
    let (network, _) = shared(&cloud).await;
    let view = cloud.app.allocate_port(&ctx("alice"), server(&network)).await.unwrap();
    let path = format!("/v2.0/ports/{}", view.id);
    let judged = async || {
        cloud.app.ensure_plugged(std::slice::from_ref(&network)).await.unwrap();
        cloud.host.port(&network, &view.id).unwrap()
    };
    let before = judged().await;
    assert!(before.kind == PortKind::Vm && before.port_security);
    for device in ["s1", "lb-b", ""] {
        let body = json!({"port": {"device_owner": "Octavia", "device_id": device}});
        cloud.put("alice", &path, body).await.ok(200);
        let after = judged().await;
        assert!(after.port_security, "{device}");
        assert_eq!(after.rules, before.rules);
    }
    let body = json!({"port": {"device_owner": "network:dhcp"}});
    cloud.put("alice", &path, body).await.refused(403, "PolicyNotAuthorized");
    // Nobody seems to have it, but a machine does.
    let body = json!({"port": {"device_owner": "", "device_id": ""}});
    cloud.put("alice", &path, body).await.ok(200);
    assert_eq!(give(&cloud, &view.id).await.unwrap_err().code, "PortInUse");
}

#[tokio::test]
async fn a_load_balancers_port_is_its_own_whatever_its_owner_says_of_it() {
    let cloud = Cloud::start().await;
    let (network, subnet) = shared(&cloud).await;
    let port = own(&cloud, &network, &subnet).await;
    let path = format!("/v2.0/ports/{port}");
    let body = json!({"port": {"device_owner": "compute:nova", "device_id": "s1"}});
    cloud.put("alice", &path, body).await.ok(200);
    cloud.app.ensure_plugged(std::slice::from_ref(&network)).await.unwrap();
    let plan = cloud.host.port(&network, &port).unwrap();
    assert!(plan.kind == PortKind::Vm && !plan.port_security);
    // A machine with it would be judged by nobody.
    assert!(cloud.app.ports_of(&[OfServer { id: "s1", project_id: "alice" }]).await.unwrap().is_empty());
    for device in ["s1", ""] {
        let body = json!({"port": {"device_owner": "", "device_id": device}});
        cloud.put("alice", &path, body).await.ok(200);
        let refused = cloud.app.bind_port(&ctx("alice"), &port, "s1", "vm", "nova").await;
        assert_eq!(refused.unwrap_err().code, "PortInUse");
    }
    let router = id(&cloud.make("routers", "router", json!({})).await);
    let add = format!("/v2.0/routers/{router}/add_router_interface");
    cloud.put("alice", &add, json!({"port_id": port})).await.refused(409, "PortInUse");
    let trunk = json!({"trunk": {"port_id": port}});
    cloud.post("alice", "/v2.0/trunks", trunk).await.refused(409, "PortInUse");
    release(&cloud, &port, true).await;
    cloud.get("alice", &path).await.refused(404, "PortNotFound");
}

#[tokio::test]
async fn a_port_that_was_given_to_a_load_balancer_is_judged_again_afterwards() {
    let cloud = Cloud::start().await;
    let (network, _) = shared(&cloud).await;
    let port = id(&cloud.port(&network).await);
    give(&cloud, &port).await.unwrap();
    assert_eq!(give(&cloud, &port).await.unwrap_err().code, "PortInUse");
    release(&cloud, &port, false).await;
    cloud.app.bind_port(&ctx("alice"), &port, "s1", "vm", "nova").await.unwrap();
    cloud.app.ensure_plugged(std::slice::from_ref(&network)).await.unwrap();
    let plan = cloud.host.port(&network, &port).unwrap();
    assert!(plan.kind == PortKind::Vm && plan.port_security);
    // It is a server's now.
    release(&cloud, &port, true).await;
    cloud.get("alice", &format!("/v2.0/ports/{port}")).await.ok(200);
}
