use serde_json::json;

use crate::cloud::Cloud;

#[tokio::test]
async fn stores_are_told_chosen_and_left() {
    let cloud = Cloud::start().await;
    let stores = cloud.get("reader@p1", "/v2/info/stores").await.is(200).body;
    assert_eq!(
        stores["stores"],
        json!([{"id": "file", "description": "", "default": "true"}, {"id": "second", "description": ""}])
    );
    cloud.get("member@p1", "/v2/info/stores/detail").await.is(403);
    let detail = cloud.get("admin", "/v2/info/stores/detail").await.is(200).body;
    assert_eq!(detail["stores"][1]["properties"]["data_dir"], cloud.dir.join("second").as_str());
    let methods = cloud.get("reader@p1", "/v2/info/import").await.is(200).body;
    assert_eq!(methods["import-methods"]["value"], json!(["glance-direct", "web-download", "copy-image"]));
    let path = cloud.image("member@p1", json!({})).await;
    let id = path.rsplit('/').next().unwrap();
    let put = |store: &str| {
        let request = http::Request::builder()
            .method("PUT")
            .uri(format!("{path}/file"))
            .header("x-auth-token", "member@p1");
        let request =
            request.header("content-type", "application/octet-stream").header("x-image-meta-store", store);
        request.body("data".into()).unwrap()
    };
    cloud.send(put("third")).await.is(400);
    cloud.send(put("second")).await.is(204);
    assert_eq!(cloud.get("member@p1", &path).await.body["stores"], "second");
    assert!(cloud.dir.join("second").join(id).is_file());
    cloud.get("member@p1", &format!("{path}/file?prefer=third")).await.is(400);
    let leave = |store: &str| format!("/v2/stores/{store}/{id}");
    cloud.ask("member@p1", "DELETE", &leave("second"), None).await.is(403);
    cloud.ask("member@p2", "DELETE", &leave("second"), None).await.is(404);
    cloud.ask("admin", "DELETE", &leave("third"), None).await.is(409);
    cloud.ask("admin", "DELETE", &leave("second"), None).await.is(403);
    let copy = json!({"method": {"name": "copy-image"}, "stores": ["file"]});
    cloud.ask("admin", "POST", &format!("{path}/import"), Some(copy)).await.is(202);
    cloud.until(&path, |i| i["stores"] == "file,second").await;
    cloud.ask("admin", "DELETE", &leave("second"), None).await.is(204);
    assert!(!cloud.dir.join("second").join(id).exists());
    assert_eq!(cloud.get("member@p1", &path).await.body["stores"], "file");
    assert_eq!(cloud.get("member@p1", &format!("{path}/file")).await.bytes, "data");
}

#[tokio::test]
async fn locations_are_for_services() {
    let cloud = Cloud::start().await;
    let path = cloud.active("member@p1", json!({})).await;
    cloud.get("member@p1", &format!("{path}/locations")).await.is(403);
    let list = cloud.get("admin", &format!("{path}/locations")).await.is(200).body;
    assert_eq!(list[0]["metadata"], json!({"store": "file"}));
    let queued = cloud.image("member@p1", json!({})).await;
    for (who, path, body, status) in [
        ("member@p1", &queued, json!({"url": "http://a/"}), 403),
        ("member@p1", &queued, json!({}), 400),
        ("member@p1", &queued, json!({"url": "http://a/", "validation_data": {"os_hash_value": "00"}}), 400),
        ("member@p1", &path, json!({"url": "http://a/"}), 409),
        ("member@p2", &queued, json!({"url": "http://a/"}), 404),
    ] {
        cloud.ask(who, "POST", &format!("{path}/locations"), Some(body)).await.is(status);
    }
}

#[tokio::test]
async fn versions_and_schemas() {
    let cloud = Cloud::start().await;
    let versions = cloud.get("", "/versions").await.is(200).body;
    assert_eq!(
        (&versions["versions"][0]["id"], &versions["versions"][0]["status"]),
        (&json!("v2.17"), &json!("CURRENT"))
    );
    cloud.get("", "/").await.is(300);
    for name in ["image", "images", "member", "members", "task", "tasks"] {
        assert_eq!(cloud.get("reader@p1", &format!("/v2/schemas/{name}")).await.is(200).body["name"], name);
    }
    for (name, called) in [
        ("namespace", "namespace"),
        ("namespaces", "namespaces"),
        ("object", "object"),
        ("objects", "objects"),
        ("property", "property"),
        ("properties", "properties"),
        ("tag", "tag"),
        ("tags", "tags"),
        ("resource_type", "resource_type_association"),
        ("resource_types", "resource_type_associations"),
    ] {
        let schema = cloud.get("reader@p1", &format!("/v2/schemas/metadefs/{name}")).await.is(200).body;
        assert_eq!(schema["name"], called);
    }
    cloud.get("reader@p1", "/v2/schemas/other").await.is(404);
}

#[tokio::test]
async fn there_is_no_cache_to_manage() {
    let cloud = Cloud::start().await;
    let told = cloud.get("admin", "/v2/cache").await.is(404).body;
    assert!(told.to_string().contains("Caching via API is not supported at this site."), "{told}");
    cloud.get("member@p1", "/v2/cache").await.is(403);
}
