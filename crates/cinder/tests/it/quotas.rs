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

#[tokio::test]
async fn quotas_of_a_type_follow_its_name() {
    let cloud = Cloud::start().await;
    let kind = |name: &str| json!({"volume_type": { "name": name }});
    let quotas = "/v3/os-quota-sets/p1";
    // What a type of that name left behind is not the new one's.
    let gone = cloud.post("admin", "/v3/types", kind("new")).await.is(200).id();
    let left = json!({"quota_set": {"volumes_new": 7, "snapshots_new": 7}});
    cloud.ask("admin", "PUT", quotas, left).await.is(200);
    cloud.delete("admin", &format!("/v3/types/{gone}")).await.is(202);

    let id = cloud.post("admin", "/v3/types", kind("old")).await.is(200).id();
    cloud.ask("admin", "PUT", quotas, json!({"quota_set": {"volumes_old": 1}})).await.is(200);
    let class = json!({"quota_class_set": {"gigabytes_old": 3}});
    cloud.ask("admin", "PUT", "/v3/os-quota-class-sets/default", class).await.is(200);
    let path = format!("/v3/types/{id}");
    cloud.ask("admin", "PUT", &path, json!({"volume_type": {"description": "d"}})).await.is(200);
    cloud.ask("admin", "PUT", &path, kind("new")).await.is(200);
    let shown = cloud.get("reader@p1", quotas).await.is(200).body["quota_set"].clone();
    let of = |resource: &str| shown[format!("{resource}_new")].clone();
    assert_eq!([of("volumes"), of("gigabytes"), of("snapshots")], [json!(1), json!(3), json!(-1)]);
    cloud.volume("member@p1", json!({"volume_type": "new"})).await;
    let over = json!({"volume": {"size": 1, "volume_type": "new"}});
    cloud.post("member@p1", "/v3/volumes", over).await.is(413);
}
