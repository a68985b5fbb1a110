use placement::{Provider, Ratios, Resources};
use serde_json::{Value, json};

use crate::cloud::Cloud;

fn body(provider: &str, resources: impl Into<Value>, generation: Option<i64>) -> Value {
    json!({
        "allocations": {(provider): {"resources": resources.into()}}, "project_id": "p", "user_id": "u",
        "consumer_generation": generation, "consumer_type": "INSTANCE",
    })
}

#[tokio::test]
async fn a_consumer_takes_changes_and_returns() {
    let cloud = Cloud::start().await;
    let uuid = cloud.provider("a", None, &[("VCPU", 4), ("MEMORY_MB", 64)]).await;
    let consumer = base::id::uuid();
    let path = format!("/allocations/{consumer}");
    cloud.put(&path, body(&uuid, json!({"VCPU": 1}), Some(0))).await.is(409);
    cloud.put(&path, body(&uuid, json!({"VCPU": 1, "MEMORY_MB": 32}), None)).await.is(204);
    let shown = cloud.get(&path).await.is(200).body;
    assert_eq!(
        shown,
        json!({
            "allocations": {(uuid.clone()): {"resources": {"MEMORY_MB": 32, "VCPU": 1}, "generation": 2}},
            "project_id": "p", "user_id": "u", "consumer_generation": 1, "consumer_type": "INSTANCE",
        })
    );
    let again = cloud.put(&path, body(&uuid, json!({"VCPU": 2}), None)).await.is(409);
    assert_eq!(again.fault().0, "placement.concurrent_update");
    assert_eq!(again.fault().1, "consumer generation conflict - expected 1 but got None");
    cloud.put(&path, body(&uuid, json!({"VCPU": 4}), Some(1))).await.is(204);
    let other = format!("/allocations/{}", base::id::uuid());
    let full = cloud.put(&other, body(&uuid, json!({"VCPU": 1}), None)).await.is(409);
    assert!(
        full.fault().1.ends_with("The requested amount would exceed the capacity."),
        "{full:?}",
        full = full.body
    );
    assert_eq!(cloud.get(&other).await.body, json!({"allocations": {}}));
    let by_provider = cloud.get(&format!("/resource_providers/{uuid}/allocations")).await.is(200).body;
    assert_eq!(
        by_provider["allocations"][&consumer],
        json!({"resources": {"VCPU": 4}, "consumer_generation": 2})
    );
    let usages = cloud.get("/usages?project_id=p").await.is(200).body;
    assert_eq!(usages, json!({"usages": {"INSTANCE": {"consumer_count": 1, "VCPU": 4}}}));
    assert_eq!(
        cloud.call("1.9", "GET", "/usages?project_id=p&user_id=u", None).await.body,
        json!({"usages": {"VCPU": 4}})
    );
    assert_eq!(cloud.get("/usages?project_id=p&consumer_type=all").await.body["usages"]["all"]["VCPU"], 4);
    cloud.get("/usages").await.is(400);
    // Empty allocations give everything back, and the consumer is forgotten.
    let mut none = body(&uuid, json!({"VCPU": 1}), Some(2));
    none["allocations"] = json!({});
    cloud.put(&path, none).await.is(204);
    cloud.delete(&path).await.is(404);
    cloud.put(&path, body(&uuid, json!({"VCPU": 1}), None)).await.is(204);
    cloud.delete(&path).await.is(204);
}

#[tokio::test]
async fn older_bodies_and_bad_ones() {
    let cloud = Cloud::start().await;
    let uuid = cloud.provider("a", None, &[("VCPU", 4)]).await;
    let path = format!("/allocations/{}", base::id::uuid());
    let list = json!([{"resource_provider": {"uuid": uuid}, "resources": {"VCPU": 1}}]);
    cloud.call("1.0", "PUT", &path, Some(json!({"allocations": list}))).await.is(204);
    cloud.call("1.8", "PUT", &path, Some(json!({"allocations": list}))).await.is(400);
    cloud
        .call("1.8", "PUT", &path, Some(json!({"allocations": list, "project_id": "p", "user_id": "u"})))
        .await
        .is(204);
    let shown = cloud.call("1.11", "GET", &path, None).await.body;
    assert!(shown.get("project_id").is_none());
    let unknown = cloud.put(&path, body(&base::id::uuid(), json!({"VCPU": 1}), Some(2))).await.is(400);
    assert!(unknown.fault().1.ends_with("that does not exist."));
    for (resources, status) in [
        (json!({"VCPU": 0}), 400),
        (json!({"CUSTOM_NONE": 1}), 400),
        (json!({"MEMORY_MB": 1}), 409),
        (json!({}), 400),
    ] {
        cloud.put(&path, body(&uuid, resources, Some(2))).await.is(status);
    }
    cloud.put("/allocations/x", body(&uuid, json!({"VCPU": 1}), None)).await.is(400);
}

