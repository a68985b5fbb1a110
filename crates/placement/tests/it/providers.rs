use http::Request;
use serde_json::json;

use crate::cloud::Cloud;

#[tokio::test]
async fn a_provider_lives() {
    let cloud = Cloud::start().await;
    let old = cloud.call("1.0", "POST", "/resource_providers", Some(json!({"name": "old"}))).await.is(201);
    assert!(old.headers["location"].to_str().unwrap().contains("/placement/resource_providers/"));
    let made = cloud.post("/resource_providers", json!({"name": "new"})).await.is(200).body;
    let uuid = made["uuid"].as_str().unwrap();
    assert_eq!((&made["generation"], &made["root_provider_uuid"]), (&json!(0), &json!(uuid)));
    assert_eq!(made["links"].as_array().unwrap().len(), 6);
    let path = format!("/resource_providers/{uuid}");
    let shown = cloud.call("1.0", "GET", &path, None).await.is(200);
    assert_eq!(shown.body["links"].as_array().unwrap().len(), 3);
    assert!(shown.body.get("root_provider_uuid").is_none());
    assert!(!shown.headers.contains_key("last-modified"));
    assert!(cloud.get(&path).await.headers.contains_key("last-modified"));
    let taken = cloud.post("/resource_providers", json!({"name": "new"})).await.is(409);
    assert_eq!(
        taken.fault(),
        ("placement.duplicate_name".into(), "Conflicting resource provider name: new already exists.".into())
    );
    assert_eq!(cloud.put(&path, json!({"name": "newer"})).await.is(200).body["name"], "newer");
    cloud.put(&path, json!({"name": "old"})).await.is(409);
    assert_eq!(cloud.get("/resource_providers?name=newer").await.body["resource_providers"][0]["uuid"], uuid);
    cloud.delete(&path).await.is(204);
    let gone = cloud.get(&path).await.is(404);
    assert_eq!(gone.fault().1, format!("No resource provider with uuid {uuid} found"));
    cloud.delete(&path).await.is(404);
}

#[tokio::test]
async fn trees() {
    let cloud = Cloud::start().await;
    let host = cloud.provider("host", None, &[]).await;
    let card = cloud.provider("card", Some(&host), &[("VGPU", 2)]).await;
    let other = cloud.provider("other", None, &[]).await;
    let path = format!("/resource_providers/{card}");
    assert_eq!(cloud.get(&path).await.body["root_provider_uuid"], host);
    let parent = cloud.delete(&format!("/resource_providers/{host}")).await.is(409);
    assert_eq!(parent.fault().0, "placement.resource_provider.cannot_delete_parent");
    let tree = cloud.get(&format!("/resource_providers?in_tree={card}")).await.body;
    assert_eq!(tree["resource_providers"].as_array().unwrap().len(), 2);
    let moved = Some(json!({"name": "card", "parent_provider_uuid": other}));
    cloud.call("1.36", "PUT", &path, moved.clone()).await.is(400);
    assert_eq!(cloud.call("1.37", "PUT", &path, moved).await.is(200).body["root_provider_uuid"], other);
    let looped = cloud
        .put(&format!("/resource_providers/{other}"), json!({"name": "other", "parent_provider_uuid": card}))
        .await
        .is(400);
    assert!(looped.fault().1.ends_with("creating loop in the provider tree is not allowed."));
    cloud
        .post("/resource_providers", json!({"name": "x", "parent_provider_uuid": base::id::uuid()}))
        .await
        .is(400);
}

