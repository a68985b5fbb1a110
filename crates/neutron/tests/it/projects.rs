//! Who sees and changes what.

use serde_json::json;

use crate::cloud::{Cloud, id};

#[tokio::test]
async fn another_projects_things_are_not_there() {
    let cloud = Cloud::start().await;
    let (network, subnet, router) = cloud.behind_router("10.0.0.0/24").await;
    let port = id(&cloud.port(&network).await);
    let group = id(&cloud.make("security-groups", "security_group", json!({"name": "g"})).await);
    let ip = json!({"floating_network_id": cloud.public});
    let ip = id(&cloud.make("floatingips", "floatingip", ip).await);
    for (collection, member, id) in [
        ("networks", "network", &network),
        ("subnets", "subnet", &subnet),
        ("routers", "router", &router),
        ("ports", "port", &port),
        ("security-groups", "security_group", &group),
        ("floatingips", "floatingip", &ip),
    ] {
        let path = format!("/v2.0/{collection}/{id}");
        let change = json!({ member: {"description": "x"} });
        assert_eq!(cloud.get("bob", &path).await.status, 404, "{path}");
        assert_eq!(cloud.put("bob", &path, change.clone()).await.status, 404, "{path}");
        assert_eq!(cloud.delete("bob", &path).await.status, 404, "{path}");
        let listed = cloud.get("bob", &format!("/v2.0/{collection}?id={id}")).await.ok(200);
        assert_eq!(listed[collection.replace('-', "_")], json!([]), "{path}");
        // A reader of the same project sees, and changes nothing.
        cloud.get("rita", &path).await.ok(200);
        assert_eq!(cloud.put("rita", &path, change.clone()).await.status, 403, "{path}");
        assert_eq!(cloud.delete("rita", &path).await.status, 403, "{path}");
        // An admin does all.
        cloud.put("admin", &path, change).await.ok(200);
    }
    assert_eq!(cloud.post("rita", "/v2.0/networks", json!({"network": {}})).await.status, 403);
}

#[tokio::test]
async fn shared_networks_are_used_but_not_changed() {
    let cloud = Cloud::start().await;
    let shared = id(&cloud.make_as("admin", "networks", "network", json!({"shared": true})).await);
    let subnet = json!({"network_id": shared, "cidr": "10.0.0.0/24"});
    cloud.make_as("admin", "subnets", "subnet", subnet).await;
    let path = format!("/v2.0/networks/{shared}");
    cloud.put("bob", &path, json!({"network": {"name": "x"}})).await.refused(403, "PolicyNotAuthorized");
    cloud.delete("bob", &path).await.refused(403, "PolicyNotAuthorized");
    let port = cloud.make_as("bob", "ports", "port", json!({"network_id": shared})).await;
    for privileged in [
        json!({"mac_address": "fa:16:3e:00:00:01"}),
        json!({"port_security_enabled": false}),
        json!({"allowed_address_pairs": [{"ip_address": "10.0.0.9"}]}),
        json!({"fixed_ips": [{"ip_address": "10.0.0.9"}]}),
        json!({"device_owner": "network:dhcp"}),
    ] {
        let path = format!("/v2.0/ports/{}", id(&port));
        cloud.put("bob", &path, json!({ "port": privileged })).await.refused(403, "PolicyNotAuthorized");
    }
    // The network's owner sees the ports on it; another user of it does not.
    assert_eq!(
        cloud.get("alice", &format!("/v2.0/ports?network_id={shared}")).await.ok(200)["ports"],
        json!([])
    );
    let others = cloud.get("admin", &format!("/v2.0/ports?network_id={shared}")).await.ok(200);
    assert_eq!(others["ports"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_project_is_not_chosen_freely() {
    let cloud = Cloud::start().await;
    let foreign = json!({"network": {"project_id": "bob"}});
    cloud.post("alice", "/v2.0/networks", foreign.clone()).await.refused(400, "HTTPBadRequest");
    let made = cloud.post("admin", "/v2.0/networks", foreign).await.ok(201);
    assert_eq!(made["network"]["tenant_id"], "bob");
    let both = json!({"network": {"project_id": "alice", "tenant_id": "bob"}});
    cloud.post("alice", "/v2.0/networks", both).await.refused(400, "HTTPBadRequest");
    let foreign = json!({"network": {"project_id": "bob"}});
    let path = format!("/v2.0/networks/{}", id(&made["network"]));
    cloud.put("admin", &path, foreign).await.refused(400, "HTTPBadRequest");
}
