//! What one project may do with another's things that it can see.

use reqwest::Method;
use serde_json::json;
use testkit::{Client, Cloud, PASSWORD, poll, text};

use crate::fixture::Fixture;

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_anothers_server_is_shared_with_its_project() {
    let cloud = Cloud::start().await;
    let fixture = Fixture::make(&cloud).await;
    let action = format!("/compute/v2.1/servers/{}/action", fixture.id("compute", "servers"));
    let made = fixture.admin.post(&action, json!({"createImage": {"name": "by an admin"}})).await.expect(202);
    let image = format!("/image/v2/images/{}", text(&made["image_id"]));
    let members = fixture.admin.get(&format!("{image}/members")).await.expect(200);
    assert_eq!(members["members"][0]["member_id"], fixture.owner.project_id.as_str(), "{members}");
    assert_eq!(members["members"].as_array().map(Vec::len), Some(1), "{members}");
    let shown = fixture.owner.get(&image).await.expect(200);
    assert_eq!(shown["visibility"], "shared");
    assert_eq!(shown["owner"], fixture.admin.project_id.as_str());
    assert_eq!(shown.get("instance_owner"), None);
    cloud.member("stranger").await.get(&image).await.expect(404);
    // An image of one's own server is one's own.
    poll("the first image", 20, async || {
        (fixture.admin.get(&image).await.expect(200)["status"] == "active").then_some(())
    })
    .await;
    let own = fixture.owner.post(&action, json!({"createImage": {"name": "by its owner"}})).await.expect(202);
    let own = fixture.owner.get(&format!("/image/v2/images/{}", text(&own["image_id"]))).await.expect(200);
    assert_eq!(own["visibility"], "private");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_networks_owner_removes_strangers_ports_and_does_not_change_them() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (owner, guest) = (cloud.member("owner").await, cloud.member("guest").await);
    let network = owner.post("/network/v2.0/networks", json!({"network": {"name": "n"}})).await.expect(201);
    let network = text(&network["network"]["id"]);
    let shared = json!({"rbac_policy": {
        "object_type": "network", "object_id": network, "action": "access_as_shared", "target_tenant": guest.project_id,
    }});
    owner.post("/network/v2.0/rbac-policies", shared).await.expect(201);
    let port = json!({"port": {"network_id": network}});
    let port = guest.post("/network/v2.0/ports", port).await.expect(201);
    let port = format!("/network/v2.0/ports/{}", text(&port["port"]["id"]));
    owner.get(&port).await.expect(200);
    let change = json!({"port": {"name": "mine now"}});
    let refused = owner.put(&port, change.clone()).await.expect(403);
    assert_eq!(refused["NeutronError"]["type"], "PolicyNotAuthorized");
    guest.put(&port, change.clone()).await.expect(200);
    admin.put(&port, change).await.expect(200);
    owner.delete(&port).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_qos_policy_is_its_owners_to_change() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (owner, guest) = (manager(&cloud, "owner").await, manager(&cloud, "guest").await);
    let made =
        owner.post("/network/v2.0/qos/policies", json!({"policy": {"name": "slow"}})).await.expect(201);
    let path = format!("/network/v2.0/qos/policies/{}", text(&made["policy"]["id"]));
    let rules = format!("{path}/bandwidth_limit_rules");
    let rule = json!({"bandwidth_limit_rule": {"max_kbps": 1000}});
    guest.get(&path).await.expect(404);
    // As Neutron: whoever makes something is told what the policy says, seen or not.
    guest.post(&rules, rule.clone()).await.expect(403);
    admin.put(&path, json!({"policy": {"shared": true}})).await.expect(200);
    guest.get(&path).await.expect(200);
    guest.post(&rules, rule.clone()).await.expect(403);
    guest.put(&path, json!({"policy": {"name": "fast"}})).await.expect(403);
    let made = owner.post(&rules, rule.clone()).await.expect(201);
    let one = format!("{rules}/{}", text(&made["bandwidth_limit_rule"]["id"]));
    guest.put(&one, rule.clone()).await.expect(403);
    guest.delete(&one).await.expect(403);
    owner.put(&one, rule).await.expect(200);
    owner.delete(&one).await.expect(204);
    guest.delete(&path).await.expect(403);
    owner.delete(&path).await.expect(204);
}

/// A fresh project's manager.
async fn manager(cloud: &Cloud, name: &str) -> Client {
    let admin = cloud.admin().await;
    let member = cloud.member(name).await;
    let roles = admin.get("/identity/v3/roles?name=manager").await.expect(200);
    let (project, user, role) = (&member.project_id, &member.user_id, text(&roles["roles"][0]["id"]));
    let path = format!("/identity/v3/projects/{project}/users/{user}/roles/{role}");
    admin.call(Method::PUT, &path, None).await.expect(204);
    Client::login(&cloud.url, name, PASSWORD, name).await
}