#[tokio::test]
async fn filters() {
    let cloud = Cloud::start().await;
    let a = cloud.provider("a", None, &[("VCPU", 4)]).await;
    let b = cloud.provider("b", None, &[("VCPU", 1)]).await;
    let group = base::id::uuid();
    let traits = json!({"traits": ["HW_CPU_X86_VMX"], "resource_provider_generation": 1});
    cloud.put(&format!("/resource_providers/{a}/traits"), traits).await.is(200);
    let aggregates = json!({"aggregates": [group], "resource_provider_generation": 1});
    cloud.put(&format!("/resource_providers/{b}/aggregates"), aggregates).await.is(200);
    for (query, found) in [
        ("resources=VCPU:2".to_owned(), vec![&a]),
        ("resources=VCPU:1".to_owned(), vec![&a, &b]),
        ("required=HW_CPU_X86_VMX".to_owned(), vec![&a]),
        ("required=!HW_CPU_X86_VMX".to_owned(), vec![&b]),
        ("required=in:HW_CPU_X86_VMX,HW_CPU_X86_SVM".to_owned(), vec![&a]),
        (format!("member_of={group}"), vec![&b]),
        (format!("member_of=!{group}"), vec![&a]),
        (format!("member_of=in:{group},{}", base::id::uuid()), vec![&b]),
        (format!("in_tree={}", base::id::uuid()), vec![]),
    ] {
        let body = cloud.get(&format!("/resource_providers?{query}")).await.is(200).body;
        let uuids: Vec<&str> = body["resource_providers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["uuid"].as_str().unwrap())
            .collect();
        assert_eq!(uuids, found, "{query}");
    }
    for (version, query) in [
        ("1.39", "resources=VCPU"),
        ("1.39", "resources=VCPU:0"),
        ("1.39", "resources=CUSTOM_NONE:1"),
        ("1.39", "required=CUSTOM_NONE"),
        ("1.39", "required="),
        ("1.38", "required=in:HW_CPU_X86_VMX"),
        ("1.21", "required=!HW_CPU_X86_VMX"),
        ("1.17", "required=HW_CPU_X86_VMX"),
        ("1.39", "member_of=x"),
        ("1.2", "member_of=x"),
        ("1.39", "in_tree=x"),
        ("1.39", "strange=1"),
    ] {
        cloud.call(version, "GET", &format!("/resource_providers?{query}"), None).await.is(400);
    }
}

#[tokio::test]
async fn manners() {
    let cloud = Cloud::start().await;
    let build = |method: &str, path: &str| {
        Request::builder().method(method).uri(path).header("x-auth-token", "admin")
    };
    let asked =
        build("GET", "/resource_providers").header("accept", "text/plain").body(String::new()).unwrap();
    assert_eq!(cloud.ask(asked).await.is(406).fault().1, "Only application/json is provided");
    let plain =
        build("POST", "/resource_providers").header("content-type", "text/plain").body("{}".into()).unwrap();
    cloud.ask(plain).await.is(415);
    let broken = build("POST", "/resource_providers")
        .header("content-type", "application/json")
        .body("{".into())
        .unwrap();
    assert!(cloud.ask(broken).await.is(400).fault().1.starts_with("Malformed JSON"));
    let bad = cloud.post("/resource_providers", json!({"name": "a", "b": 1})).await.is(400);
    assert_eq!(
        bad.fault(),
        (
            "placement.undefined_code".into(),
            "JSON does not validate: Additional properties are not allowed ('b' was unexpected)".into()
        )
    );
    // Codes came with 1.23.
    let old = cloud.call("1.22", "POST", "/resource_providers", Some(json!({}))).await.is(400);
    assert!(old.body["errors"][0].get("code").is_none());
    let future = cloud.call("1.999", "GET", "/resource_providers", None).await.is(406);
    assert_eq!(future.body["errors"][0]["max_version"], "1.39");
    for (token, status) in [("admin", 200), ("service", 200), ("reader@p1", 403), ("member@p1", 403)] {
        let request = Request::builder().uri("/resource_providers").header("x-auth-token", token);
        cloud.ask(request.body(String::new()).unwrap()).await.is(status);
    }
    for (token, project, status) in
        [("admin", "p1", 200), ("service", "p1", 200), ("reader@p1", "p1", 200), ("reader@p1", "p2", 403)]
    {
        let request = Request::builder()
            .uri(format!("/usages?project_id={project}"))
            .header("x-auth-token", token)
            .header("openstack-api-version", "placement 1.9");
        cloud.ask(request.body(String::new()).unwrap()).await.is(status);
    }
}
