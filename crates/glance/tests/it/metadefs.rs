use serde_json::{Value, json};

use crate::cloud::Cloud;

const ALL: &str = "/v2/metadefs/namespaces";

async fn namespace(cloud: &Cloud, name: &str, also: Value) {
    let mut body = json!({"namespace": name});
    body.as_object_mut().unwrap().extend(also.as_object().unwrap().clone());
    cloud.ask("admin", "POST", ALL, Some(body)).await.is(201);
}

#[tokio::test]
async fn a_namespace_lives() {
    let cloud = Cloud::start().await;
    let whole = json!({
        "namespace": "ns", "visibility": "public", "display_name": "N", "protected": true,
        "resource_type_associations": [{"name": "OS::Glance::Image", "prefix": "hw_"}],
        "properties": {"p": {"title": "P", "type": "string"}},
        "objects": [{"name": "o", "required": ["q"], "properties": {"q": {"title": "Q", "type": "integer"}}}],
        "tags": [{"name": "t"}],
    });
    let made = cloud.ask("admin", "POST", ALL, Some(whole.clone())).await.is(201);
    assert_eq!(made.headers["location"], "/v2/metadefs/namespaces/ns");
    cloud.ask("admin", "POST", ALL, Some(whole)).await.is(409);
    let path = format!("{ALL}/ns");
    let shown = cloud.get("reader@p1", &path).await.is(200).body;
    assert_eq!((&shown["properties"]["p"]["title"], &shown["tags"]), (&json!("P"), &json!([{"name": "t"}])));
    let prefixed = cloud.get("reader@p1", &format!("{path}?resource_type=OS::Glance::Image")).await.body;
    assert!(
        prefixed["properties"]["hw_p"].is_object()
            && prefixed["objects"][0]["properties"]["hw_q"].is_object()
    );
    assert_eq!(prefixed["objects"][0]["required"], json!(["hw_q"]));
    cloud.ask("admin", "DELETE", &path, None).await.is(403);
    let update = json!({"namespace": "other", "visibility": "private"});
    let renamed = cloud.ask("admin", "PUT", &path, Some(update)).await.is(200).body;
    assert_eq!((&renamed["visibility"], &renamed["protected"]), (&json!("private"), &json!(false)));
    cloud.get("admin", &path).await.is(404);
    let path = format!("{ALL}/other");
    assert_eq!(cloud.get("admin", &path).await.body["objects"][0]["name"], "o");
    cloud.get("reader@p1", &path).await.is(404);
    cloud.ask("admin", "DELETE", &path, None).await.is(204);
    cloud.get("admin", &path).await.is(404);
    for (body, status) in [
        (json!({}), 400),
        (json!({"namespace": "x", "visibility": "shared"}), 400),
        (json!({"namespace": "x".repeat(81)}), 400),
        (json!({"namespace": "x", "self": "y"}), 403),
        (json!({"namespace": "x", "properties": {"p": {"type": "string"}}}), 400),
        (json!({"namespace": "x", "strange": 1}), 400),
    ] {
        cloud.ask("admin", "POST", ALL, Some(body)).await.is(status);
    }
}

#[tokio::test]
async fn who_sees_and_changes_definitions() {
    let cloud = Cloud::start().await;
    for (name, owner, visibility) in [("a", "p1", "private"), ("b", "p2", "private"), ("c", "p2", "public")] {
        namespace(&cloud, name, json!({"owner": owner, "visibility": visibility})).await;
    }
    for (name, reads, changes) in [("a", 200, 403), ("b", 404, 404), ("c", 200, 403)] {
        let path = format!("{ALL}/{name}");
        cloud.get("reader@p1", &path).await.is(reads);
        for list in ["objects", "properties", "tags", "resource_types"] {
            cloud.get("reader@p1", &format!("{path}/{list}")).await.is(reads);
        }
        for (method, at, body) in [
            ("PUT", path.clone(), Some(json!({"namespace": name}))),
            ("DELETE", path.clone(), None),
            ("POST", format!("{path}/objects"), Some(json!({"name": "o"}))),
            (
                "POST",
                format!("{path}/properties"),
                Some(json!({"name": "p", "title": "P", "type": "string"})),
            ),
            ("POST", format!("{path}/tags/t"), None),
            ("POST", format!("{path}/tags"), Some(json!({"tags": []}))),
            ("POST", format!("{path}/resource_types"), Some(json!({"name": "r"}))),
            ("DELETE", format!("{path}/tags"), None),
        ] {
            let answer = cloud.ask("member@p1", method, &at, body).await;
            assert_eq!(answer.status, changes, "{method} {at}");
        }
    }
    cloud.ask("member@p1", "POST", ALL, Some(json!({"namespace": "d"}))).await.is(403);
    let list = cloud.get("reader@p1", &format!("{ALL}?visibility=private")).await.is(200).body;
    assert_eq!(list["namespaces"].as_array().unwrap().len(), 1);
    let page = cloud.get("reader@p1", &format!("{ALL}?limit=1")).await.body;
    assert_eq!(
        (&page["namespaces"][0]["namespace"], &page["next"]),
        (&json!("c"), &json!("/v2/metadefs/namespaces?limit=1&marker=c"))
    );
    let typed = cloud.get("reader@p1", &format!("{ALL}?resource_types=OS::Nova::Flavor")).await.body;
    assert!(
        typed["namespaces"].as_array().unwrap().iter().all(|n| n["resource_type_associations"].is_array())
    );
    cloud.get("reader@p1", &format!("{ALL}?marker=none")).await.is(404);
}

