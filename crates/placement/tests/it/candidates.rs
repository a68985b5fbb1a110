use serde_json::json;

use crate::cloud::Cloud;

#[tokio::test]
async fn candidates_by_version() {
    let cloud = Cloud::start().await;
    let a = cloud.provider("a", None, &[("VCPU", 4), ("MEMORY_MB", 64)]).await;
    let b = cloud.provider("b", None, &[("VCPU", 1)]).await;
    let found = cloud.get("/allocation_candidates?resources=VCPU:2").await.is(200).body;
    assert_eq!(
        found["allocation_requests"],
        json!([
            {"allocations": {(a.clone()): {"resources": {"VCPU": 2}}}, "mappings": {"": [a]}}
        ])
    );
    assert_eq!(found["provider_summaries"][&a]["resources"]["MEMORY_MB"], json!({"capacity": 64, "used": 0}));
    assert!(found["provider_summaries"].get(&b).is_none());
    let old = cloud.call("1.10", "GET", "/allocation_candidates?resources=VCPU:1", None).await.is(200).body;
    assert_eq!(old["allocation_requests"].as_array().unwrap().len(), 2);
    assert_eq!(old["allocation_requests"][0]["allocations"][0]["resource_provider"]["uuid"], a);
    assert_eq!(old["provider_summaries"][&a], json!({"resources": {"VCPU": {"capacity": 4, "used": 0}}}));
    cloud.call("1.9", "GET", "/allocation_candidates?resources=VCPU:1", None).await.is(404);
    let one = cloud.get("/allocation_candidates?resources=VCPU:1&limit=1").await.body;
    assert_eq!(one["allocation_requests"].as_array().unwrap().len(), 1);
    let named = cloud
        .get("/allocation_candidates?resources_A=VCPU:1&resources_B=MEMORY_MB:1&group_policy=none")
        .await;
    let uuids = &named.is(200).body["allocation_requests"];
    assert_eq!(uuids[0]["mappings"], json!({"_A": [a], "_B": [a]}));
    assert_eq!(uuids.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn bad_questions() {
    let cloud = Cloud::start().await;
    for (version, query, code) in [
        ("1.39", "", "placement.query.missing_value"),
        ("1.35", "", "placement.undefined_code"),
        ("1.39", "resources=VCPU", "placement.undefined_code"),
        ("1.39", "resources=CUSTOM_NONE:1", "placement.undefined_code"),
        ("1.39", "resources=VCPU:1&required=CUSTOM_NONE", "placement.undefined_code"),
        ("1.39", "resources=VCPU:1&required=HW_CPU_X86_VMX,!HW_CPU_X86_VMX", "placement.undefined_code"),
        ("1.39", "resources1=VCPU:1&resources2=VCPU:1", "placement.undefined_code"),
        ("1.39", "resources=VCPU:1&limit=0", "placement.undefined_code"),
        ("1.39", "resources=VCPU:1&root_required=A&root_required=B", "placement.query.duplicate_key"),
        ("1.39", "resources=VCPU:1&required1=HW_CPU_X86_VMX", "placement.query.bad_value"),
        ("1.39", "resources=VCPU:1&same_subtree=x", "placement.query.bad_value"),
        ("1.35", "resources=VCPU:1&required1=HW_CPU_X86_VMX", "placement.undefined_code"),
        ("1.32", "resources_A=VCPU:1", "placement.undefined_code"),
        ("1.39", "resources=VCPU:1&in_tree=x", "placement.undefined_code"),
        ("1.39", "resources=VCPU:1&group_policy=some", "placement.undefined_code"),
    ] {
        let answer =
            cloud.call(version, "GET", &format!("/allocation_candidates?{query}"), None).await.is(400);
        assert_eq!(answer.fault().0, code, "{query}: {}", answer.body);
    }
}
