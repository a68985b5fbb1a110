use serde_json::{Value, json};

use crate::cloud::{Cloud, id, ids};

#[tokio::test]
async fn admins_say_what_kind_of_segment_a_network_is() {
    let cloud = Cloud::start().await;
    let make = async |kind: &str, physical: Option<&str>, segment: Option<u32>| {
        let mut network = json!({"provider:network_type": kind});
        if let Some(physical) = physical {
            network["provider:physical_network"] = physical.into();
        }
        if let Some(segment) = segment {
            network["provider:segmentation_id"] = segment.into();
        }
        cloud.post("admin", "/v2.0/networks", json!({ "network": network })).await
    };
    let shown = async |kind: &str, physical: Option<&str>, segment: Option<u32>| {
        let network = make(kind, physical, segment).await.ok(201)["network"].clone();
        (
            network["provider:physical_network"].clone(),
            network["provider:segmentation_id"].clone(),
            network["mtu"].clone(),
        )
    };
    assert_eq!(shown("vlan", Some("public"), Some(2)).await, (json!("public"), json!(2), json!(1450)));
    assert_eq!(shown("vlan", None, None).await, (json!("public"), json!(1), json!(1450)));
    assert_eq!(shown("vlan", Some("public"), None).await, (json!("public"), json!(3), json!(1450)));
    assert_eq!(shown("vxlan", None, None).await, (json!(null), json!(1), json!(1400)));
    assert_eq!(shown("geneve", None, Some(7)).await, (json!(null), json!(7), json!(1392)));
    make("vlan", Some("public"), Some(2)).await.refused(409, "VlanIdInUse");
    make("geneve", None, Some(7)).await.refused(409, "TunnelIdInUse");
    for (kind, physical, segment) in [
        ("vlan", Some("elsewhere"), None),
        ("vlan", None, Some(9)),
        ("vlan", Some("public"), Some(4095)),
        ("vxlan", Some("public"), None),
        ("vxlan", None, Some(0)),
        ("local", None, Some(1)),
        ("flat", Some("public"), Some(1)),
        ("gre", None, None),
    ] {
        make(kind, physical, segment).await.refused(400, "InvalidInput");
    }
    let path = "/v2.0/networks?provider:segmentation_id=2&provider:network_type=vlan";
    assert_eq!(cloud.get("admin", path).await.ok(200)["networks"].as_array().unwrap().len(), 1);
    let large = json!({"network": {"mtu": 9001}});
    cloud.post("alice", "/v2.0/networks", large).await.refused(400, "InvalidInput");
}

#[tokio::test]
async fn a_network_lives_and_goes() {
    let cloud = Cloud::start().await;
    let made = cloud.make("networks", "network", json!({"name": "n", "description": "d"})).await;
    let network = id(&made);
    for (key, value) in [
        ("status", json!("ACTIVE")),
        ("admin_state_up", json!(true)),
        ("mtu", json!(1450)),
        ("router:external", json!(false)),
        ("shared", json!(false)),
        ("port_security_enabled", json!(true)),
        ("subnets", json!([])),
        ("tenant_id", json!("alice")),
        ("project_id", json!("alice")),
        ("availability_zones", json!(["nova"])),
        ("revision_number", json!(0)),
        ("tags", json!([])),
    ] {
        assert_eq!(made[key], value, "{key}");
    }
    assert!(made.get("provider:network_type").is_none());
    let path = format!("/v2.0/networks/{network}");
    let seen = cloud.get("admin", &path).await.ok(200);
    assert_eq!(seen["network"]["provider:network_type"], "local");
    let subnet = cloud.subnet(&network, "10.0.0.0/24").await;
    assert_eq!(cloud.get("alice", &path).await.ok(200)["network"]["subnets"], json!([id(&subnet)]));
    let renamed = cloud.put("alice", &path, json!({"network": {"name": "m", "mtu": 1400}})).await.ok(200);
    assert_eq!(
        (&renamed["network"]["name"], &renamed["network"]["revision_number"]),
        (&json!("m"), &json!(2))
    );
    assert_eq!(renamed["network"]["subnets"], json!([id(&subnet)]));
    cloud
        .until("applied with its new MTU", || async {
            cloud.host.network(&network).is_some_and(|n| n.mtu == 1400 && n.subnets.len() == 1)
        })
        .await;
    assert_eq!(cloud.delete("alice", &path).await.status, 204);
    cloud.get("alice", &path).await.refused(404, "NetworkNotFound");
    cloud.get("alice", &format!("/v2.0/subnets/{}", id(&subnet))).await.refused(404, "SubnetNotFound");
    cloud.until("removed from the host", || async { cloud.host.network(&network).is_none() }).await;
}

