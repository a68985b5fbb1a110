use serde_json::json;

use crate::cloud::{ADMIN, Cloud};

#[tokio::test]
async fn the_first_flavors_are_there_and_shaped_by_microversion() {
    let cloud = Cloud::start().await;
    let old = cloud.as_("demo").at("2.1").get("/flavors/1").await.expect(200);
    assert_eq!(
        old["flavor"],
        json!({
            "id": "1", "name": "m1.tiny", "ram": 512, "disk": 1, "swap": "", "OS-FLV-EXT-DATA:ephemeral": 0,
            "OS-FLV-DISABLED:disabled": false, "vcpus": 1, "os-flavor-access:is_public": true, "rxtx_factor": 1.0,
            "links": [
                {"rel": "self", "href": "http://cloud/compute/v2.1/flavors/1"},
                {"rel": "bookmark", "href": "http://cloud/compute/flavors/1"},
            ],
        })
    );
    let new = cloud.as_("demo").get("/flavors/1").await.expect(200);
    assert_eq!(new["flavor"]["swap"], 0);
    assert_eq!(new["flavor"]["extra_specs"], json!({}));
    assert_eq!(new["flavor"]["description"], json!(null));
}

#[tokio::test]
async fn lists_filter_sort_and_page() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let names = async |query: &str| -> Vec<String> {
        let list = demo.get(&format!("/flavors?{query}")).await.expect(200);
        list["flavors"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("minRam=8192").await, ["m1.large", "m1.xlarge"]);
    assert_eq!(names("minDisk=80&sort_key=memory_mb&sort_dir=desc").await, ["m1.xlarge", "m1.large"]);
    assert_eq!(names("limit=1&marker=1").await, ["m1.small"]);
    let page = demo.get("/flavors?limit=2").await.expect(200);
    assert_eq!(page["flavors_links"][0]["href"], "http://cloud/compute/v2.1/flavors?limit=2&marker=2");
    let refused = demo.get("/flavors?marker=x").await.fault(400, "badRequest");
    assert_eq!(refused, "marker [x] not found");
    demo.get("/flavors?minRam=x").await.fault(400, "badRequest");
    demo.get("/flavors?limit=-1").await.fault(400, "badRequest");
    demo.get("/flavors?unknown=1").await.fault(400, "badRequest");
    cloud.as_("demo").at("2.74").get("/flavors?unknown=1").await.expect(200);
}

#[tokio::test]
async fn an_admin_makes_private_ones_and_gives_access() {
    let cloud = Cloud::start().await;
    let admin = cloud.as_(ADMIN);
    let body = json!({"flavor": {
        "name": "secret", "id": "s1", "ram": 64, "vcpus": 1, "disk": 0, "os-flavor-access:is_public": false,
    }});
    cloud.as_("demo").post("/flavors", body.clone()).await.fault(403, "forbidden");
    admin.post("/flavors", body.clone()).await.expect(200);
    let twice = admin.post("/flavors", body).await.fault(409, "conflictingRequest");
    assert_eq!(twice, "Flavor with name secret already exists.");
    let unseen = cloud.as_("demo").get("/flavors/s1").await.fault(404, "itemNotFound");
    assert_eq!(unseen, "Flavor s1 could not be found.");
    let add = json!({"addTenantAccess": {"tenant": "demo"}});
    let access = admin.post("/flavors/s1/action", add.clone()).await.expect(200);
    assert_eq!(access["flavor_access"], json!([{"flavor_id": "s1", "tenant_id": "demo"}]));
    admin.post("/flavors/s1/action", add).await.fault(409, "conflictingRequest");
    cloud.as_("demo").get("/flavors/s1").await.expect(200);
    let remove = json!({"removeTenantAccess": {"tenant": "demo"}});
    admin.post("/flavors/s1/action", remove.clone()).await.expect(200);
    admin.post("/flavors/s1/action", remove).await.fault(404, "itemNotFound");
    assert_eq!(admin.delete("/flavors/s1").await.status, 202);
    admin.delete("/flavors/s1").await.fault(404, "itemNotFound");
}

#[tokio::test]
async fn bad_bodies_are_told_in_novas_words() {
    let cloud = Cloud::start().await;
    let admin = cloud.as_(ADMIN);
    let told = async |flavor: serde_json::Value| {
        admin.post("/flavors", json!({"flavor": flavor})).await.fault(400, "badRequest")
    };
    assert_eq!(
        told(json!({"name": "a", "ram": 0, "vcpus": 1, "disk": 1})).await,
        "Invalid input for field/attribute ram. Value: 0. 0 is less than the minimum of 1"
    );
    assert!(
        told(json!({"name": "a", "ram": 1, "vcpus": 1})).await.ends_with("'disk' is a required property")
    );
    assert!(
        told(json!({"name": "a", "ram": 1, "vcpus": 1, "disk": 1, "id": " x"}))
            .await
            .contains("does not match")
    );
    assert!(
        told(json!({"name": "a", "ram": 1, "vcpus": 1, "disk": 1, "rxtx_factor": 0})).await.contains("rxtx")
    );
}

#[tokio::test]
async fn extra_specs_come_and_go() {
    let cloud = Cloud::start().await;
    let admin = cloud.as_(ADMIN);
    let specs = json!({"extra_specs": {"hw:cpu_policy": "shared", "n": 1}});
    admin.post("/flavors/1/os-extra_specs", specs).await.expect(200);
    let all = cloud.as_("demo").get("/flavors/1/os-extra_specs").await.expect(200);
    assert_eq!(all["extra_specs"], json!({"hw:cpu_policy": "shared", "n": "1"}));
    admin.put("/flavors/1/os-extra_specs/n", json!({"n": "2"})).await.expect(200);
    let mismatch = admin.put("/flavors/1/os-extra_specs/n", json!({"m": "2"})).await.fault(400, "badRequest");
    assert_eq!(mismatch, "Request body and URI mismatch");
    assert_eq!(admin.get("/flavors/1/os-extra_specs/n").await.expect(200), json!({"n": "2"}));
    assert_eq!(admin.delete("/flavors/1/os-extra_specs/n").await.status, 200);
    let gone = admin.get("/flavors/1/os-extra_specs/n").await.fault(404, "itemNotFound");
    assert_eq!(gone, "Flavor 1 has no extra specs with key n.");
}
