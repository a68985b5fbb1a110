use serde_json::json;

use crate::cloud::{Cloud, id};

#[tokio::test]
async fn tags_are_set_added_and_removed() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    let path = format!("/v2.0/networks/{network}/tags");
    assert_eq!(
        cloud.put("alice", &path, json!({"tags": ["a", "b"]})).await.ok(200),
        json!({"tags": ["a", "b"]})
    );
    assert_eq!(cloud.put("alice", &format!("{path}/c"), json!(null)).await.status, 201);
    assert_eq!(cloud.get("alice", &path).await.ok(200), json!({"tags": ["a", "b", "c"]}));
    assert_eq!(cloud.get("alice", &format!("{path}/a")).await.status, 204);
    cloud.get("alice", &format!("{path}/z")).await.refused(404, "TagNotFound");
    assert_eq!(cloud.delete("alice", &format!("{path}/b")).await.status, 204);
    cloud.delete("alice", &format!("{path}/b")).await.refused(404, "TagNotFound");
    let shown = cloud.get("alice", &format!("/v2.0/networks/{network}")).await.ok(200);
    assert_eq!(
        (&shown["network"]["tags"], &shown["network"]["revision_number"]),
        (&json!(["a", "c"]), &json!(3))
    );
    let found = async |query: &str| {
        cloud.get("alice", &format!("/v2.0/networks?{query}")).await.ok(200)["networks"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(found("tags=a,c").await, 1);
    assert_eq!(found("tags=a,b").await, 0);
    assert_eq!(found("tags-any=a,b").await, 1);
    assert_eq!(found("not-tags-any=a&project_id=alice").await, 0);
    assert_eq!(cloud.delete("alice", &path).await.status, 204);
    assert_eq!(cloud.get("alice", &path).await.ok(200), json!({"tags": []}));
    cloud.put("alice", &path, json!({"tags": ["a", "a"]})).await.refused(400, "InvalidInput");
    cloud.put("alice", &path, json!({"tags": "a"})).await.refused(400, "InvalidInput");
    cloud.put("alice", &path, json!({})).await.refused(400, "InvalidInput");
    cloud.put("alice", &path, json!({"tags": ["x".repeat(256)]})).await.refused(400, "InvalidInput");
}

#[tokio::test]
async fn everything_can_be_tagged_in_both_spellings() {
    let cloud = Cloud::start().await;
    let (network, subnet, router) = cloud.behind_router("10.0.0.0/24").await;
    let port = id(&cloud.port(&network).await);
    let group = id(&cloud.make("security-groups", "security_group", json!({"name": "g"})).await);
    let ip = json!({"floating_network_id": cloud.public});
    let ip = id(&cloud.make("floatingips", "floatingip", ip).await);
    for (collection, id) in [
        ("subnets", &subnet),
        ("routers", &router),
        ("ports", &port),
        ("floatingips", &ip),
        ("security-groups", &group),
        ("security_groups", &group),
    ] {
        let path = format!("/v2.0/{collection}/{id}/tags");
        cloud.put("alice", &path, json!({"tags": ["t"]})).await.ok(200);
        assert_eq!(cloud.put("bob", &path, json!({"tags": ["t"]})).await.status, 404);
        assert_eq!(cloud.put("rita", &path, json!({"tags": ["t"]})).await.status, 403);
    }
    let shared = format!("/v2.0/networks/{}/tags", cloud.public);
    cloud.put("alice", &shared, json!({"tags": ["t"]})).await.refused(403, "PolicyNotAuthorized");
}
