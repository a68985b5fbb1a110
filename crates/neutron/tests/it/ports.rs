use std::collections::HashSet;

use serde_json::{Value, json};

use crate::cloud::{Cloud, addresses, id, ids};

#[tokio::test]
async fn a_port_gets_an_address_a_mac_and_the_default_group() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    let subnet = cloud.subnet(&network, "10.0.0.0/24").await;
    let port = cloud.port(&network).await;
    assert_eq!(addresses(&port), ["10.0.0.3"]);
    assert_eq!(port["fixed_ips"][0]["subnet_id"], json!(id(&subnet)));
    assert!(port["mac_address"].as_str().unwrap().starts_with("fa:16:3e:"));
    assert_eq!((&port["status"], &port["device_owner"]), (&json!("DOWN"), &json!("")));
    assert_eq!((&port["port_security_enabled"], &port["allowed_address_pairs"]), (&json!(true), &json!([])));
    assert_eq!(port["binding:vnic_type"], "normal");
    assert!(port.get("binding:host_id").is_none());
    let group = cloud.get("alice", "/v2.0/security-groups?name=default").await.ok(200);
    assert_eq!(port["security_groups"], json!(ids(&group["security_groups"])));
    let seen = cloud.get("admin", &format!("/v2.0/ports/{}", id(&port))).await.ok(200);
    assert_eq!(
        (&seen["port"]["binding:host_id"], &seen["port"]["binding:vif_type"]),
        (&json!(""), &json!("unbound"))
    );
}

#[tokio::test]
async fn addresses_are_asked_for_and_refused_by_name() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    let subnet = id(&cloud.subnet(&network, "10.0.0.0/24").await);
    let other = cloud.network("other").await;
    let foreign = id(&cloud.subnet(&other, "10.5.0.0/24").await);
    let make = async |attributes: Value| {
        let mut port = json!({ "network_id": network });
        port.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
        cloud.post("alice", "/v2.0/ports", json!({ "port": port })).await
    };
    let port = make(json!({"fixed_ips": [{"ip_address": "10.0.0.50"}]})).await.ok(201);
    assert_eq!(addresses(&port["port"]), ["10.0.0.50"]);
    let port =
        make(json!({"fixed_ips": [{"subnet_id": subnet}, {"subnet_id": subnet, "ip_address": "10.0.0.60"}]}));
    assert_eq!(addresses(&port.await.ok(201)["port"]).len(), 2);
    assert_eq!(make(json!({"fixed_ips": []})).await.ok(201)["port"]["fixed_ips"], json!([]));
    for (attributes, status, kind) in [
        (json!({"fixed_ips": [{"ip_address": "10.0.0.50"}]}), 409, "IpAddressInUse"),
        (json!({"fixed_ips": [{"ip_address": "10.9.0.50"}]}), 400, "InvalidIpForNetwork"),
        (json!({"fixed_ips": [{"ip_address": "10.9.0.50", "subnet_id": subnet}]}), 400, "InvalidIpForSubnet"),
        (json!({"fixed_ips": [{"ip_address": "10.0.0.255"}]}), 400, "InvalidIpForNetwork"),
        (json!({"fixed_ips": [{"subnet_id": foreign}]}), 400, "InvalidInput"),
        (json!({"fixed_ips": [{}]}), 400, "InvalidInput"),
        (json!({"fixed_ips": [{"ip_address": "10.0.0.300"}]}), 400, "HTTPBadRequest"),
        (
            json!({"fixed_ips": [{"ip_address": "10.0.0.70"}, {"ip_address": "10.0.0.70"}]}),
            400,
            "HTTPBadRequest",
        ),
        (json!({"fixed_ips": [{"colour": "red"}]}), 400, "HTTPBadRequest"),
        (json!({"mac_address": "fa:16:3e"}), 400, "HTTPBadRequest"),
        (json!({"security_groups": ["nonsense"]}), 400, "HTTPBadRequest"),
        (json!({"security_groups": [subnet]}), 404, "SecurityGroupNotFound"),
        (
            json!({"port_security_enabled": false, "allowed_address_pairs": [{"ip_address": "1.1.1.1"}]}),
            409,
            "AddressPairAndPortSecurityRequired",
        ),
        (
            json!({"allowed_address_pairs": [{"mac_address": "fa:16:3e:00:00:01"}]}),
            400,
            "AllowedAddressPairsMissingIP",
        ),
        (
            json!({"allowed_address_pairs": [{"ip_address": "1.1.1.1"}, {"ip_address": "1.1.1.1"}]}),
            400,
            "DuplicateAddressPairInRequest",
        ),
        (json!({"binding:host_id": "box"}), 403, "PolicyNotAuthorized"),
        (json!({"network_id": cloud.public}), 403, "HTTPForbidden"),
    ] {
        make(attributes).await.refused(status, kind);
    }
    let mac = make(json!({"mac_address": "FA:16:3E:AA:BB:CC"})).await.ok(201);
    assert_eq!(mac["port"]["mac_address"], "fa:16:3e:aa:bb:cc");
    make(json!({"mac_address": "fa:16:3e:aa:bb:cc"})).await.refused(409, "MacAddressInUse");
}

