use serde_json::{Value, json};

use crate::cloud::{Cloud, id};

#[tokio::test]
async fn a_router_joins_a_network_to_the_outside() {
    let cloud = Cloud::start().await;
    let (network, subnet, router) = cloud.behind_router("10.0.0.0/24").await;
    let path = format!("/v2.0/routers/{router}");
    cloud.until_shows(&path, "/router/status", json!("ACTIVE")).await;
    let shown = cloud.get("alice", &path).await.ok(200)["router"].clone();
    assert_eq!(shown["external_gateway_info"]["network_id"], json!(cloud.public));
    assert_eq!(shown["external_gateway_info"]["enable_snat"], json!(true));
    let outside = shown["external_gateway_info"]["external_fixed_ips"][0]["ip_address"].clone();
    assert_eq!(outside, "172.24.4.2");
    cloud
        .until("applied whole", || async {
            cloud.host.router(&router).is_some_and(|r| r.interfaces.len() == 1)
        })
        .await;
    let plan = cloud.host.router(&router).unwrap();
    assert_eq!(plan.interfaces[0].addresses, ["10.0.0.1/24".parse().unwrap()]);
    assert_eq!(plan.interfaces[0].network_id, network);
    let gateway = plan.gateway.unwrap();
    assert_eq!(gateway.next_hops, ["172.24.4.1".parse::<std::net::IpAddr>().unwrap()]);
    assert!(gateway.enable_snat);
    let ports = cloud.get("alice", &format!("/v2.0/ports?device_id={router}")).await.ok(200)["ports"].clone();
    // The gateway's port belongs to nobody.
    assert_eq!(ports.as_array().unwrap().len(), 1);
    assert_eq!(ports[0]["device_owner"], "network:router_interface");
    cloud.until_shows(&format!("/v2.0/ports/{}", id(&ports[0])), "/port/status", json!("ACTIVE")).await;

    cloud.delete("alice", &path).await.refused(409, "RouterInUse");
    let removed =
        cloud.put("alice", &format!("{path}/remove_router_interface"), json!({ "subnet_id": subnet })).await;
    let removed = removed.ok(200);
    assert_eq!((&removed["id"], &removed["subnet_ids"]), (&json!(router), &json!([subnet])));
    cloud.delete("alice", &path).await.ok(204);
    cloud.until("gone from the host", || async { cloud.host.router(&router).is_none() }).await;
    cloud
        .until("its port is gone from the outside", || async {
            cloud.host.network(&cloud.public).is_some_and(|n| n.ports.is_empty())
        })
        .await;
    cloud.get("alice", &path).await.refused(404, "RouterNotFound");
}

#[tokio::test]
async fn interfaces_are_refused_by_name() {
    let cloud = Cloud::start().await;
    let (network, subnet, router) = cloud.behind_router("10.0.0.0/24").await;
    let add = format!("/v2.0/routers/{router}/add_router_interface");
    let remove = format!("/v2.0/routers/{router}/remove_router_interface");
    let put = async |path: &str, body: Value| cloud.put("alice", path, body).await;
    put(&add, json!({})).await.refused(400, "BadRequest");
    put(&add, json!({"subnet_id": "x"})).await.refused(400, "BadRequest");
    let message = put(&add, json!({ "subnet_id": subnet })).await.refused(400, "BadRequest");
    assert!(message.contains("Router already has a port on subnet"), "{message}");
    let other = cloud.network("other").await;
    let same = id(&cloud.subnet(&other, "10.0.0.128/25").await);
    let message = put(&add, json!({ "subnet_id": same })).await.refused(400, "BadRequest");
    assert!(message.contains("overlaps with cidr"), "{message}");
    let third = cloud.network("third").await;
    let no_gateway = json!({"network_id": third, "cidr": "10.3.0.0/24", "gateway_ip": null});
    let no_gateway = id(&cloud.make("subnets", "subnet", no_gateway).await);
    put(&add, json!({ "subnet_id": no_gateway })).await.refused(400, "BadRequest");
    let taken = id(&cloud.make("ports", "port", json!({"network_id": network, "device_id": "vm"})).await);
    put(&add, json!({ "port_id": taken })).await.refused(409, "PortInUse");
    put(&remove, json!({ "port_id": taken })).await.refused(404, "RouterInterfaceNotFound");
    put(&remove, json!({ "subnet_id": same })).await.refused(404, "RouterInterfaceNotFoundForSubnet");
    put(&add, json!({"subnet_id": "00000000-0000-4000-8000-000000000000"}))
        .await
        .refused(404, "SubnetNotFound");
    let foreign = id(&cloud.make_as("bob", "networks", "network", json!({})).await);
    let foreign = json!({"network_id": foreign, "cidr": "10.4.0.0/24"});
    let foreign = id(&cloud.make_as("bob", "subnets", "subnet", foreign).await);
    put(&add, json!({ "subnet_id": foreign })).await.refused(404, "SubnetNotFound");
}

