use serde_json::json;

use crate::cloud::{ADMIN, Cloud};

#[tokio::test]
async fn limits_are_shown_set_and_taken_back() {
    let cloud = Cloud::start().await;
    let (admin, demo) = (cloud.as_(ADMIN), cloud.as_("demo"));
    let shown = demo.get("/os-quota-sets/demo").await.expect(200);
    assert_eq!(shown["quota_set"]["instances"], 10);
    assert_eq!(shown["quota_set"]["id"], "demo");
    assert!(shown["quota_set"].get("floating_ips").is_none());
    let old = cloud.as_("demo").at("2.1").get("/os-quota-sets/demo").await.expect(200);
    assert_eq!(old["quota_set"]["floating_ips"], -1);
    demo.put("/os-quota-sets/demo", json!({"quota_set": {"cores": 1}})).await.fault(403, "forbidden");
    demo.get("/os-quota-sets/other").await.fault(403, "forbidden");
    let set = admin.put("/os-quota-sets/demo", json!({"quota_set": {"cores": 99}})).await.expect(200);
    assert_eq!(set["quota_set"]["cores"], 99);
    let detail = demo.get("/os-quota-sets/demo/detail").await.expect(200);
    assert_eq!(detail["quota_set"]["cores"], json!({"limit": 99, "in_use": 0, "reserved": 0}));
    assert_eq!(demo.get("/os-quota-sets/demo/defaults").await.expect(200)["quota_set"]["cores"], 20);
    let bad = admin.put("/os-quota-sets/demo", json!({"quota_set": {"cores": -2}})).await;
    assert!(bad.fault(400, "badRequest").contains("-2 is less than the minimum of -1"));
    assert_eq!(admin.delete("/os-quota-sets/demo").await.status, 202);
    assert_eq!(demo.get("/os-quota-sets/demo").await.expect(200)["quota_set"]["cores"], 20);
}

#[tokio::test]
async fn the_default_class_is_the_default_of_all() {
    let cloud = Cloud::start().await;
    let body = json!({"quota_class_set": {"instances": 3}});
    cloud.as_(ADMIN).put("/os-quota-class-sets/default", body).await.expect(200);
    assert_eq!(cloud.as_("demo").get("/os-quota-sets/demo").await.expect(200)["quota_set"]["instances"], 3);
    let limits = cloud.as_("demo").get("/limits").await.expect(200);
    assert_eq!(limits["limits"]["absolute"]["maxTotalInstances"], 3);
    assert_eq!(limits["limits"]["rate"], json!([]));
}

#[tokio::test]
async fn a_user_may_have_less_than_the_project() {
    let cloud = Cloud::start().await;
    let admin = cloud.as_(ADMIN);
    let body = json!({"quota_set": {"instances": 1}});
    admin.put("/os-quota-sets/demo?user_id=user-demo", body).await.expect(200);
    let shown = admin.get("/os-quota-sets/demo?user_id=user-demo").await.expect(200);
    assert_eq!(shown["quota_set"]["instances"], 1);
    assert_eq!(admin.get("/os-quota-sets/demo").await.expect(200)["quota_set"]["instances"], 10);
    let more = json!({"quota_set": {"instances": 11}});
    admin.put("/os-quota-sets/demo?user_id=user-demo", more).await.fault(400, "badRequest");
}