#[tokio::test]
async fn a_full_subnet_is_told_and_addresses_rest_before_they_come_again() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    cloud.subnet(&network, "10.0.0.0/29").await;
    let mut ports = Vec::new();
    for n in 3..=6 {
        let port = cloud.port(&network).await;
        assert_eq!(addresses(&port), [format!("10.0.0.{n}")]);
        ports.push(id(&port));
    }
    let body = json!({"port": {"network_id": network}});
    cloud.post("alice", "/v2.0/ports", body).await.refused(409, "IpAddressGenerationFailure");
    cloud.delete("alice", &format!("/v2.0/ports/{}", ports[1])).await.ok(204);
    cloud.delete("alice", &format!("/v2.0/ports/{}", ports[0])).await.ok(204);
    assert_eq!(addresses(&cloud.port(&network).await), ["10.0.0.3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_get_different_addresses() {
    let cloud = std::sync::Arc::new(Cloud::start().await);
    let network = cloud.network("n").await;
    cloud.subnet(&network, "10.0.0.0/24").await;
    let tasks: Vec<_> = (0..30)
        .map(|_| {
            let (cloud, network) = (cloud.clone(), network.clone());
            tokio::spawn(async move { addresses(&cloud.port(&network).await) })
        })
        .collect();
    let mut seen = HashSet::new();
    for task in tasks {
        assert!(seen.insert(task.await.unwrap()));
    }
}

#[tokio::test]
async fn lists_are_filtered_by_what_ports_have() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    let subnet = id(&cloud.subnet(&network, "10.0.0.0/24").await);
    let group = id(&cloud.make("security-groups", "security_group", json!({"name": "g"})).await);
    let a = id(&cloud.make("ports", "port", json!({"network_id": network, "device_id": "vm1", "device_owner": "compute:nova", "fixed_ips": [{"ip_address": "10.0.0.100"}]})).await);
    let b =
        id(&cloud.make("ports", "port", json!({"network_id": network, "security_groups": [group]})).await);
    let get =
        async |query: &str| ids(&cloud.get("alice", &format!("/v2.0/ports?{query}")).await.ok(200)["ports"]);
    assert_eq!(get("device_id=vm1").await, [a.as_str()]);
    assert_eq!(get(&format!("device_id=&network_id={network}")).await, [b.as_str()]);
    assert_eq!(get("device_owner=compute:nova&device_owner=network:router_interface").await, [a.as_str()]);
    assert_eq!(get("fixed_ips=ip_address=10.0.0.100").await, [a.as_str()]);
    assert_eq!(get("fixed_ips=ip_address_substr=0.0.1").await, [a.as_str()]);
    assert_eq!(get(&format!("fixed_ips=subnet_id={subnet}")).await.len(), 3);
    assert_eq!(
        get(&format!("fixed_ips=subnet_id={subnet}&fixed_ips=ip_address=10.0.0.100")).await,
        [a.as_str()]
    );
    assert_eq!(get(&format!("security_groups={group}")).await, [b.as_str()]);
    assert_eq!(get(&format!("id={a}&id={b}")).await, [a, b]);
    cloud.get("alice", "/v2.0/ports?fixed_ips=10.0.0.1").await.refused(400, "HTTPBadRequest");
}