#[tokio::test]
async fn an_interface_can_be_a_port_of_ones_own() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    let subnet = id(&cloud.subnet(&network, "10.0.0.0/24").await);
    let router = id(&cloud.make("routers", "router", json!({"name": "r"})).await);
    let port = id(&cloud.port(&network).await);
    let path = format!("/v2.0/routers/{router}/add_router_interface");
    let added = cloud.put("alice", &path, json!({ "port_id": port })).await.ok(200);
    assert_eq!((&added["port_id"], &added["subnet_id"]), (&json!(port), &json!(subnet)));
    let shown = cloud.get("alice", &format!("/v2.0/ports/{port}")).await.ok(200)["port"].clone();
    assert_eq!(
        (&shown["device_owner"], &shown["security_groups"]),
        (&json!("network:router_interface"), &json!([]))
    );
    cloud
        .until("plugged", || async { cloud.host.router(&router).is_some_and(|r| r.interfaces.len() == 1) })
        .await;
    let mismatch = json!({"port_id": port, "subnet_id": "00000000-0000-4000-8000-000000000000"});
    let path = format!("/v2.0/routers/{router}/remove_router_interface");
    cloud.put("alice", &path, mismatch).await.refused(400, "SubnetMismatchForPort");
    cloud.put("alice", &path, json!({ "port_id": port })).await.ok(200);
    cloud.get("alice", &format!("/v2.0/ports/{port}")).await.refused(404, "PortNotFound");
}

#[tokio::test]
async fn nobody_plugs_into_anothers_router() {
    let cloud = Cloud::start().await;
    let router = id(&cloud.make("routers", "router", json!({"name": "r"})).await);
    let network = id(&cloud.make_as("bob", "networks", "network", json!({})).await);
    let port = id(&cloud.make_as("bob", "ports", "port", json!({"network_id": network})).await);
    for owner in ["network:router_interface", "network:router_gateway"] {
        let body = json!({"port": {"network_id": network, "device_owner": owner, "device_id": router}});
        cloud.post("bob", "/v2.0/ports", body).await.refused(409, "DeviceIDNotOwnedByTenant");
        let body = json!({"port": {"device_owner": owner, "device_id": router}});
        let path = format!("/v2.0/ports/{port}");
        cloud.put("bob", &path, body).await.refused(409, "DeviceIDNotOwnedByTenant");
    }
    // Nor in two steps.
    let path = format!("/v2.0/ports/{port}");
    let body = json!({"port": {"device_owner": "network:router_interface"}});
    cloud.put("bob", &path, body).await.ok(200);
    let body = json!({"port": {"device_id": router}});
    cloud.put("bob", &path, body).await.refused(400, "InvalidInput");
}

