//! Flavors, zones, quotas, providers.

use serde_json::json;

use crate::cloud::{Cloud, id};

#[tokio::test(flavor = "multi_thread")]
async fn a_flavor_chooses_the_provider() {
    let cloud = Cloud::start().await;
    let (_, subnet) = cloud.subnet().await;
    let admin = async |method: &str, path: &str, body| cloud.call("admin", method, path, body).await;
    let profile = json!({"flavorprofile": {"name": "p", "provider_name": "amphora", "flavor_data": "{}"}});
    let profile = id(&admin("POST", "flavorprofiles", Some(profile)).await.ok(201)["flavorprofile"]);
    let bad = json!({"flavorprofile": {"name": "p", "provider_name": "amphora", "flavor_data": "no"}});
    let words = "no is not a valid option for flavor_data";
    admin("POST", "flavorprofiles", Some(bad)).await.refused(400, words);
    let data = json!({"loadbalancer_topology": "TRIPLE"}).to_string();
    let bad = json!({"flavorprofile": {"name": "p", "provider_name": "amphora", "flavor_data": data}});
    assert_eq!(admin("POST", "flavorprofiles", Some(bad)).await.status, 501);
    let data = json!({"loadbalancer_topology": "SINGLE"}).to_string();
    let single = json!({"flavorprofile": {"name": "p", "provider_name": "amphora", "flavor_data": data}});
    admin("POST", "flavorprofiles", Some(single)).await.ok(201);
    let flavor = json!({"flavor": {"name": "f", "flavor_profile_id": profile}});
    assert_eq!(cloud.post("flavors", flavor.clone()).await.status, 403);
    let made = id(&admin("POST", "flavors", Some(flavor.clone())).await.ok(201)["flavor"]);
    admin("POST", "flavors", Some(flavor)).await.refused(409, "A flavor of f already exists.");
    let words = format!("Flavor profile {profile} is in use and cannot be modified.");
    admin("DELETE", &format!("flavorprofiles/{profile}"), None).await.refused(409, &words);
    let body = json!({"loadbalancer": {"vip_subnet_id": subnet, "flavor_id": made}});
    let lb = cloud.post("loadbalancers", body).await.ok(201)["loadbalancer"].clone();
    assert_eq!((&lb["provider"], &lb["flavor_id"]), (&json!("amphora"), &json!(made)));
    let words = format!("Flavor {made} is in use and cannot be modified.");
    admin("DELETE", &format!("flavors/{made}"), None).await.refused(409, &words);
    let off = json!({"flavor": {"enabled": false}});
    assert_eq!(admin("PUT", &format!("flavors/{made}"), Some(off)).await.ok(200)["flavor"]["enabled"], false);
    let body = json!({"loadbalancer": {"vip_subnet_id": subnet, "flavor_id": made}});
    let words = format!("The selected flavor is not allowed in this deployment: {made}");
    cloud.post("loadbalancers", body).await.refused(400, &words);
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_hold() {
    let cloud = Cloud::start().await;
    let lb = cloud.balancer().await;
    let (_, subnet) = cloud.subnet().await;
    assert_eq!(cloud.get("quotas/alice").await["quota"]["loadbalancer"], -1);
    let one = json!({"quota": {"loadbalancer": 1, "listener": 0}});
    assert_eq!(cloud.put("quotas/alice", one.clone()).await.status, 403);
    let set = cloud.call("admin", "PUT", "quotas/alice", Some(one)).await.ok(202);
    assert_eq!((&set["quota"]["load_balancer"], &set["quota"]["pool"]), (&json!(1), &json!(-1)));
    let body = json!({"loadbalancer": {"vip_subnet_id": subnet}});
    let words = "Quota has been met for resources: Load Balancer";
    cloud.post("loadbalancers", body).await.refused(403, words);
    let body = json!({"listener": {"protocol": "TCP", "protocol_port": 80, "loadbalancer_id": lb}});
    cloud.post("listeners", body).await.refused(403, "Quota has been met for resources: Listener");
    // The refused one left no lock.
    cloud.active(&lb).await;
    assert_eq!(cloud.get("quotas").await["quotas"][0]["project_id"], "alice");
    assert_eq!(cloud.call("admin", "DELETE", "quotas/alice", None).await.status, 202);
    assert_eq!(cloud.get("quotas/alice").await["quota"]["listener"], -1);
}

#[tokio::test(flavor = "multi_thread")]
async fn providers_and_zones() {
    let cloud = Cloud::start().await;
    let (_, subnet) = cloud.subnet().await;
    let names = cloud.get("providers?fields=name").await["providers"].clone();
    assert_eq!(names[0], json!({"name": "haproxy"}));
    let capabilities = cloud.call("admin", "GET", "providers/haproxy/flavor_capabilities", None).await;
    assert_eq!(capabilities.ok(200)["flavor_capabilities"][0]["name"], "loadbalancer_topology");
    let profile = json!({"availability_zone_profile": {"name": "p", "provider_name": "haproxy", "availability_zone_data": "{}"}});
    let made = cloud.call("admin", "POST", "availabilityzoneprofiles", Some(profile)).await.ok(201);
    let profile = id(&made["availability_zone_profile"]);
    let zone = json!({"availability_zone": {"name": "here", "availability_zone_profile_id": profile}});
    cloud.call("admin", "POST", "availabilityzones", Some(zone)).await.ok(201);
    assert_eq!(cloud.get("availabilityzones/here").await["availability_zone"]["enabled"], true);
    let body = json!({"loadbalancer": {"vip_subnet_id": subnet, "availability_zone": "there"}});
    let words = "Validation failure: Invalid availability zone.";
    cloud.post("loadbalancers", body).await.refused(400, words);
    let body = json!({"loadbalancer": {"vip_subnet_id": subnet, "availability_zone": "here"}});
    cloud.post("loadbalancers", body.clone()).await.ok(201);
    // A zone may name the networks in which VIPs may be.
    let data = json!({"valid_vip_networks": [base::id::uuid()]}).to_string();
    let profile = json!({"availability_zone_profile": {"name": "q", "provider_name": "haproxy", "availability_zone_data": data}});
    let made = cloud.call("admin", "POST", "availabilityzoneprofiles", Some(profile)).await.ok(201);
    let profile = id(&made["availability_zone_profile"]);
    let zone = json!({"availability_zone": {"name": "elsewhere", "availability_zone_profile_id": profile}});
    cloud.call("admin", "POST", "availabilityzones", Some(zone)).await.ok(201);
    let body = json!({"loadbalancer": {"vip_subnet_id": subnet, "availability_zone": "elsewhere"}});
    let words =
        "Validation failure: Supplied VIP network_id is not allowed by the configuration of this deployment.";
    cloud.post("loadbalancers", body).await.refused(400, words);
}
