//! Resource classes, traits and aggregates.

use serde_json::json;

use crate::cloud::Cloud;

#[tokio::test]
async fn resource_classes() {
    let cloud = Cloud::start().await;
    cloud.call("1.1", "GET", "/resource_classes", None).await.is(404);
    let all = cloud.get("/resource_classes").await.is(200).body;
    assert_eq!(all["resource_classes"][0]["name"], "VCPU");
    cloud.call("1.7", "PUT", "/resource_classes/CUSTOM_A", None).await.is(201);
    cloud.call("1.7", "PUT", "/resource_classes/CUSTOM_A", None).await.is(204);
    cloud.call("1.7", "PUT", "/resource_classes/VCPU", None).await.is(400);
    cloud.post("/resource_classes", json!({"name": "CUSTOM_A"})).await.is(409);
    cloud.post("/resource_classes", json!({"name": "PLAIN"})).await.is(400);
    cloud.call("1.6", "PUT", "/resource_classes/CUSTOM_A", Some(json!({"name": "CUSTOM_B"}))).await.is(200);
    cloud.get("/resource_classes/CUSTOM_A").await.is(404);
    cloud.provider("a", None, &[("CUSTOM_B", 1)]).await;
    cloud.delete("/resource_classes/CUSTOM_B").await.is(409);
    cloud.delete("/resource_classes/VCPU").await.is(400);
    cloud.delete("/resource_classes/CUSTOM_C").await.is(404);
}

#[tokio::test]
async fn traits() {
    let cloud = Cloud::start().await;
    cloud.get("/traits/HW_CPU_X86_VMX").await.is(204);
    cloud.get("/traits/CUSTOM_A").await.is(404);
    cloud.call("1.39", "PUT", "/traits/CUSTOM_A", None).await.is(201);
    cloud.call("1.39", "PUT", "/traits/CUSTOM_A", None).await.is(204);
    cloud.call("1.39", "PUT", "/traits/PLAIN", None).await.is(400);
    assert_eq!(cloud.get("/traits?name=startswith:CUSTOM_").await.body, json!({"traits": ["CUSTOM_A"]}));
    assert_eq!(cloud.get("/traits?name=in:CUSTOM_A,CUSTOM_B").await.body, json!({"traits": ["CUSTOM_A"]}));
    let uuid = cloud.provider("a", None, &[]).await;
    let path = format!("/resource_providers/{uuid}/traits");
    let set = |names: &[&str], generation: i64| json!({"traits": names, "resource_provider_generation": generation});
    let done = cloud.put(&path, set(&["CUSTOM_A"], 0)).await.is(200).body;
    assert_eq!(done, json!({"traits": ["CUSTOM_A"], "resource_provider_generation": 1}));
    assert_eq!(cloud.put(&path, set(&[], 0)).await.is(409).fault().0, "placement.concurrent_update");
    cloud.put(&path, set(&["CUSTOM_NONE"], 1)).await.is(400);
    assert_eq!(cloud.get("/traits?associated=true").await.body, json!({"traits": ["CUSTOM_A"]}));
    cloud.get("/traits?associated=maybe").await.is(400);
    cloud.delete("/traits/CUSTOM_A").await.is(409);
    cloud.delete(&path).await.is(204);
    assert_eq!(cloud.get(&path).await.body, json!({"traits": [], "resource_provider_generation": 2}));
    cloud.delete("/traits/CUSTOM_A").await.is(204);
    cloud.delete("/traits/HW_CPU_X86_VMX").await.is(400);
}

#[tokio::test]
async fn aggregates() {
    let cloud = Cloud::start().await;
    let uuid = cloud.provider("a", None, &[]).await;
    let path = format!("/resource_providers/{uuid}/aggregates");
    let group = base::id::uuid();
    cloud.call("1.0", "GET", &path, None).await.is(404);
    let plain = cloud.call("1.1", "PUT", &path, Some(json!([group]))).await.is(200).body;
    assert_eq!(plain, json!({"aggregates": [group]}));
    let guarded =
        cloud.put(&path, json!({"aggregates": [], "resource_provider_generation": 0})).await.is(200).body;
    assert_eq!(guarded, json!({"aggregates": [], "resource_provider_generation": 1}));
    let stale = cloud.put(&path, json!({"aggregates": [], "resource_provider_generation": 0})).await.is(409);
    assert_eq!(stale.fault().0, "placement.concurrent_update");
    cloud.put(&path, json!({"aggregates": ["x"], "resource_provider_generation": 1})).await.is(400);
    cloud.put(&path, json!({"aggregates": [group, group], "resource_provider_generation": 1})).await.is(400);
}
