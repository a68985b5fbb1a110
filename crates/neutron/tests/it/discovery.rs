use serde_json::json;

use crate::cloud::{Cloud, id, ids};

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
    let providers = cloud.get("alice", "/v2.0/service-providers").await.ok(200);
    assert_eq!(providers["service_providers"][0]["service_type"], "L3_ROUTER_NAT");
    assert_eq!(cloud.get("alice", "/v2.0/agents").await.ok(200), json!({"agents": []}));
    let agents = cloud.get("admin", "/v2.0/agents?agent_type=L3%20agent").await.ok(200);
    let agent = &agents["agents"][0];
    assert_eq!((&agent["host"], &agent["alive"]), (&json!("box"), &json!(true)));
    let path = format!("/v2.0/agents/{}", agent["id"].as_str().unwrap());
    let updated = cloud.put("admin", &path, json!({"agent": {"description": "mine"}})).await.ok(200);
    assert_eq!(updated["agent"]["description"], "mine");
    cloud.get("admin", "/v2.0/agents/nobody").await.refused(404, "AgentNotFound");
}

async fn agent(cloud: &Cloud, kind: &str) -> String {
    let agents = cloud.get("admin", &format!("/v2.0/agents?agent_type={kind}%20agent")).await.ok(200);
    id(&agents["agents"][0])
}

#[tokio::test]
async fn the_dhcp_agent_serves_what_an_admin_leaves_to_it() {
    let cloud = Cloud::start().await;
    let (dhcp, l3) = (agent(&cloud, "DHCP").await, agent(&cloud, "L3").await);
    let bare = cloud.network("bare").await;
    let network = cloud.network("n").await;
    cloud.subnet(&network, "10.0.0.0/24").await;
    let path = format!("/v2.0/agents/{dhcp}/dhcp-networks");
    let hosted = async || ids(&cloud.get("admin", &path).await.ok(200)["networks"]);
    let hosting = async |network: &str| {
        ids(&cloud.get("admin", &format!("/v2.0/networks/{network}/dhcp-agents")).await.ok(200)["agents"])
    };
    assert_eq!((hosted().await, hosting(&network).await), (vec![network.clone()], vec![dhcp.clone()]));
    assert_eq!(hosting(&bare).await, [""; 0]);
    assert_eq!(cloud.get("alice", &path).await.status, 403);
    let others = cloud.get("admin", &format!("/v2.0/agents/{l3}/dhcp-networks")).await.ok(200);
    assert_eq!(others, json!({"networks": []}));

    let dhcp_ports = format!("/v2.0/ports?network_id={network}&device_owner=network:dhcp");
    let served = async || {
        cloud.app.ensure_plugged(std::slice::from_ref(&network)).await.unwrap();
        let ports = cloud.get("admin", &dhcp_ports).await.ok(200)["ports"].as_array().unwrap().len();
        (ports, cloud.host.network(&network).unwrap().subnets[0].dhcp_address.is_some())
    };
    assert_eq!(served().await, (1, true));
    let one = format!("{path}/{network}");
    cloud.delete("admin", &one).await.ok(204);
    cloud.delete("admin", &one).await.refused(409, "NetworkNotHostedByDhcpAgent");
    assert_eq!((hosted().await, served().await), (vec![], (0, false)));
    // A change of its subnets does not bring it back.
    cloud.subnet(&network, "10.0.1.0/24").await;
    assert_eq!(served().await, (0, false));
    let add = |network: &str| json!({ "network_id": network });
    cloud.post("admin", &path, json!({})).await.refused(400, "HTTPBadRequest");
    cloud.post("admin", &path, add("nowhere")).await.refused(404, "NetworkNotFound");
    let wrong = cloud.post("admin", &format!("/v2.0/agents/{l3}/dhcp-networks"), add(&network)).await;
    wrong.refused(404, "InvalidDHCPAgent");
    cloud.post("admin", &path, add(&network)).await.ok(201);
    cloud.post("admin", &path, add(&network)).await.refused(409, "NetworkHostedByDHCPAgent");
    assert_eq!(served().await, (1, true));
    cloud.post("admin", &path, add(&bare)).await.ok(201);
    assert_eq!(hosted().await, [bare, network]);
}

#[tokio::test]
async fn the_l3_agent_carries_what_an_admin_leaves_to_it() {
    let cloud = Cloud::start().await;
    let (dhcp, l3) = (agent(&cloud, "DHCP").await, agent(&cloud, "L3").await);
    let bare = id(&cloud.make("routers", "router", json!({})).await);
    let (_, _, router) = cloud.behind_router("10.0.0.0/24").await;
    let path = format!("/v2.0/agents/{l3}/l3-routers");
    let hosted = async || ids(&cloud.get("admin", &path).await.ok(200)["routers"]);
    assert_eq!(hosted().await, std::slice::from_ref(&router));
    let up = async |is: bool| {
        cloud
            .until("the router is up or down", || async {
                cloud.host.router(&router).is_some_and(|r| r.admin_up == is)
            })
            .await;
    };
    up(true).await;
    let one = format!("{path}/{router}");
    cloud.delete("admin", &one).await.ok(204);
    cloud.delete("admin", &one).await.refused(409, "RouterNotHostedByL3Agent");
    up(false).await;
    assert_eq!(hosted().await, [""; 0]);
    let add = |router: &str| json!({ "router_id": router });
    let wrong = cloud.post("admin", &format!("/v2.0/agents/{dhcp}/l3-routers"), add(&router)).await;
    wrong.refused(404, "InvalidL3Agent");
    cloud.post("admin", &path, add("nowhere")).await.refused(404, "RouterNotFound");
    for _ in 0..2 {
        cloud.post("admin", &path, add(&router)).await.ok(201);
    }
    up(true).await;
    cloud.post("admin", &path, add(&bare)).await.ok(201);
    assert_eq!(hosted().await, [bare.clone(), router]);
    let agents = cloud.get("admin", &format!("/v2.0/routers/{bare}/l3-agents")).await.ok(200);
    assert_eq!(agents["agents"][0]["id"], json!(l3));
    cloud
        .put("admin", &format!("/v2.0/agents/{l3}"), json!({"agent": {"admin_state_up": false}}))
        .await
        .ok(200);
    cloud.post("admin", &path, add(&bare)).await.refused(404, "InvalidL3Agent");
}
