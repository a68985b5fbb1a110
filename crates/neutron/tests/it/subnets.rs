use serde_json::{Value, json};

use crate::cloud::{Cloud, addresses, id};

async fn refused(cloud: &Cloud, network: &str, attributes: Value) -> (u16, String) {
    let mut subnet = json!({"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24"});
    subnet.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
    let answer = cloud.post("alice", "/v2.0/subnets", json!({ "subnet": subnet })).await;
    (answer.status, answer.body["NeutronError"]["type"].as_str().unwrap_or("made").to_owned())
}

#[tokio::test]
async fn defaults_are_neutrons() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    let subnet = cloud.subnet(&network, "10.0.0.0/24").await;
    assert_eq!(subnet["gateway_ip"], "10.0.0.1");
    assert_eq!(subnet["allocation_pools"], json!([{"start": "10.0.0.2", "end": "10.0.0.254"}]));
    assert_eq!((&subnet["enable_dhcp"], &subnet["ip_version"]), (&json!(true), &json!(4)));
    assert_eq!((&subnet["dns_nameservers"], &subnet["host_routes"]), (&json!([]), &json!([])));
    assert_eq!((&subnet["ipv6_ra_mode"], &subnet["subnetpool_id"]), (&Value::Null, &Value::Null));
    let none = json!({"network_id": network, "cidr": "10.0.1.0/24", "gateway_ip": null});
    let subnet = cloud.make("subnets", "subnet", none).await;
    assert_eq!(subnet["gateway_ip"], Value::Null);
    assert_eq!(subnet["allocation_pools"], json!([{"start": "10.0.1.1", "end": "10.0.1.254"}]));
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_name() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    for (attributes, status, kind) in [
        (json!({"cidr": "10.0.0.1"}), 400, "HTTPBadRequest"),
        (json!({"subnetpool_id": "prefix_delegation", "ip_version": 6, "cidr": null}), 400, "BadRequest"),
        (json!({"cidr": "nonsense"}), 400, "HTTPBadRequest"),
        (json!({"cidr": "fd00::/64"}), 400, "InvalidInput"),
        (json!({"ip_version": 5}), 400, "HTTPBadRequest"),
        (json!({"cidr": "0.0.0.0/0"}), 400, "InvalidInput"),
        (json!({"cidr": "10.0.0.0/31"}), 400, "InvalidInput"),
        (json!({"cidr": "224.0.0.0/24"}), 400, "InvalidInput"),
        (json!({"gateway_ip": "10.0.0.0"}), 400, "InvalidInput"),
        (json!({"gateway_ip": "fd00::1"}), 400, "InvalidInput"),
        (
            json!({"allocation_pools": [{"start": "10.0.0.9", "end": "10.0.0.5"}]}),
            400,
            "InvalidAllocationPool",
        ),
        (
            json!({"allocation_pools": [{"start": "10.0.1.9", "end": "10.0.1.15"}]}),
            400,
            "OutOfBoundsAllocationPool",
        ),
        (
            json!({"allocation_pools": [{"start": "10.0.0.1", "end": "10.0.0.5"}]}),
            409,
            "GatewayConflictWithAllocationPools",
        ),
        (json!({"allocation_pools": "all"}), 400, "HTTPBadRequest"),
        (json!({"dns_nameservers": ["1.1.1.1", "1.1.1.1"]}), 400, "HTTPBadRequest"),
        (
            json!({"dns_nameservers": ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4", "1.1.1.5", "1.1.1.6"]}),
            400,
            "DNSNameServersExhausted",
        ),
        (json!({"host_routes": [{"destination": "10.1.0.0/24"}]}), 400, "HTTPBadRequest"),
        (json!({"host_routes": [{"destination": "fd00::/8", "nexthop": "fd00::1"}]}), 400, "InvalidInput"),
        (json!({"ipv6_ra_mode": "slaac"}), 400, "InvalidInput"),
        (json!({"ip_version": 6, "cidr": "fd00::/65", "ipv6_ra_mode": "slaac"}), 400, "InvalidInput"),
        (
            json!({"ip_version": 6, "cidr": "fd00::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "dhcpv6-stateful"}),
            400,
            "InvalidInput",
        ),
        (
            json!({"ip_version": 6, "cidr": "fd00::/64", "ipv6_ra_mode": "slaac", "enable_dhcp": false}),
            400,
            "InvalidInput",
        ),
        (json!({"subnetpool_id": network}), 404, "SubnetPoolNotFound"),
        (json!({"network_id": "00000000-0000-4000-8000-000000000000"}), 404, "NetworkNotFound"),
        (json!({"network_id": cloud.public}), 403, "PolicyNotAuthorized"),
    ] {
        let answer = refused(&cloud, &network, attributes.clone()).await;
        assert_eq!(answer, (status, kind.to_owned()), "{attributes}");
    }
    assert_eq!(
        cloud.get("alice", &format!("/v2.0/subnets?network_id={network}")).await.ok(200),
        json!({"subnets": []})
    );
    // What is behind a prefix is cut off, and a cidr of its own needs no delegation.
    assert_eq!(cloud.subnet(&network, "10.0.0.1/24").await["cidr"], "10.0.0.0/24");
    let six = json!({"network_id": network, "ip_version": 6, "cidr": "fd00::/64", "subnetpool_id": "prefix_delegation"});
    assert_eq!(cloud.make("subnets", "subnet", six).await["subnetpool_id"], json!(null));
}

#[tokio::test]
async fn the_dhcp_port_follows_its_subnets() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    let path = format!("/v2.0/ports?network_id={network}&device_owner=network:dhcp");
    let dhcp = async || cloud.get("alice", &path).await.ok(200)["ports"].clone();
    assert_eq!(dhcp().await, json!([]));
    let first = cloud.subnet(&network, "10.0.0.0/24").await;
    cloud.subnet(&network, "10.0.1.0/24").await;
    let ports = dhcp().await;
    assert_eq!(ports.as_array().unwrap().len(), 1);
    assert_eq!(addresses(&ports[0]), ["10.0.0.2", "10.0.1.2"]);
    cloud.until_shows(&format!("/v2.0/ports/{}", id(&ports[0])), "/port/status", json!("ACTIVE")).await;
    let plan = cloud.host.network(&network).unwrap();
    let of_first = plan.subnets.iter().find(|s| s.id == id(&first)).unwrap();
    assert_eq!(of_first.dhcp_address.unwrap().to_string(), "10.0.0.2");
    assert_eq!(of_first.dns_domain, "cloud.internal");

    let path = format!("/v2.0/subnets/{}", id(&first));
    cloud.put("alice", &path, json!({"subnet": {"enable_dhcp": false}})).await.ok(200);
    assert_eq!(addresses(&dhcp().await[0]), ["10.0.1.2"]);
    cloud.delete("alice", &path).await.ok(204);
    cloud.delete("alice", &format!("/v2.0/networks/{network}")).await.ok(204);
    assert_eq!(dhcp().await, json!([]));
}

#[tokio::test]
async fn a_subnet_is_changed_and_goes_when_it_is_free() {
    let cloud = Cloud::start().await;
    let (network, subnet, router) = cloud.behind_router("10.0.0.0/24").await;
    let path = format!("/v2.0/subnets/{subnet}");
    let change = json!({"subnet": {"dns_nameservers": ["9.9.9.9"], "name": "s",
        "host_routes": [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}]}});
    let changed = cloud.put("alice", &path, change).await.ok(200);
    assert_eq!(changed["subnet"]["dns_nameservers"], json!(["9.9.9.9"]));
    cloud
        .until("DNS reaches the host", || async {
            cloud.host.network(&network).is_some_and(|n| n.subnets[0].dns_nameservers.len() == 1)
        })
        .await;
    cloud
        .put("alice", &path, json!({"subnet": {"gateway_ip": "10.0.0.254"}}))
        .await
        .refused(409, "GatewayConflictWithAllocationPools");
    let moved = json!({"subnet": {"gateway_ip": "10.0.0.254", "allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.200"}]}});
    cloud.put("alice", &path, moved).await.refused(409, "GatewayIpInUse");
    cloud
        .put("alice", &path, json!({"subnet": {"cidr": "10.0.0.0/25"}}))
        .await
        .refused(400, "HTTPBadRequest");
    cloud.delete("alice", &path).await.refused(409, "SubnetInUse");
    let remove = format!("/v2.0/routers/{router}/remove_router_interface");
    cloud.put("alice", &remove, json!({ "subnet_id": subnet })).await.ok(200);
    cloud.delete("alice", &path).await.ok(204);
    cloud
        .until("gone from the host's plan", || async {
            cloud.host.network(&network).is_some_and(|n| n.subnets.is_empty() && n.ports.is_empty())
        })
        .await;
}

#[tokio::test]
async fn the_external_subnet_is_seen_by_all_and_linked_to_the_host() {
    let cloud = Cloud::start().await;
    let seen = cloud.get("bob", &format!("/v2.0/subnets?network_id={}", cloud.public)).await.ok(200);
    assert_eq!(seen["subnets"][0]["cidr"], "172.24.4.0/24");
    assert_eq!(seen["subnets"][0]["router:external"], true);
    cloud
        .until("linked", || async {
            cloud.host.network(&cloud.public).is_some_and(|n| !n.subnets.is_empty())
        })
        .await;
    let link = cloud.host.network(&cloud.public).unwrap().host_link.unwrap();
    assert_eq!(link.addresses, ["172.24.4.1/24".parse().unwrap()]);
    let by_router = cloud.get("admin", "/v2.0/subnets?router:external=true").await.ok(200);
    assert_eq!(by_router["subnets"].as_array().unwrap().len(), 1);
}