#[tokio::test]
async fn a_network_in_use_stays() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    cloud.subnet(&network, "10.0.0.0/24").await;
    let port = id(&cloud.port(&network).await);
    let path = format!("/v2.0/networks/{network}");
    let message = cloud.delete("alice", &path).await.refused(409, "NetworkInUse");
    assert!(message.contains(&port), "{message}");
    cloud.delete("alice", &format!("/v2.0/ports/{port}")).await.ok(204);
    cloud.delete("alice", &path).await.ok(204);
}

#[tokio::test]
async fn several_are_made_at_once_or_none() {
    let cloud = Cloud::start().await;
    let body = json!({"networks": [{"name": "a"}, {"name": "b"}]});
    let made = cloud.post("alice", "/v2.0/networks", body).await.ok(201);
    assert_eq!(made["networks"].as_array().unwrap().len(), 2);
    let network = id(&made["networks"][0]);
    let overlapping = json!({"subnets": [
        {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24"},
        {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/25"},
    ]});
    let message = cloud.post("alice", "/v2.0/subnets", overlapping).await.refused(400, "InvalidInput");
    assert!(message.contains("overlaps with another subnet"), "{message}");
    assert_eq!(
        cloud.get("alice", "/v2.0/subnets?ip_version=4&enable_dhcp=true").await.ok(200)["subnets"],
        json!([])
    );
    cloud.post("alice", "/v2.0/networks", json!({"networks": []})).await.refused(400, "HTTPBadRequest");
}

#[tokio::test]
async fn lists_filter_sort_and_page() {
    let cloud = Cloud::start().await;
    for name in ["c", "a", "b"] {
        cloud.make("networks", "network", json!({"name": name, "admin_state_up": name != "a"})).await;
    }
    let names = |body: Value| -> String {
        body["networks"].as_array().unwrap().iter().map(|n| n["name"].as_str().unwrap()).collect()
    };
    let get = async |query: &str| cloud.get("alice", &format!("/v2.0/networks?{query}")).await.ok(200);
    assert_eq!(names(get("router:external=False").await), "cab");
    assert_eq!(names(get("router:external=true").await), "public");
    assert_eq!(names(get("name=a&name=c").await), "ca");
    assert_eq!(names(get("admin_state_up=false").await), "a");
    assert_eq!(names(get("project_id=alice&sort_key=name&sort_dir=desc").await), "cba");
    let page = get("project_id=alice&sort_key=name&sort_dir=asc&limit=2").await;
    assert_eq!(names(page.clone()), "ab");
    let next = page["networks_links"][0]["href"].as_str().unwrap();
    assert!(
        next.starts_with("http://cloud.example:5000/v2.0/networks?") && next.contains("marker="),
        "{next}"
    );
    let (_, query) = next.split_once('?').unwrap();
    let last = get(query).await;
    assert_eq!(names(last.clone()), "c");
    assert!(last["networks_links"].as_array().unwrap().iter().all(|l| l["rel"] == "previous"));
    // From an empty page behind the end one turns back to the end.
    let marker = last["networks"][0]["id"].as_str().unwrap();
    let empty = get(&format!("project_id=alice&sort_key=name&sort_dir=asc&limit=1&marker={marker}")).await;
    let back = empty["networks_links"][0]["href"].as_str().unwrap();
    assert!(empty["networks"] == json!([]) && !back.contains("marker"), "{empty}");
    assert_eq!(names(get(back.split_once('?').unwrap().1).await), "c");
    assert_eq!(get("name=a&fields=name").await, json!({"networks": [{"name": "a"}]}));
    cloud.get("alice", "/v2.0/networks?colour=red").await.refused(400, "HTTPBadRequest");
    cloud.get("alice", "/v2.0/networks?limit=1&marker=zz").await.refused(404, "NetworkNotFound");
}

#[tokio::test]
async fn provider_attributes_are_for_admins_and_for_what_one_machine_can_do() {
    let cloud = Cloud::start().await;
    let make = async |who: &str, attributes: Value| {
        cloud.post(who, "/v2.0/networks", json!({ "network": attributes })).await
    };
    make("alice", json!({"provider:network_type": "local"})).await.refused(403, "PolicyNotAuthorized");
    make("alice", json!({"shared": true})).await.refused(403, "PolicyNotAuthorized");
    make("alice", json!({"router:external": true})).await.refused(403, "PolicyNotAuthorized");
    make("admin", json!({"provider:network_type": "flat"})).await.refused(400, "InvalidInput");
    let second = json!({"provider:network_type": "flat", "provider:physical_network": "public"});
    make("admin", second).await.refused(409, "FlatNetworkInUse");
    make("admin", json!({"mtu": 70000})).await.refused(400, "HTTPBadRequest");
    make("alice", json!({"availability_zone_hints": ["mars"]}))
        .await
        .refused(404, "AvailabilityZoneNotFound");
    make("alice", json!({"availability_zone_hints": ["nova"]})).await.ok(201);
}

#[tokio::test]
async fn sharing_and_being_external_last_while_they_are_used() {
    let cloud = Cloud::start().await;
    let shared = id(&cloud.make_as("admin", "networks", "network", json!({"shared": true})).await);
    let path = format!("/v2.0/networks/{shared}");
    let port = cloud.make_as("bob", "ports", "port", json!({"network_id": shared})).await;
    cloud
        .put("admin", &path, json!({"network": {"shared": false}}))
        .await
        .refused(409, "InvalidSharedSetting");
    cloud.delete("bob", &format!("/v2.0/ports/{}", id(&port))).await.ok(204);
    cloud.put("admin", &path, json!({"network": {"shared": false}})).await.ok(200);
    cloud.get("bob", &path).await.refused(404, "NetworkNotFound");

    cloud.behind_router("10.0.0.0/24").await;
    let path = format!("/v2.0/networks/{}", cloud.public);
    let refused =
        cloud.put("admin", &path, json!({"network": {"router:external": false, "is_default": false}}));
    refused.await.refused(409, "ExternalNetworkInUse");
}

#[tokio::test]
async fn strays_on_the_host_are_removed() {
    let cloud = Cloud::start().await;
    let stray = cloud.network("n").await;
    cloud.until("applied", || async { cloud.host.network(&stray).is_some() }).await;
    let mut plan = cloud.host.network(&stray).unwrap();
    plan.id = "stray".into();
    cloud.host.networks.lock().unwrap().insert("stray".into(), plan);
    // A second process on the same rows and host looks at all that is there when it starts.
    let config = neutron::Config {
        host: "box".into(),
        external_gateway_hosts: true,
        dns_domain: String::new(),
        default_mtu: 1450,
        quotas: Vec::new(),
    };
    neutron::Neutron::new(cloud.db.clone(), cloud.host.clone(), config).start().await;
    cloud.until("the stray is gone", || async { cloud.host.network("stray").is_none() }).await;
    assert!(cloud.host.network(&stray).is_some());
    let listed = cloud.get("alice", "/v2.0/networks").await.ok(200);
    assert_eq!(ids(&listed["networks"]).len(), 2);
}
