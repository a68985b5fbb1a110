use std::time::Duration;

use serde_json::{Value, json};

use crate::cloud::{Cloud, addresses, id};

async fn make(cloud: &Cloud, attributes: Value) -> crate::cloud::Answer {
    let mut ip = json!({"floating_network_id": cloud.public});
    ip.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
    cloud.post("alice", "/v2.0/floatingips", json!({ "floatingip": ip })).await
}

#[tokio::test]
async fn a_floating_ip_is_active_while_it_leads_somewhere() {
    let cloud = Cloud::start().await;
    let (network, _, router) = cloud.behind_router("10.0.0.0/24").await;
    let port = cloud.port(&network).await;
    let ip = make(&cloud, json!({"description": "d"})).await.ok(201)["floatingip"].clone();
    assert_eq!(
        (&ip["status"], &ip["port_id"], &ip["router_id"]),
        (&json!("DOWN"), &Value::Null, &Value::Null)
    );
    assert!(ip.get("name").is_none());
    let path = format!("/v2.0/floatingips/{}", id(&ip));
    let put = async |attributes: Value| cloud.put("alice", &path, json!({ "floatingip": attributes })).await;
    let led = put(json!({"port_id": id(&port)})).await.ok(200)["floatingip"].clone();
    assert_eq!((&led["fixed_ip_address"], &led["router_id"]), (&json!(addresses(&port)[0]), &json!(router)));
    assert_eq!(led["port_details"]["network_id"], json!(network));
    cloud.until_shows(&path, "/floatingip/status", json!("ACTIVE")).await;
    let plan = cloud.host.router(&router).unwrap();
    assert_eq!(plan.floating_ips[0].floating.to_string(), ip["floating_ip_address"].as_str().unwrap());
    assert_eq!(plan.floating_ips[0].fixed.to_string(), addresses(&port)[0]);
    // A change of words leaves it where it leads.
    assert_eq!(put(json!({"description": "e"})).await.ok(200)["floatingip"]["port_id"], json!(id(&port)));

    // One that says nothing takes it away, too.
    assert_eq!(put(json!({})).await.ok(200)["floatingip"]["port_id"], Value::Null);
    put(json!({"port_id": id(&port)})).await.ok(200);
    cloud.until_shows(&path, "/floatingip/status", json!("ACTIVE")).await;
    put(json!({"port_id": ""})).await.ok(200);
    cloud.until_shows(&path, "/floatingip/status", json!("DOWN")).await;
    assert!(cloud.host.router(&router).unwrap().floating_ips.is_empty());
    put(json!({"port_id": id(&port)})).await.ok(200);
    cloud.until_shows(&path, "/floatingip/status", json!("ACTIVE")).await;
    cloud.delete("alice", &format!("/v2.0/ports/{}", id(&port))).await.ok(204);
    cloud.until_shows(&path, "/floatingip/status", json!("DOWN")).await;
    cloud.delete("alice", &path).await.ok(204);
    cloud.get("alice", &path).await.refused(404, "FloatingIPNotFound");
    let left = cloud.get("admin", "/v2.0/ports?device_owner=network:floatingip").await.ok(200);
    assert_eq!(left["ports"], json!([]));
}

