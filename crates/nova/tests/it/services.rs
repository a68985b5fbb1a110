use serde_json::json;

use crate::cloud::{ADMIN, Cloud};

#[tokio::test]
async fn versions_are_told_without_a_token() {
    let cloud = Cloud::start().await;
    let list = cloud.as_("").call("GET", "/compute", None).await.expect(200);
    assert_eq!((&list["versions"][0]["id"], &list["versions"][0]["version"]), (&json!("v2.0"), &json!("")));
    assert_eq!(list["versions"][1]["version"], "2.104");
    assert_eq!(list["versions"][1]["links"][0]["href"], "http://cloud/compute/v2.1/");
    let first = cloud.as_("").call("GET", "/compute/v2", None).await.expect(200);
    assert_eq!((&first["version"]["id"], &first["version"]["status"]), (&json!("v2.0"), &json!("SUPPORTED")));
    let one = cloud.as_("").call("GET", "/compute/v2.1", None).await.expect(200);
    assert_eq!(one["version"]["id"], "v2.1");
    assert_eq!(one["version"]["min_version"], "2.1");
    assert_eq!(one["version"]["status"], "CURRENT");
}

#[tokio::test]
async fn older_urls_lead_to_the_same_routes() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let project = "0123456789abcdef0123456789abcdef";
    let path = format!("/compute/v2.1/{project}/flavors/1");
    let seen = demo.call("GET", &path, None).await;
    assert_eq!(seen.headers["openstack-api-version"], "compute 2.96");
    assert_eq!(seen.expect(200)["flavor"]["name"], "m1.tiny");
    let first = demo.call("GET", &format!("/compute/v2/{project}/flavors/1"), None).await;
    assert_eq!(first.headers["openstack-api-version"], "compute 2.1");
    assert!(first.expect(200)["flavor"].get("extra_specs").is_none());
    demo.delete("/flavors").await.fault(404, "itemNotFound");
    demo.get("/os-simple-tenant-usage/").await.fault(404, "itemNotFound");
}

#[tokio::test]
async fn the_host_is_a_service_a_hypervisor_and_a_zone() {
    let cloud = Cloud::start().await;
    let admin = cloud.as_(ADMIN);
    let services = admin.get("/os-services").await.expect(200);
    let service = &services["services"][0];
    assert_eq!(service["binary"], "nova-compute");
    assert_eq!(service["state"], "up");
    let hypervisors = admin.get("/os-hypervisors/detail").await.expect(200);
    let hypervisor = &hypervisors["hypervisors"][0];
    assert_eq!(hypervisor["hypervisor_hostname"], "simulated");
    assert_eq!(hypervisor["hypervisor_type"], "fake");
    assert!(hypervisor.get("vcpus").is_none() && hypervisor["uptime"].is_string(), "{hypervisor}");
    let old = cloud.as_(ADMIN).at("2.87").get("/os-hypervisors/statistics").await.expect(200);
    assert_eq!(old["hypervisor_statistics"]["vcpus"], 4096);
    admin.get("/os-hypervisors/statistics").await.fault(404, "itemNotFound");
    let id = hypervisor["id"].as_str().unwrap();
    admin.get(&format!("/os-hypervisors/{id}")).await.expect(200);
    admin.get("/os-hypervisors/1").await.fault(400, "badRequest");
    cloud.as_("demo").get("/os-hypervisors").await.fault(403, "forbidden");
    let zones = cloud.as_("demo").get("/os-availability-zone").await.expect(200);
    assert_eq!(
        zones["availabilityZoneInfo"],
        json!([{"zoneName": "nova", "zoneState": {"available": true}, "hosts": null}])
    );
    cloud.as_("demo").get("/os-availability-zone/detail").await.fault(403, "forbidden");
    let id = service["id"].as_str().unwrap();
    let off = json!({"status": "disabled", "disabled_reason": "repair"});
    admin.put(&format!("/os-services/{id}"), off).await.expect(200);
    let zones = cloud.as_("demo").get("/os-availability-zone").await.expect(200);
    assert_eq!(zones["availabilityZoneInfo"][0]["zoneState"]["available"], false);
}

#[tokio::test]
async fn an_aggregate_moves_the_host_to_its_zone() {
    let cloud = Cloud::start().await;
    let admin = cloud.as_(ADMIN);
    let body = json!({"aggregate": {"name": "a", "availability_zone": "east"}});
    let made = admin.post("/os-aggregates", body).await.expect(200);
    assert_eq!(made["aggregate"]["id"], 1);
    let add = json!({"add_host": {"host": "simulated"}});
    admin.post("/os-aggregates/1/action", add.clone()).await.expect(200);
    admin.post("/os-aggregates/1/action", add).await.fault(409, "conflictingRequest");
    let zones = cloud.as_("demo").get("/os-availability-zone").await.expect(200);
    assert_eq!(zones["availabilityZoneInfo"][0]["zoneName"], "east");
    admin.delete("/os-aggregates/1").await.fault(400, "badRequest");
    let remove = json!({"remove_host": {"host": "simulated"}});
    admin.post("/os-aggregates/1/action", remove).await.expect(200);
    assert_eq!(admin.delete("/os-aggregates/1").await.status, 200);
}

#[tokio::test]
async fn an_aggregate_has_its_images_at_hand() {
    let cloud = Cloud::start().await;
    let admin = cloud.as_(ADMIN);
    let made = admin.post("/os-aggregates", json!({"aggregate": {"name": "a"}})).await.expect(200);
    let path = format!("/os-aggregates/{}/images", made["aggregate"]["id"]);
    let image = json!({"id": base::id::uuid()});
    assert_eq!(admin.post(&path, json!({"cache": [image]})).await.status, 202);
    let told = admin.post(&path, json!({"cache": [image, image]})).await.fault(400, "badRequest");
    assert_eq!(told, "Duplicate images in request");
    admin.post(&path, json!({"cache": []})).await.fault(400, "badRequest");
    admin.post(&path, json!({})).await.fault(400, "badRequest");
    admin.post("/os-aggregates/99/images", json!({"cache": [image]})).await.fault(404, "itemNotFound");
    cloud.as_("demo").post(&path, json!({"cache": [image]})).await.fault(403, "forbidden");
    cloud.as_(ADMIN).at("2.80").post(&path, json!({"cache": [image]})).await.fault(404, "itemNotFound");
}

#[tokio::test]
async fn there_are_no_nodes_of_bare_metal() {
    let cloud = Cloud::start().await;
    let old = cloud.as_(ADMIN).at("2.35");
    for path in ["/os-baremetal-nodes", "/os-baremetal-nodes/n"] {
        let told = old.get(path).await.fault(501, "notImplemented");
        assert_eq!(told, "The requested functionality is not supported.");
        cloud.as_(ADMIN).get(path).await.fault(404, "itemNotFound");
        cloud.as_("demo").at("2.35").get(path).await.fault(403, "forbidden");
    }
}
