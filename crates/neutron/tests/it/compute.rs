//! The calls that Nova makes.

use host::plan::PortKind;
use neutron::{AllocatePort, OfServer};
use serde_json::json;

use crate::cloud::{Cloud, addresses, ctx, id};

fn request(network: &str, server: &str) -> AllocatePort {
    AllocatePort {
        network_id: network.into(),
        fixed_ip: None,
        security_groups: Vec::new(),
        server_id: server.into(),
        hostname: "vm".into(),
        availability_zone: "nova".into(),
    }
}

#[tokio::test]
async fn a_servers_port_is_made_plugged_and_deleted() {
    let cloud = Cloud::start().await;
    let alice = ctx("alice");
    let (network, _, _) = cloud.behind_router("10.0.0.0/24").await;
    let view = cloud.app.allocate_port(&alice, request(&network, "s1")).await.unwrap();
    assert_eq!((view.device_owner.as_str(), view.status.as_str()), ("compute:nova", "DOWN"));
    assert_eq!((view.network_name.as_str(), view.mtu), ("inner", 1450));
    assert!(view.created_by_nova && view.port_security);
    assert_eq!(view.security_groups[0].1, "default");
    let ip = &view.fixed_ips[0];
    assert_eq!((ip.prefix, ip.gateway.unwrap().to_string().as_str(), ip.dhcp), (24, "10.0.0.1", true));
    cloud.app.ensure_plugged(std::slice::from_ref(&network)).await.unwrap();
    let plan = cloud.host.port(&network, &view.id).unwrap();
    assert_eq!(
        (plan.kind, plan.hostname.as_str(), plan.mac.as_str()),
        (PortKind::Vm, "vm", view.mac.as_str())
    );

    cloud.app.set_port_status(std::slice::from_ref(&view.id), true).await.unwrap();
    let path = format!("/v2.0/ports/{}", view.id);
    let shown = cloud.get("admin", &path).await.ok(200)["port"].clone();
    assert_eq!((&shown["status"], &shown["binding:host_id"]), (&json!("ACTIVE"), &json!("box")));
    assert_eq!((&shown["binding:vif_type"], &shown["device_id"]), (&json!("tap"), &json!("s1")));
    let floating = json!({"floating_network_id": cloud.public, "port_id": view.id});
    let floating = cloud.make("floatingips", "floatingip", floating).await;
    let of = |id, project_id| OfServer { id, project_id };
    // Whoever owns a port may write any server's id into it.
    assert!(cloud.app.ports_of(&[of("s1", "bob")]).await.unwrap().is_empty());
    let of = cloud.app.ports_of(&[of("s1", "alice"), of("s2", "alice")]).await.unwrap();
    assert_eq!((of.len(), of["s1"].len()), (1, 1));
    let led = of["s1"][0].fixed_ips[0].floating.unwrap().to_string();
    assert_eq!(led, floating["floating_ip_address"].as_str().unwrap());
    assert_eq!(cloud.app.port_for_metadata(&view.id).await.unwrap().unwrap().device_id, "s1");

    cloud.app.delete_port(&alice, &view.id).await.unwrap();
    cloud.app.delete_port(&alice, &view.id).await.unwrap();
    cloud.app.ensure_plugged(std::slice::from_ref(&network)).await.unwrap();
    assert!(cloud.host.port(&network, &view.id).is_none());
    assert!(cloud.app.port_for_metadata(&view.id).await.unwrap().is_none());
}

#[tokio::test]
async fn an_existing_port_is_given_and_taken() {
    let cloud = Cloud::start().await;
    let alice = ctx("alice");
    let network = cloud.network("n").await;
    cloud.subnet(&network, "10.0.0.0/24").await;
    let port = cloud.port(&network).await;
    let port_id = id(&port);
    let view = cloud.app.bind_port(&alice, &port_id, "s1", "vm", "nova").await.unwrap();
    assert_eq!(view.fixed_ips[0].address.to_string(), addresses(&port)[0]);
    assert!(!view.created_by_nova);
    let error = cloud.app.bind_port(&alice, &port_id, "s2", "vm", "nova").await.unwrap_err();
    assert_eq!((error.kind.status(), error.code), (409, "PortInUse"));
    cloud.app.bind_port(&alice, &port_id, "s1", "vm", "nova").await.unwrap();
    let error = cloud.app.bind_port(&ctx("bob"), &port_id, "s3", "vm", "nova").await.unwrap_err();
    assert!(error.is_not_found());
    cloud.app.unbind_port(&alice, &port_id).await.unwrap();
    let free = cloud.app.port(&alice, &port_id).await.unwrap();
    assert_eq!((free.device_id.as_str(), free.device_owner.as_str(), free.status.as_str()), ("", "", "DOWN"));
    cloud.app.unbind_port(&alice, "gone").await.unwrap();
}

