use serde_json::json;

use crate::cloud::Cloud;

#[tokio::test]
async fn an_inventory_lives() {
    let cloud = Cloud::start().await;
    let uuid = cloud.provider("a", None, &[]).await;
    let path = format!("/resource_providers/{uuid}/inventories");
    let made = cloud
        .post(&path, json!({"resource_class": "VCPU", "total": 8, "allocation_ratio": 4.0}))
        .await
        .is(201);
    assert_eq!(
        made.body,
        json!({
            "total": 8, "reserved": 0, "min_unit": 1, "max_unit": 2147483647, "step_size": 1, "allocation_ratio": 4.0,
            "resource_provider_generation": 1,
        })
    );
    let twice = cloud.post(&path, json!({"resource_class": "VCPU", "total": 8})).await.is(409);
    assert_eq!(twice.fault().0, "placement.concurrent_update");
    let stale = json!({"total": 4, "resource_provider_generation": 0});
    let stale = cloud.put(&format!("{path}/VCPU"), stale).await.is(409);
    assert_eq!(
        stale.fault(),
        ("placement.concurrent_update".into(), "resource provider generation conflict".into())
    );
    cloud.put(&format!("{path}/VCPU"), json!({"total": 4, "resource_provider_generation": 1})).await.is(200);
    cloud
        .put(&format!("{path}/DISK_GB"), json!({"total": 4, "resource_provider_generation": 2}))
        .await
        .is(400);
    let set =
        json!({"resource_provider_generation": 2, "inventories": {"DISK_GB": {"total": 9, "reserved": 9}}});
    let closed = cloud.call("1.25", "PUT", &path, Some(set.clone())).await.is(400);
    assert!(closed.body["errors"][0]["detail"].as_str().unwrap().contains("greater than or equal to total"));
    let whole = cloud.put(&path, set).await.is(200).body;
    assert_eq!(
        (&whole["resource_provider_generation"], whole["inventories"].as_object().unwrap().len()),
        (&json!(3), 1)
    );
    assert_eq!(cloud.get(&format!("{path}/DISK_GB")).await.is(200).body["total"], 9);
    cloud.get(&format!("{path}/VCPU")).await.is(404);
    cloud.call("1.4", "DELETE", &path, None).await.is(405);
    cloud.delete(&path).await.is(204);
    cloud.delete(&format!("{path}/DISK_GB")).await.is(404);
    for body in [
        json!({"resource_class": "VCPU", "total": 0}),
        json!({"resource_class": "VCPU", "total": 1, "reserved": 2}),
        json!({"resource_class": "vcpu", "total": 1}),
        json!({"resource_class": "CUSTOM_NONE", "total": 1}),
        json!({"resource_class": "VCPU", "total": "1"}),
        json!({"total": 1}),
    ] {
        cloud.post(&path, body.clone()).await.is(400);
    }
}

#[tokio::test]
async fn what_is_used_stays() {
    let cloud = Cloud::start().await;
    let uuid = cloud.provider("a", None, &[("VCPU", 8), ("MEMORY_MB", 64)]).await;
    let consumer = base::id::uuid();
    let body = json!({
        "allocations": {(uuid.clone()): {"resources": {"VCPU": 2}}}, "project_id": "p", "user_id": "u",
        "consumer_generation": null, "consumer_type": "INSTANCE",
    });
    cloud.put(&format!("/allocations/{consumer}"), body).await.is(204);
    let path = format!("/resource_providers/{uuid}/inventories");
    let usages = cloud.get(&format!("/resource_providers/{uuid}/usages")).await.is(200).body;
    assert_eq!(usages["usages"], json!({"VCPU": 2, "MEMORY_MB": 0}));
    let generation = &usages["resource_provider_generation"];
    let used =
        json!({"resource_provider_generation": generation, "inventories": {"MEMORY_MB": {"total": 64}}});
    assert_eq!(cloud.put(&path, used).await.is(409).fault().0, "placement.inventory.inuse");
    assert_eq!(cloud.delete(&path).await.is(409).fault().0, "placement.inventory.inuse");
    assert_eq!(cloud.delete(&format!("{path}/VCPU")).await.is(409).fault().0, "placement.concurrent_update");
    let busy = cloud.delete(&format!("/resource_providers/{uuid}")).await.is(409);
    assert_eq!(busy.fault().0, "placement.resource_provider.inuse");
    cloud.delete(&format!("/allocations/{consumer}")).await.is(204);
    cloud.delete(&format!("/resource_providers/{uuid}")).await.is(204);
}
