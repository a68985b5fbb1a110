use serde_json::json;

use crate::cloud::Cloud;

#[tokio::test]
async fn quotas_hold_and_are_told() {
    let cloud = Cloud::start().await;
    let set = |body| cloud.ask("admin", "PUT", "/v3/os-quota-sets/p1", json!({ "quota_set": body }));
    let shown =
        set(json!({"volumes": 2, "gigabytes": 5, "snapshots": 1, "per_volume_gigabytes": 4})).await.is(200);
    assert_eq!(shown.body["quota_set"]["volumes"], 2);
    let new = |size: i64| json!({"volume": { "size": size }});
    let large = cloud.post("member@p1", "/v3/volumes", new(5)).await.is(413);
    assert!(large.message().contains("larger than maximum allowed limit 4G"), "{}", large.body);
    let id = cloud.volume("member@p1", json!({"size": 3})).await;
    let over = cloud.post("member@p1", "/v3/volumes", new(3)).await.is(413);
    assert_eq!(over.body["overLimit"]["code"], 413);
    assert!(over.message().contains("quota is 5G and 3G has been consumed"), "{}", over.body);
    cloud.volume("member@p1", json!({"size": 1})).await;
    cloud.post("member@p1", "/v3/volumes", new(1)).await.is(413);
    // Snapshots count their gigabytes.
    cloud.post("member@p1", "/v3/snapshots", json!({"snapshot": {"volume_id": id}})).await.is(413);
    cloud.act("member@p1", &id, json!({"os-extend": {"new_size": 5}})).await.is(413);
    cloud.act("member@p1", &id, json!({"os-extend": {"new_size": 4}})).await.is(202);
    cloud.until(&id, "available").await;
    let usage =
        cloud.get("reader@p1", "/v3/os-quota-sets/p1?usage=true").await.is(200).body["quota_set"].clone();
    assert_eq!(usage["gigabytes"], json!({"limit": 5, "in_use": 5, "reserved": 0}));
    assert_eq!(usage["volumes___DEFAULT__"]["in_use"], 2);
    let limits = cloud.get("reader@p1", "/v3/limits").await.is(200).body["limits"]["absolute"].clone();
    assert_eq!((&limits["maxTotalVolumes"], &limits["totalGigabytesUsed"]), (&json!(2), &json!(5)));
    set(json!({"volumes": 1})).await.is(400);
    set(json!({"nothing": 1})).await.is(400);
    set(json!({"volumes": "x"})).await.is(400);
    set(json!({"volumes": -2})).await.is(400);
    set(json!({})).await.is(400);
    cloud.ask("member@p1", "PUT", "/v3/os-quota-sets/p1", json!({"quota_set": {"volumes": 5}})).await.is(403);
    cloud.get("member@p2", "/v3/os-quota-sets/p1").await.is(403);
    let defaults = cloud.get("reader@p1", "/v3/os-quota-sets/p1/defaults").await.is(200);
    assert_eq!(defaults.body["quota_set"]["volumes"], 10);
    cloud.delete("admin", "/v3/os-quota-sets/p1").await.is(200);
    assert_eq!(cloud.get("reader@p1", "/v3/os-quota-sets/p1").await.is(200).body["quota_set"]["volumes"], 10);
    let class = json!({"quota_class_set": {"volumes": 7}});
    cloud.ask("admin", "PUT", "/v3/os-quota-class-sets/default", class).await.is(200);
    assert_eq!(cloud.get("reader@p1", "/v3/os-quota-sets/p1").await.is(200).body["quota_set"]["volumes"], 7);
}
