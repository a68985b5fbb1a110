//! A load balancer from its first call to its last, as a person makes one.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Client, Cloud, poll, text};

const LBAAS: &str = "/load-balancer/v2.0/lbaas";

async fn active(client: &Client, id: &str) -> Value {
    poll("the load balancer", 20, async || {
        let shown =
            client.get(&format!("{LBAAS}/loadbalancers/{id}")).await.expect(200)["loadbalancer"].clone();
        (shown["provisioning_status"] == "ACTIVE").then_some(shown)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_with_a_floating_ip() {
    let cloud = Cloud::start().await;
    let (admin, owner) = (cloud.admin().await, cloud.member("owner").await);
    let net = |path: &str| format!("/network/v2.0/{path}");
    let made = owner.post(&net("networks"), json!({"network": {"name": "n"}})).await.expect(201);
    let network = text(&made["network"]["id"]).to_owned();
    let body = json!({"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.6.0.0/24"}});
    let subnet = text(&owner.post(&net("subnets"), body).await.expect(201)["subnet"]["id"]).to_owned();
    let external = admin.get(&net("networks?router:external=true")).await.expect(200);
    let external = text(&external["networks"][0]["id"]).to_owned();
    let router = json!({"router": {"external_gateway_info": {"network_id": external}}});
    let router = text(&owner.post(&net("routers"), router).await.expect(201)["router"]["id"]).to_owned();
    let leg = json!({ "subnet_id": subnet });
    owner.put(&net(&format!("routers/{router}/add_router_interface")), leg.clone()).await.expect(200);

    let body = json!({"loadbalancer": {"name": "lb", "vip_subnet_id": subnet}});
    let made = owner.post(&format!("{LBAAS}/loadbalancers"), body).await.expect(201);
    let lb = text(&made["loadbalancer"]["id"]).to_owned();
    let port = text(&made["loadbalancer"]["vip_port_id"]).to_owned();
    active(&owner, &lb).await;
    poll("the port of the VIP", 20, async || {
        let shown = owner.get(&net(&format!("ports/{port}"))).await.expect(200);
        (shown["port"]["status"] == "ACTIVE").then_some(())
    })
    .await;
    let body = json!({"listener": {"protocol": "HTTP", "protocol_port": 80, "loadbalancer_id": lb}});
    let made = owner.post(&format!("{LBAAS}/listeners"), body).await.expect(201);
    let listener = text(&made["listener"]["id"]).to_owned();
    // Whoever does not wait is told to.
    let body = json!({"pool": {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "listener_id": listener}});
    let answer = owner.post(&format!("{LBAAS}/pools"), body.clone()).await;
    assert!([201, 409].contains(&answer.status), "{}", answer.body);
    active(&owner, &lb).await;
    if answer.status == 409 {
        owner.post(&format!("{LBAAS}/pools"), body).await.expect(201);
        active(&owner, &lb).await;
    }
    let shown = owner.get(&format!("{LBAAS}/listeners/{listener}")).await.expect(200);
    let pool = text(&shown["listener"]["default_pool_id"]).to_owned();
    let members = json!({"members": [
        {"address": "10.6.0.11", "protocol_port": 80}, {"address": "10.6.0.12", "protocol_port": 80},
    ]});
    owner.put(&format!("{LBAAS}/pools/{pool}/members"), members).await.expect(202);
    active(&owner, &lb).await;

    let body = json!({"floatingip": {"floating_network_id": external, "port_id": port}});
    let floating = owner.post(&net("floatingips"), body).await.expect(201);
    assert_eq!(floating["floatingip"]["port_id"], port.as_str());
    // The VIP holds its subnet.
    owner.delete(&net(&format!("networks/{network}"))).await.expect(409);

    owner.delete(&format!("{LBAAS}/loadbalancers/{lb}?cascade=true")).await.expect(204);
    poll("the end of the load balancer", 20, async || {
        (owner.get(&format!("{LBAAS}/loadbalancers/{lb}")).await.status == 404).then_some(())
    })
    .await;
    owner.get(&net(&format!("ports/{port}"))).await.expect(404);
    for list in ["listeners", "pools"] {
        assert_eq!(owner.get(&format!("{LBAAS}/{list}")).await.expect(200)[list], json!([]));
    }
    owner
        .call(Method::PUT, &net(&format!("routers/{router}/remove_router_interface")), Some(leg))
        .await
        .expect(200);
    owner.delete(&net(&format!("networks/{network}"))).await.expect(204);
}