#[tokio::test]
async fn who_connects_after_the_answer_goes_the_new_way() {
    let cloud = Cloud::start().await;
    let (network, _, router) = cloud.behind_router("10.0.0.0/24").await;
    let (one, two) = (cloud.port(&network).await, cloud.port(&network).await);
    *cloud.host.slowness.lock().unwrap() = Duration::from_millis(300);
    let led_to = || cloud.host.router(&router).unwrap().floating_ips.first().map(|ip| ip.fixed.to_string());

    let ip = make(&cloud, json!({"port_id": id(&one)})).await.ok(201)["floatingip"].clone();
    assert_eq!((led_to(), &ip["status"]), (Some(addresses(&one)[0].clone()), &json!("ACTIVE")));
    let path = format!("/v2.0/floatingips/{}", id(&ip));
    let lead = async |to: Value| {
        let body = json!({"floatingip": {"port_id": to}});
        cloud.put("alice", &path, body).await.ok(200)["floatingip"].clone()
    };
    let moved = lead(json!(id(&two))).await;
    assert_eq!((led_to(), &moved["status"]), (Some(addresses(&two)[0].clone()), &json!("ACTIVE")));
    // What was answered is what is: its revision serves for the next change.
    assert_eq!(moved, cloud.get("alice", &path).await.ok(200)["floatingip"]);
    let freed = lead(Value::Null).await;
    assert_eq!((led_to(), &freed["status"]), (None, &json!("DOWN")));

    let forwarding = json!({
        "protocol": "tcp", "internal_port_id": id(&one), "internal_ip_address": addresses(&one)[0],
        "internal_port": 80, "external_port": 8080,
    });
    let forwardings = format!("{path}/port_forwardings");
    let forwarding = cloud.post("alice", &forwardings, json!({"port_forwarding": forwarding})).await.ok(201);
    let forwarded = || cloud.host.router(&router).unwrap().forwardings.len();
    assert_eq!(forwarded(), 1);
    let of = format!("{forwardings}/{}", id(&forwarding["port_forwarding"]));
    cloud.delete("alice", &of).await.ok(204);
    assert_eq!(forwarded(), 0);
}

#[tokio::test]
async fn a_host_that_fails_or_hangs_is_not_waited_for_long() {
    let cloud = Cloud::start().await;
    let (network, _, router) = cloud.behind_router("10.0.0.0/24").await;
    let port = cloud.port(&network).await;
    cloud
        .until("the router", async || cloud.host.router(&router).is_some_and(|r| !r.interfaces.is_empty()))
        .await;
    *cloud.host.failing.lock().unwrap() = Some("no".into());
    let ip = make(&cloud, json!({"port_id": id(&port)})).await.ok(201)["floatingip"].clone();
    assert_eq!((&ip["status"], &ip["port_id"]), (&json!("DOWN"), &json!(id(&port))));
    *cloud.host.failing.lock().unwrap() = None;
    let path = format!("/v2.0/floatingips/{}", id(&ip));
    cloud.until_shows(&path, "/floatingip/status", json!("ACTIVE")).await;
    *cloud.host.slowness.lock().unwrap() = Duration::from_secs(3600);
    let freed = cloud.put("alice", &path, json!({"floatingip": {"port_id": null}})).await.ok(200);
    assert_eq!(freed["floatingip"]["status"], "ACTIVE");
}