#[tokio::test]
async fn many_at_once_or_none() {
    let cloud = Cloud::start().await;
    let uuid = cloud.provider("a", None, &[("VCPU", 4)]).await;
    let (x, y) = (base::id::uuid(), base::id::uuid());
    let both = json!({(x.clone()): body(&uuid, json!({"VCPU": 3}), None), (y.clone()): body(&uuid, json!({"VCPU": 3}), None)});
    cloud.post("/allocations", both).await.is(409);
    assert_eq!(cloud.get(&format!("/allocations/{x}")).await.body, json!({"allocations": {}}));
    let both = json!({(x.clone()): body(&uuid, json!({"VCPU": 1}), None), (y.clone()): body(&uuid, json!({"VCPU": 3}), None)});
    cloud.post("/allocations", both).await.is(204);
    cloud.call("1.12", "POST", "/allocations", Some(json!({}))).await.is(404);
    // From one to the other, as a resize does it.
    let mut empty = body(&uuid, json!({"VCPU": 1}), Some(1));
    empty["allocations"] = json!({});
    let swap = json!({(x.clone()): empty, (y.clone()): body(&uuid, json!({"VCPU": 4}), Some(1))});
    cloud.post("/allocations", swap).await.is(204);
    assert_eq!(cloud.get(&format!("/allocations/{y}")).await.body["consumer_generation"], 2);
}

#[tokio::test]
async fn reshaping_moves_inventory_and_allocations_together() {
    let cloud = Cloud::start().await;
    let host = cloud.provider("host", None, &[("VCPU", 4), ("VGPU", 2)]).await;
    let card = cloud.provider("card", Some(&host), &[]).await;
    let consumer = base::id::uuid();
    cloud
        .put(&format!("/allocations/{consumer}"), body(&host, json!({"VCPU": 1, "VGPU": 1}), None))
        .await
        .is(204);
    let mut moved = body(&host, json!({"VCPU": 1}), Some(1));
    moved["allocations"][&card] = json!({"resources": {"VGPU": 1}});
    let shape = |generation: i64, consumer_body: &Value| {
        json!({
            "inventories": {
                (host.clone()): {"resource_provider_generation": generation, "inventories": {"VCPU": {"total": 4}}},
                (card.clone()): {"resource_provider_generation": 0, "inventories": {"VGPU": {"total": 2}}},
            },
            "allocations": {(consumer.clone()): consumer_body},
        })
    };
    let stale = cloud.post("/reshaper", shape(1, &moved)).await.is(409);
    assert_eq!(stale.fault().0, "placement.concurrent_update");
    // What stays allocated at the host keeps its inventory there.
    let left = body(&host, json!({"VCPU": 1, "VGPU": 1}), Some(1));
    assert_eq!(cloud.post("/reshaper", shape(2, &left)).await.is(409).fault().0, "placement.inventory.inuse");
    cloud.post("/reshaper", shape(2, &moved)).await.is(204);
    let usages = cloud.get(&format!("/resource_providers/{card}/usages")).await.body;
    assert_eq!(usages["usages"], json!({"VGPU": 1}));
    cloud.call("1.29", "POST", "/reshaper", Some(json!({}))).await.is(404);
}

#[tokio::test]
async fn claims_of_this_process_are_seen() {
    let cloud = Cloud::start().await;
    let provider = Provider { uuid: base::id::uuid(), name: "host".into() };
    cloud.placement.set_inventory(&provider, 2, 1024, 10, Ratios::default()).await.unwrap();
    let wanted = Resources { vcpus: 8, memory_mib: 512, disk_gib: 0 };
    let consumer = base::id::uuid();
    cloud.placement.claim(&consumer, "p", "u", wanted).await.unwrap_err();
    let wanted = Resources { vcpus: 2, ..wanted };
    for _ in 0..2 {
        cloud.placement.claim(&consumer, "p", "u", wanted).await.unwrap();
    }
    assert_eq!(cloud.placement.usage().await.unwrap(), wanted);
    let shown = cloud.get(&format!("/allocations/{consumer}")).await.body;
    assert_eq!((&shown["consumer_type"], &shown["project_id"]), (&json!("INSTANCE"), &json!("p")));
    cloud.placement.release(&consumer).await.unwrap();
    assert_eq!(cloud.placement.usage().await.unwrap(), Resources::default());
}
