//! Networks for who asks for nothing in particular.

use serde_json::json;

use crate::cloud::{Cloud, id};

const PATH: &str = "/v2.0/auto-allocated-topology/alice";

async fn pool(cloud: &Cloud) {
    let pool =
        json!({"name": "d", "prefixes": ["10.32.0.0/12"], "is_default": true, "default_prefixlen": 26});
    cloud.make_as("admin", "subnetpools", "subnetpool", pool).await;
}

/// What alice has of the things that are made by themselves: networks, subnets, routers.
async fn made(cloud: &Cloud) -> [usize; 3] {
    let mut counts = [0; 3];
    for (count, collection) in counts.iter_mut().zip(["networks", "subnets", "routers"]) {
        let listed = cloud.get("alice", &format!("/v2.0/{collection}?project_id=alice")).await.ok(200);
        *count = listed[collection].as_array().unwrap().len();
    }
    counts
}

#[tokio::test]
async fn a_project_gets_a_network_behind_a_router_once() {
    let cloud = Cloud::start().await;
    let dry = format!("{PATH}?fields=dry-run");
    let message = cloud.get("alice", &dry).await.refused(409, "AutoAllocationFailure");
    assert_eq!(message, "Deployment error: No default subnetpools defined.");
    let message = cloud.get("alice", PATH).await.refused(409, "AutoAllocationFailure");
    assert_eq!(message, "Deployment error: Unable to provide tenant private network.");
    assert_eq!(made(&cloud).await, [0, 0, 0]);

    pool(&cloud).await;
    let passed = cloud.get("alice", &dry).await.ok(200);
    let expected = json!({"id": "dry-run=pass", "tenant_id": "alice", "project_id": "alice"});
    assert_eq!(passed["auto_allocated_topology"], expected);
    assert_eq!(made(&cloud).await, [0, 0, 0]);
    cloud.get("alice", &format!("{PATH}?fields=name")).await.refused(400, "BadRequest");
    cloud.get("bob", PATH).await.refused(403, "NotAuthorized");

    let network = id(&cloud.get("alice", PATH).await.ok(200)["auto_allocated_topology"]);
    assert_eq!(made(&cloud).await, [1, 1, 1]);
    let none = cloud.get("alice", "/v2.0/auto-allocated-topology/None").await.ok(200);
    assert_eq!(none["auto_allocated_topology"]["id"], json!(network));
    let subnets = cloud.get("alice", &format!("/v2.0/subnets?network_id={network}")).await.ok(200);
    assert_eq!(subnets["subnets"][0]["cidr"], "10.32.0.0/26");
    let router =
        cloud.get("alice", "/v2.0/routers?name=auto_allocated_router").await.ok(200)["routers"][0].clone();
    assert_eq!(router["external_gateway_info"]["network_id"], json!(cloud.public));
    let path = format!("/v2.0/routers/{}", id(&router));
    cloud.until_shows(&path, "/router/status", json!("ACTIVE")).await;
    assert_eq!(cloud.host.router(&id(&router)).unwrap().interfaces.len(), 1);
    // Another project's is another part of the pool.
    cloud.get("bob", "/v2.0/auto-allocated-topology/bob").await.ok(200);
    let subnets = cloud.get("bob", "/v2.0/subnets?name=auto_allocated_subnet_v4").await.ok(200);
    assert_eq!(subnets["subnets"][0]["cidr"], "10.32.0.64/26");

    let port = id(&cloud.port(&network).await);
    cloud.delete("alice", PATH).await.refused(409, "NetworkInUse");
    assert_eq!(made(&cloud).await, [1, 1, 1]);
    cloud.delete("alice", &format!("/v2.0/ports/{port}")).await.ok(204);
    cloud.delete("bob", PATH).await.refused(403, "NotAuthorized");
    cloud.delete("alice", PATH).await.ok(204);
    cloud.delete("alice", PATH).await.ok(204);
    assert_eq!(made(&cloud).await, [0, 0, 0]);
    let again = id(&cloud.get("admin", PATH).await.ok(200)["auto_allocated_topology"]);
    assert_ne!(again, network);
}

