use serde_json::json;

use crate::cloud::Cloud;

#[tokio::test]
async fn versions_need_no_token_and_name_the_mount() {
    let cloud = Cloud::start().await;
    let body = cloud.call("", "GET", "/", None).await.ok(200);
    assert_eq!(
        body,
        json!({"versions": [{"id": "v2.0", "status": "CURRENT",
            "links": [{"rel": "self", "href": "http://cloud.example:5000/network/v2.0/"}]}]})
    );
    let body = cloud.get("alice", "/v2.0").await.ok(200);
    assert!(body["resources"].as_array().unwrap().iter().any(|r| r["collection"] == "networks"));
    assert_eq!(cloud.call("", "GET", "/v2.0/networks", None).await.status, 401);
    cloud.get("alice", "/v2.0/nothing").await.refused(404, "HTTPNotFound");
}

#[tokio::test]
async fn extensions_are_listed_and_shown() {
    let cloud = Cloud::start().await;
    let body = cloud.get("alice", "/v2.0/extensions").await.ok(200);
    let aliases: Vec<&str> =
        body["extensions"].as_array().unwrap().iter().map(|e| e["alias"].as_str().unwrap()).collect();
    for needed in
        ["router", "security-group", "standard-attr-tag", "extraroute-atomic", "allowed-address-pairs"]
    {
        assert!(aliases.contains(&needed), "{needed}");
    }
    let one = cloud.get("alice", "/v2.0/extensions/router").await.ok(200);
    assert_eq!(one["extension"]["alias"], "router");
    cloud.get("alice", "/v2.0/extensions/bgp").await.refused(404, "HTTPNotFound");
}

#[tokio::test]
async fn zones_agents_and_providers() {
    let cloud = Cloud::start().await;
    let zones = cloud.get("alice", "/v2.0/availability_zones").await.ok(200);
    assert_eq!(
        zones["availability_zones"][0],
        json!({"name": "nova", "resource": "network", "state": "available"})
    );
    assert_eq!(cloud.get("alice", "/v2.0/service-providers").await.ok(200), json!({"service_providers": []}));
    assert_eq!(cloud.get("alice", "/v2.0/agents").await.ok(200), json!({"agents": []}));
    let agents = cloud.get("admin", "/v2.0/agents?agent_type=L3%20agent").await.ok(200);
    let agent = &agents["agents"][0];
    assert_eq!((&agent["host"], &agent["alive"]), (&json!("box"), &json!(true)));
    let path = format!("/v2.0/agents/{}", agent["id"].as_str().unwrap());
    let updated = cloud.put("admin", &path, json!({"agent": {"description": "mine"}})).await.ok(200);
    assert_eq!(updated["agent"]["description"], "mine");
    cloud.get("admin", "/v2.0/agents/nobody").await.refused(404, "AgentNotFound");
}