#[tokio::test]
async fn mistakes_are_refused_by_name() {
    let cloud = Cloud::start().await;
    let (network, subnet, _) = cloud.behind_router("10.0.0.0/24").await;
    let port = id(&cloud.port(&network).await);
    let apart = cloud.network("apart").await;
    cloud.subnet(&apart, "10.1.0.0/24").await;
    let unreachable = id(&cloud.port(&apart).await);
    let two = json!({"network_id": network, "fixed_ips": [{"subnet_id": subnet}, {"subnet_id": subnet}]});
    let two = cloud.make("ports", "port", two).await;
    let bare = id(&cloud.make("ports", "port", json!({"network_id": network, "fixed_ips": []})).await);
    make(&cloud, json!({"port_id": port})).await.ok(201);
    for (attributes, status, kind) in [
        (json!({"floating_network_id": network}), 400, "BadRequest"),
        (json!({"floating_network_id": port}), 404, "NetworkNotFound"),
        (json!({"floating_ip_address": "172.24.4.77"}), 403, "PolicyNotAuthorized"),
        (json!({"fixed_ip_address": "10.0.0.3"}), 400, "BadRequest"),
        (json!({"port_id": network}), 404, "PortNotFound"),
        (json!({"port_id": unreachable}), 404, "ExternalGatewayForFloatingIPNotFound"),
        (json!({"port_id": id(&two)}), 400, "BadRequest"),
        (json!({"port_id": bare}), 400, "BadRequest"),
        (json!({"port_id": port, "fixed_ip_address": "10.0.0.200"}), 400, "BadRequest"),
        (json!({"port_id": port}), 409, "FloatingIPPortAlreadyAssociated"),
        (json!({"router_id": port}), 400, "HTTPBadRequest"),
    ] {
        make(&cloud, attributes).await.refused(status, kind);
    }
    let second = json!({"port_id": id(&two), "fixed_ip_address": addresses(&two)[1]});
    make(&cloud, second).await.ok(201);
    // Nothing of the refused ones stays.
    let held = cloud.get("admin", "/v2.0/ports?device_owner=network:floatingip").await.ok(200);
    assert_eq!(held["ports"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_a_floating_ip_needs_stays() {
    let cloud = Cloud::start().await;
    let (network, subnet, router) = cloud.behind_router("10.0.0.0/24").await;
    let port = id(&cloud.port(&network).await);
    make(&cloud, json!({"port_id": port})).await.ok(201);
    let path = format!("/v2.0/routers/{router}");
    cloud
        .put("alice", &format!("{path}/remove_router_interface"), json!({ "subnet_id": subnet }))
        .await
        .refused(409, "RouterInterfaceInUseByFloatingIP");
    cloud
        .put("alice", &path, json!({"router": {"external_gateway_info": {}}}))
        .await
        .refused(409, "RouterExternalGatewayInUseByFloatingIp");
    let stays = json!({"router": {"external_gateway_info": {"network_id": cloud.public}}});
    cloud.put("alice", &path, stays).await.ok(200);
}

#[tokio::test]
async fn lists_are_filtered() {
    let cloud = Cloud::start().await;
    let (network, ..) = cloud.behind_router("10.0.0.0/24").await;
    let port = id(&cloud.port(&network).await);
    let a = make(&cloud, json!({"port_id": port})).await.ok(201)["floatingip"].clone();
    let b = make(&cloud, json!({})).await.ok(201)["floatingip"].clone();
    let get = async |query: &str| {
        crate::cloud::ids(
            &cloud.get("alice", &format!("/v2.0/floatingips?{query}")).await.ok(200)["floatingips"],
        )
    };
    assert_eq!(get(&format!("port_id={port}")).await, [id(&a)]);
    assert_eq!(
        get(&format!("floating_ip_address={}", b["floating_ip_address"].as_str().unwrap())).await,
        [id(&b)]
    );
    assert_eq!(get(&format!("floating_network_id={}", cloud.public)).await, [id(&a), id(&b)]);
    let asked =
        json!({"floatingip": {"floating_network_id": cloud.public, "floating_ip_address": "172.24.4.77"}});
    let made = cloud.post("admin", "/v2.0/floatingips", asked.clone()).await.ok(201);
    assert_eq!(made["floatingip"]["floating_ip_address"], "172.24.4.77");
    cloud.post("admin", "/v2.0/floatingips", asked).await.refused(409, "IpAddressInUse");
}

#[tokio::test]
async fn those_that_lead_nowhere_go_with_their_network() {
    let cloud = Cloud::start().await;
    let network = json!({"name": "e", "router:external": true});
    let network = id(&cloud.make_as("admin", "networks", "network", network).await);
    let subnet = json!({"network_id": network, "ip_version": 4, "cidr": "192.0.2.0/24"});
    cloud.make_as("admin", "subnets", "subnet", subnet).await;
    let ip = cloud.make("floatingips", "floatingip", json!({"floating_network_id": network})).await;
    cloud.delete("admin", &format!("/v2.0/networks/{network}")).await.ok(204);
    assert_eq!(cloud.get("alice", &format!("/v2.0/floatingips/{}", id(&ip))).await.status, 404);
}