#[tokio::test]
async fn parts_that_were_taken_away_by_hand_are_not_missed() {
    let cloud = Cloud::start().await;
    pool(&cloud).await;
    let network = id(&cloud.get("alice", PATH).await.ok(200)["auto_allocated_topology"]);
    let router = cloud.get("alice", "/v2.0/routers").await.ok(200)["routers"][0]["id"].clone();
    let router = format!("/v2.0/routers/{}", router.as_str().unwrap());
    let subnet = cloud.get("alice", "/v2.0/subnets?name=auto_allocated_subnet_v4").await.ok(200);
    let interface = json!({"subnet_id": subnet["subnets"][0]["id"]});
    cloud.put("alice", &format!("{router}/remove_router_interface"), interface).await.ok(200);
    cloud.delete("alice", &router).await.ok(204);
    assert_eq!(cloud.get("alice", PATH).await.ok(200)["auto_allocated_topology"]["id"], json!(network));
    cloud.delete("alice", PATH).await.ok(204);
    let network = id(&cloud.get("alice", PATH).await.ok(200)["auto_allocated_topology"]);
    let router = cloud.get("alice", "/v2.0/routers").await.ok(200)["routers"][0].clone();
    let subnet = cloud.get("alice", &format!("/v2.0/subnets?network_id={network}")).await.ok(200);
    let interface = json!({"subnet_id": subnet["subnets"][0]["id"]});
    let path = format!("/v2.0/routers/{}/remove_router_interface", id(&router));
    cloud.put("alice", &path, interface).await.ok(200);
    cloud.delete("alice", &format!("/v2.0/networks/{network}")).await.ok(204);
    // Without its network there is none: the next one is made anew.
    let other = id(&cloud.get("alice", PATH).await.ok(200)["auto_allocated_topology"]);
    assert_ne!(other, network);
}

#[tokio::test]
async fn a_quota_that_is_used_up_says_so_and_nothing_is_left_over() {
    let cloud = Cloud::start().await;
    pool(&cloud).await;
    cloud.put("admin", "/v2.0/quotas/alice", json!({"quota": {"router": 0}})).await.ok(200);
    cloud.get("alice", PATH).await.refused(409, "OverQuota");
    assert_eq!(made(&cloud).await, [0, 0, 0]);
}

#[tokio::test]
async fn there_is_one_default_external_network() {
    let cloud = Cloud::start().await;
    pool(&cloud).await;
    let second = json!({"network": {"router:external": true, "is_default": true}});
    cloud.post("admin", "/v2.0/networks", second).await.refused(409, "DefaultExternalNetworkExists");
    let other = id(&cloud.make_as("admin", "networks", "network", json!({"router:external": true})).await);
    let path = format!("/v2.0/networks/{other}");
    let default = |is: bool| json!({"network": {"is_default": is}});
    cloud.put("admin", &path, default(true)).await.refused(409, "DefaultExternalNetworkExists");
    cloud.put("admin", &format!("/v2.0/networks/{}", cloud.public), default(false)).await.ok(200);
    let message = cloud.get("alice", PATH).await.refused(409, "AutoAllocationFailure");
    assert_eq!(message, "Deployment error: No default router:external network.");
    let shown = cloud.put("admin", &path, default(true)).await.ok(200);
    assert_eq!(shown["network"]["is_default"], true);
    // Said again, it is no second one.
    cloud.put("admin", &path, default(true)).await.ok(200);
    assert_eq!(
        cloud.get("alice", "/v2.0/networks?is_default=true").await.ok(200)["networks"][0]["id"],
        json!(other)
    );
    cloud.get("alice", PATH).await.ok(200);
    let routers = cloud.get("alice", "/v2.0/routers").await.ok(200);
    assert_eq!(routers["routers"][0]["external_gateway_info"]["network_id"], json!(other));
}