#[tokio::test]
async fn the_gateway_comes_and_goes() {
    let cloud = Cloud::start().await;
    let router = id(&cloud.make("routers", "router", json!({"name": "r"})).await);
    let path = format!("/v2.0/routers/{router}");
    let put = async |who: &str, info: Value| {
        cloud.put(who, &path, json!({"router": {"external_gateway_info": info}})).await
    };
    let inner = cloud.network("inner").await;
    put("alice", json!({ "network_id": inner })).await.refused(400, "BadRequest");
    put("alice", json!({"network_id": "x"})).await.refused(400, "HTTPBadRequest");
    put("alice", json!({"enable_snat": true})).await.refused(400, "HTTPBadRequest");
    put("alice", json!({"network_id": cloud.public, "colour": 1})).await.refused(400, "HTTPBadRequest");
    put("alice", json!({"network_id": cloud.public, "enable_snat": false}))
        .await
        .refused(403, "PolicyNotAuthorized");
    let gateway = json!({"network_id": cloud.public, "external_fixed_ips": [{"ip_address": "172.24.4.1"}]});
    put("admin", gateway).await.refused(400, "BadRequest");
    let asked = json!({"network_id": cloud.public, "enable_snat": false, "external_fixed_ips": [{"ip_address": "172.24.4.99"}]});
    let set = put("admin", asked).await.ok(200)["router"]["external_gateway_info"].clone();
    assert_eq!(
        (&set["enable_snat"], &set["external_fixed_ips"][0]["ip_address"]),
        (&json!(false), &json!("172.24.4.99"))
    );
    cloud
        .until("no SNAT on the host", || async {
            cloud.host.router(&router).and_then(|r| r.gateway).is_some_and(|g| !g.enable_snat)
        })
        .await;
    let cleared = put("alice", json!({})).await.ok(200);
    assert_eq!(cleared["router"]["external_gateway_info"], Value::Null);
    cloud
        .until("no gateway on the host", || async {
            cloud.host.router(&router).is_some_and(|r| r.gateway.is_none())
        })
        .await;
    assert_eq!(put("alice", Value::Null).await.ok(200)["router"]["external_gateway_info"], Value::Null);
}

#[tokio::test]
async fn extra_routes_need_a_reachable_next_hop() {
    let cloud = Cloud::start().await;
    let (_, subnet, router) = cloud.behind_router("10.0.0.0/24").await;
    let path = format!("/v2.0/routers/{router}");
    let route = |destination: &str, nexthop: &str| json!({"destination": destination, "nexthop": nexthop});
    let put = async |action: &str, routes: Vec<Value>| {
        cloud.put("alice", &format!("{path}{action}"), json!({"router": {"routes": routes}})).await
    };
    put("", vec![route("10.9.0.0/16", "10.8.0.1")]).await.refused(400, "InvalidRoutes");
    put("", vec![route("10.9.0.0/16", "10.0.0.1")]).await.refused(400, "InvalidRoutes");
    let a = route("10.9.0.0/16", "10.0.0.9");
    let b = route("10.10.0.0/16", "10.0.0.10");
    assert_eq!(put("", vec![a.clone()]).await.ok(200)["router"]["routes"], json!([a]));
    let added = put("/add_extraroutes", vec![a.clone(), b.clone()]).await.ok(200);
    assert_eq!(added["router"]["routes"], json!([a, b]));
    let removed = put("/remove_extraroutes", vec![a.clone(), route("1.0.0.0/8", "10.0.0.7")]).await.ok(200);
    assert_eq!(removed["router"]["routes"], json!([b]));
    cloud
        .until("routed on the host", || async {
            cloud.host.router(&router).is_some_and(|r| r.routes.len() == 1)
        })
        .await;
    let remove = format!("{path}/remove_router_interface");
    cloud
        .put("alice", &remove, json!({ "subnet_id": subnet }))
        .await
        .refused(409, "RouterInterfaceInUseByRoute");
    let create = json!({"router": {"routes": [b]}});
    cloud.post("alice", "/v2.0/routers", create).await.refused(400, "HTTPBadRequest");
}