#[tokio::test]
async fn networks_for_servers() {
    let cloud = Cloud::start().await;
    let alice = ctx("alice");
    assert!(cloud.app.default_networks(&alice).await.unwrap().is_empty());
    let network = cloud.network("n").await;
    let shared = id(&cloud.make_as("admin", "networks", "network", json!({"shared": true})).await);
    cloud.make_as("bob", "networks", "network", json!({})).await;
    let mut found: Vec<String> =
        cloud.app.default_networks(&alice).await.unwrap().into_iter().map(|n| n.id).collect();
    found.sort();
    let mut wanted = [network, shared];
    wanted.sort();
    assert_eq!(found, wanted);
    assert!(cloud.app.network(&alice, &cloud.public).await.unwrap().external);
    let error = cloud.app.allocate_port(&alice, request(&cloud.public, "s")).await.unwrap_err();
    assert_eq!(error.kind.status(), 403);
    assert!(cloud.app.network(&alice, "nothing").await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn security_groups_by_name_or_id() {
    let cloud = Cloud::start().await;
    let alice = ctx("alice");
    let group = id(&cloud.make("security-groups", "security_group", json!({"name": "g"})).await);
    let ids =
        cloud.app.security_group_ids(&alice, &["default".into(), "g".into(), group.clone()]).await.unwrap();
    assert_eq!((ids.len(), &ids[1]), (2, &group));
    assert_eq!(cloud.app.security_group_ids(&alice, &["x".into()]).await.unwrap_err().kind.status(), 404);
    cloud.make("security-groups", "security_group", json!({"name": "g"})).await;
    assert_eq!(cloud.app.security_group_ids(&alice, &["g".into()]).await.unwrap_err().kind.status(), 409);
    assert!(
        cloud
            .app
            .security_group_ids(&ctx("bob"), std::slice::from_ref(&group))
            .await
            .unwrap_err()
            .is_not_found()
    );
    let mut asked = request(&cloud.network("n").await, "s");
    asked.security_groups = vec![group.clone()];
    let view = cloud.app.allocate_port(&alice, asked).await.unwrap();
    assert_eq!(view.security_groups, [(group, "g".to_owned())]);
}

#[tokio::test]
async fn a_host_that_fails_is_told_and_tried_again() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    cloud.until("applied", || async { cloud.host.network(&network).is_some() }).await;
    *cloud.host.failing.lock().unwrap() = Some("nft is missing".into());
    let error = cloud.app.ensure_plugged(std::slice::from_ref(&network)).await.unwrap_err();
    assert!(error.to_string().contains("nft is missing"), "{error}");
    cloud.delete("alice", &format!("/v2.0/networks/{network}")).await.ok(204);
    *cloud.host.failing.lock().unwrap() = None;
    cloud.until("removed once the host is well", || async { cloud.host.network(&network).is_none() }).await;
}

#[tokio::test]
async fn the_external_network_is_made_once() {
    let cloud = Cloud::start().await;
    let ip = |text: &str| text.parse().unwrap();
    let again = cloud
        .app
        .ensure_external(
            &base::Ctx::internal("test"),
            "public",
            "172.24.4.0/24".parse().unwrap(),
            ip("172.24.4.1"),
            (ip("172.24.4.2"), ip("172.24.4.254")),
            None,
        )
        .await
        .unwrap();
    assert_eq!(again, cloud.public);
    let listed = cloud.get("alice", "/v2.0/networks?router:external=true").await.ok(200);
    assert_eq!(listed["networks"].as_array().unwrap().len(), 1);
    assert_eq!(listed["networks"][0]["name"], "public");
}