#[tokio::test]
async fn a_port_changes() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    let subnet = id(&cloud.subnet(&network, "10.0.0.0/24").await);
    let port = cloud.port(&network).await;
    let path = format!("/v2.0/ports/{}", id(&port));
    let put = async |attributes: Value| cloud.put("alice", &path, json!({ "port": attributes })).await;
    let pairs = json!([{"ip_address": "10.1.0.0/16"}, {"ip_address": "10.0.0.99", "mac_address": "fa:16:3e:00:00:01"}]);
    let changed = put(json!({"allowed_address_pairs": pairs, "name": "p"})).await.ok(200);
    assert_eq!(changed["port"]["allowed_address_pairs"][0]["mac_address"], port["mac_address"]);
    let changed = put(json!({"fixed_ips": [{"subnet_id": subnet, "ip_address": "10.0.0.77"}]})).await.ok(200);
    assert_eq!(addresses(&changed["port"]), ["10.0.0.77"]);
    let kept = put(json!({"fixed_ips": [{"subnet_id": subnet}]})).await.ok(200);
    assert_eq!(addresses(&kept["port"]), ["10.0.0.77"]);
    put(json!({"port_security_enabled": false})).await.refused(409, "PortSecurityPortHasSecurityGroup");
    put(json!({"port_security_enabled": false, "security_groups": []}))
        .await
        .refused(409, "AddressPairAndPortSecurityRequired");
    let open = json!({"port_security_enabled": false, "security_groups": [], "allowed_address_pairs": []});
    assert_eq!(put(open).await.ok(200)["port"]["security_groups"], json!([]));
    cloud
        .until("the host leaves it alone", || async {
            cloud.host.port(&network, &id(&port)).is_some_and(|p| !p.port_security && p.rules.is_empty())
        })
        .await;
    put(json!({"network_id": network})).await.refused(400, "HTTPBadRequest");
    put(json!({"status": "ACTIVE"})).await.refused(400, "HTTPBadRequest");
    cloud.delete("alice", &path).await.ok(204);
    cloud.delete("alice", &path).await.refused(404, "PortNotFound");
}

#[tokio::test]
async fn ipv6_hosts_make_their_own_addresses() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    cloud.subnet(&network, "10.0.0.0/24").await;
    let slaac = json!({"network_id": network, "ip_version": 6, "cidr": "fd00:1::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"});
    cloud.make("subnets", "subnet", slaac).await;
    let port =
        cloud.make("ports", "port", json!({"network_id": network, "mac_address": "fa:16:3e:01:02:03"})).await;
    assert_eq!(addresses(&port), ["10.0.0.3", "fd00:1::f816:3eff:fe01:203"]);
    let asked = json!({"port": {"network_id": network, "fixed_ips": [{"ip_address": "fd00:1::5"}]}});
    cloud.post("alice", "/v2.0/ports", asked).await.refused(400, "InvalidInput");
}

#[tokio::test]
async fn ports_of_routers_are_not_deleted_by_hand() {
    let cloud = Cloud::start().await;
    let (network, _, _) = cloud.behind_router("10.0.0.0/24").await;
    let path = format!("/v2.0/ports?network_id={network}&device_owner=network:router_interface");
    let port = id(&cloud.get("alice", &path).await.ok(200)["ports"][0]);
    cloud.delete("alice", &format!("/v2.0/ports/{port}")).await.refused(409, "ServicePortInUse");
}