#[tokio::test]
async fn objects_properties_and_tags() {
    let cloud = Cloud::start().await;
    namespace(&cloud, "n", json!({"visibility": "public"})).await;
    let path = |rest: &str| format!("{ALL}/n/{rest}");
    let object =
        json!({"name": "o", "description": "d", "properties": {"q": {"title": "Q", "type": "integer"}}});
    let made = cloud.ask("admin", "POST", &path("objects"), Some(object.clone())).await.is(201).body;
    assert_eq!((&made["self"], &made["description"]), (&json!(path("objects/o")), &json!("d")));
    cloud.ask("admin", "POST", &path("objects"), Some(object)).await.is(409);
    cloud.ask("admin", "PUT", &path("objects/o"), Some(json!({"name": "p"}))).await.is(200);
    cloud.get("reader@p1", &path("objects/o")).await.is(404);
    assert_eq!(cloud.get("reader@p1", &path("objects")).await.body["objects"][0]["name"], "p");
    cloud.ask("admin", "DELETE", &path("objects/p"), None).await.is(204);
    let property = json!({"name": "p", "title": "P", "type": "string", "enum": ["a"]});
    cloud.ask("admin", "POST", &path("properties"), Some(property.clone())).await.is(201);
    assert_eq!(cloud.get("reader@p1", &path("properties/p")).await.is(200).body["enum"], json!(["a"]));
    cloud
        .ask("admin", "POST", &path("resource_types"), Some(json!({"name": "T", "prefix": "t_"})))
        .await
        .is(201);
    cloud.ask("admin", "POST", &path("resource_types"), Some(json!({"name": "T"}))).await.is(409);
    cloud.get("reader@p1", &path("properties/t_p?resource_type=T")).await.is(200);
    cloud.get("reader@p1", &path("properties/p?resource_type=T")).await.is(404);
    cloud.ask("admin", "POST", &path("properties"), Some(json!({"name": "x", "title": "X"}))).await.is(400);
    cloud.ask("admin", "DELETE", &path("properties"), None).await.is(204);
    assert_eq!(cloud.get("reader@p1", &path("properties")).await.body, json!({"properties": {}}));
    cloud
        .ask("admin", "POST", &path("tags"), Some(json!({"tags": [{"name": "a"}, {"name": "b"}]})))
        .await
        .is(201);
    cloud.ask("admin", "POST", &path("tags/A"), None).await.is(409);
    cloud.ask("admin", "POST", &path("tags/c"), None).await.is(201);
    cloud.ask("admin", "PUT", &path("tags/c"), Some(json!({"name": "d"}))).await.is(200);
    assert_eq!(
        cloud.get("reader@p1", &path("tags?sort_key=name&sort_dir=asc&limit=2")).await.body,
        json!({"tags": [{"name": "a"}, {"name": "b"}]})
    );
    cloud.ask("admin", "DELETE", &path("tags/d"), None).await.is(204);
    cloud.ask("admin", "POST", &path("tags"), Some(json!({"tags": [{"name": "z"}]}))).await.is(201);
    assert_eq!(cloud.get("reader@p1", &path("tags")).await.body, json!({"tags": [{"name": "z"}]}));
    cloud.ask("admin", "DELETE", &path("resource_types/T"), None).await.is(204);
    cloud.ask("admin", "DELETE", &path("resource_types/T"), None).await.is(404);
    let types = cloud.get("reader@p1", "/v2/metadefs/resource_types").await.is(200).body;
    assert!(types["resource_types"].as_array().unwrap().iter().any(|t| t["name"] == "T"));
}

#[tokio::test]
async fn every_cloud_starts_with_definitions_once() {
    let cloud = Cloud::start().await;
    let first = cloud.get("reader@p1", ALL).await.is(200).body["namespaces"].as_array().unwrap().len();
    assert!(first > 5);
    let name = "OS::Compute::Watchdog";
    let update = json!({"namespace": name, "visibility": "public", "protected": false});
    cloud.ask("admin", "PUT", &format!("{ALL}/{name}"), Some(update)).await.is(200);
    cloud.ask("admin", "DELETE", &format!("{ALL}/{name}"), None).await.is(204);
    let cloud = cloud.again().await;
    cloud.get("reader@p1", &format!("{ALL}/{name}")).await.is(404);
}
