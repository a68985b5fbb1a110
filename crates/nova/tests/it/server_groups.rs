use serde_json::json;

use crate::cloud::{ADMIN, Cloud};

#[tokio::test]
async fn groups_have_the_shape_of_their_microversion() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let body = json!({"server_group": {
        "name": "g", "policy": "anti-affinity", "rules": {"max_server_per_host": 2},
    }});
    let made = demo.post("/os-server-groups", body).await.expect(200);
    let group = &made["server_group"];
    assert_eq!(group["policy"], "anti-affinity");
    assert_eq!(group["rules"], json!({"max_server_per_host": 2}));
    assert_eq!(group["members"], json!([]));
    let id = group["id"].as_str().unwrap();
    let old = cloud.as_("demo").at("2.1").get(&format!("/os-server-groups/{id}")).await.expect(200);
    assert_eq!(old["server_group"]["policies"], json!(["anti-affinity"]));
    assert_eq!(old["server_group"]["metadata"], json!({}));
    assert!(old["server_group"].get("project_id").is_none());
    let other = cloud.as_("other").get(&format!("/os-server-groups/{id}")).await.fault(404, "itemNotFound");
    assert_eq!(other, format!("Instance group {id} could not be found."));
    let none = cloud.as_("other").get("/os-server-groups?all_projects=1").await.expect(200);
    assert_eq!(none["server_groups"], json!([]));
    let all = cloud.as_(ADMIN).get("/os-server-groups?all_projects=1").await.expect(200);
    assert_eq!(all["server_groups"].as_array().unwrap().len(), 1);
    assert_eq!(demo.delete(&format!("/os-server-groups/{id}")).await.status, 204);
    demo.delete(&format!("/os-server-groups/{id}")).await.fault(404, "itemNotFound");
}

#[tokio::test]
async fn wrong_policies_are_refused() {
    let cloud = Cloud::start().await;
    let body =
        json!({"server_group": {"name": "g", "policy": "affinity", "rules": {"max_server_per_host": 2}}});
    let told = cloud.as_("demo").post("/os-server-groups", body).await.fault(400, "badRequest");
    assert_eq!(told, "Only anti-affinity policy supports rules.");
    let soft = json!({"server_group": {"name": "g", "policies": ["soft-affinity"]}});
    cloud.as_("demo").at("2.14").post("/os-server-groups", soft.clone()).await.fault(400, "badRequest");
    cloud.as_("demo").at("2.15").post("/os-server-groups", soft).await.expect(200);
}
