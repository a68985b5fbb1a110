use serde_json::json;

use crate::cloud::Cloud;

#[tokio::test]
async fn quotas_hold_and_are_set_by_admins() {
    let cloud = Cloud::start().await;
    let path = "/v2.0/quotas/alice";
    assert_eq!(cloud.get("alice", path).await.ok(200)["quota"]["port"], 500);
    cloud.get("bob", path).await.refused(403, "PolicyNotAuthorized");
    cloud.put("alice", path, json!({"quota": {"network": 1}})).await.refused(403, "PolicyNotAuthorized");
    let set = cloud.put("admin", path, json!({"quota": {"network": 1, "router": "-1"}})).await.ok(200);
    assert_eq!((&set["quota"]["network"], &set["quota"]["router"]), (&json!(1), &json!(-1)));
    cloud.network("n").await;
    let message =
        cloud.post("alice", "/v2.0/networks", json!({"network": {}})).await.refused(409, "OverQuota");
    assert_eq!(message, "Quota exceeded for resources: ['network'].");
    cloud.put("admin", path, json!({"quota": {"network": 0}})).await.refused(400, "HTTPBadRequest");
    cloud.put("admin", path, json!({"quota": {"network": 0, "force": true}})).await.ok(200);
    cloud.put("admin", path, json!({"quota": {"colour": 0}})).await.refused(400, "HTTPBadRequest");
    cloud.put("admin", path, json!({"quota": {"network": -2}})).await.refused(400, "HTTPBadRequest");
    let details = cloud.get("alice", "/v2.0/quotas/alice/details").await.ok(200);
    assert_eq!(details["quota"]["network"], json!({"limit": 0, "used": 1, "reserved": 0}));
    assert_eq!(cloud.get("alice", "/v2.0/quotas/alice/default").await.ok(200)["quota"]["network"], 100);
    // The operator's, where nobody said anything else.
    assert_eq!(cloud.get("alice", "/v2.0/quotas/alice/default").await.ok(200)["quota"]["trunk"], 7);
    assert_eq!(details["quota"]["trunk"]["limit"], 7);
    let all = cloud.get("admin", "/v2.0/quotas").await.ok(200);
    assert_eq!(all["quotas"].as_array().unwrap().len(), 1);
    assert_eq!(all["quotas"][0]["project_id"], "alice");
    cloud.delete("admin", path).await.ok(204);
    cloud.delete("admin", path).await.refused(404, "TenantQuotaNotFound");
    cloud.network("m").await;
}

#[tokio::test]
async fn a_bulk_beyond_the_quota_makes_nothing() {
    let cloud = Cloud::start().await;
    cloud.put("admin", "/v2.0/quotas/alice", json!({"quota": {"network": 2}})).await.ok(200);
    let three = json!({"networks": [{}, {}, {}]});
    cloud.post("alice", "/v2.0/networks", three).await.refused(409, "OverQuota");
    let mine = cloud.get("alice", "/v2.0/networks?project_id=alice").await.ok(200);
    assert_eq!(mine["networks"], json!([]));
}
