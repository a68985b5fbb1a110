use std::net::SocketAddr;

use serde_json::{Value, json};
use web::axum::routing::get;
use web::axum::{self};

use crate::cloud::Cloud;

fn import(method: &str, also: Value) -> Option<Value> {
    let mut body = json!({"method": {"name": method}});
    body.as_object_mut().unwrap().extend(also.as_object().unwrap().clone());
    Some(body)
}

async fn staged(cloud: &Cloud, bytes: &'static str) -> String {
    let path = cloud.image("member@p1", json!({})).await;
    cloud.put_data("member@p1", &format!("{path}/stage"), bytes).await.is(204);
    path
}

#[tokio::test]
async fn staged_data_is_imported() {
    let cloud = Cloud::start().await;
    let path = staged(&cloud, "data").await;
    let seen = cloud.get("member@p1", &path).await.body;
    assert_eq!((&seen["status"], &seen["size"]), (&json!("uploading"), &json!(4)));
    cloud.put_data("member@p1", &format!("{path}/stage"), "more").await.is(409);
    cloud.put_data("member@p1", &format!("{path}/file"), "more").await.is(409);
    let both = json!({"all_stores": true});
    let asked = cloud
        .ask("member@p1", "POST", &format!("{path}/import"), import("glance-direct", both))
        .await
        .is(202);
    let seen = cloud.until(&path, |i| i["status"] == "active").await;
    assert_eq!(
        (&seen["stores"], &seen["os_glance_importing_to_stores"], &seen["os_glance_failed_import"]),
        (&json!("file,second"), &json!(""), &json!(""))
    );
    assert!(seen.get("os_glance_import_task").is_none());
    assert!(seen["os_hash_value"].is_string());
    let tasks = cloud.get("member@p1", &format!("{path}/tasks")).await.is(200).body;
    let task = &tasks["tasks"][0];
    assert_eq!((&task["status"], &task["result"]["image_id"]), (&json!("success"), &seen["id"]));
    assert_eq!(task["request_id"], asked.headers["x-openstack-request-id"].to_str().unwrap());
    assert_eq!(task["input"]["import_req"]["method"]["name"], "glance-direct");
    assert_eq!(cloud.get("member@p1", &format!("{path}/file")).await.bytes, "data");
    assert_eq!(cloud.get("member@p1", &format!("{path}/file?prefer=second")).await.bytes, "data");
    assert!(!cloud.dir.join("file/staging").join(path.rsplit('/').next().unwrap()).exists());
    cloud
        .ask("member@p1", "POST", &format!("{path}/import"), import("glance-direct", json!({})))
        .await
        .is(409);
    // An administrator sees all tasks.
    let id = task["id"].as_str().unwrap();
    cloud.get("member@p1", "/v2/tasks").await.is(403);
    assert_eq!(cloud.get("admin", "/v2/tasks?status=success").await.is(200).body["tasks"][0]["id"], id);
    assert_eq!(cloud.get("admin", &format!("/v2/tasks/{id}")).await.is(200).body["type"], "api_image_import");
    cloud.get("admin", &format!("/v2/tasks/{}", base::id::uuid())).await.is(404);
    cloud.ask("admin", "DELETE", &format!("/v2/tasks/{id}"), None).await.is(405);
}

#[tokio::test]
async fn data_that_is_something_else_fails_its_import() {
    let cloud = Cloud::start().await;
    let path = cloud.image("member@p1", json!({"disk_format": "qcow2"})).await;
    cloud.put_data("member@p1", &format!("{path}/stage"), "no qcow2").await.is(204);
    cloud
        .ask("member@p1", "POST", &format!("{path}/import"), import("glance-direct", json!({})))
        .await
        .is(202);
    let seen = cloud.until(&path, |i| i["status"] == "queued").await;
    assert_eq!((&seen["os_glance_failed_import"], &seen["size"]), (&json!("file"), &Value::Null));
    let tasks = cloud.get("member@p1", &format!("{path}/tasks")).await.body;
    assert_eq!(tasks["tasks"][0]["status"], "failure");
    assert_eq!(tasks["tasks"][0]["message"], "Image disk_format qcow2 does not match stream data raw");
}

#[tokio::test]
async fn imports_that_cannot_be() {
    let cloud = Cloud::start().await;
    let queued = cloud.image("member@p1", json!({})).await;
    let active = cloud.active("member@p1", json!({})).await;
    let bare = cloud.image("member@p1", json!({"disk_format": null})).await;
    for (path, body, status) in [
        (&queued, json!({}), 400),
        (&queued, json!({"method": {}}), 400),
        (&queued, json!({"method": {"name": "teleport"}}), 400),
        (&queued, json!({"method": {"name": "glance-direct"}}), 409),
        (&queued, json!({"method": {"name": "copy-image"}}), 409),
        (&queued, json!({"method": {"name": "web-download"}}), 400),
        (&queued, json!({"method": {"name": "web-download", "uri": "file:///etc/passwd"}}), 400),
        (&queued, json!({"method": {"name": "web-download", "uri": "http://169.254.169.254/"}}), 400),
        (&queued, json!({"method": {"name": "web-download", "uri": "http://a/"}, "stores": ["third"]}), 409),
        (&queued, json!({"method": {"name": "web-download", "uri": "http://a/"}, "all_stores": "yes"}), 400),
        (
            &queued,
            json!({"method": {"name": "web-download", "uri": "http://a/"}, "all_stores": true, "stores": ["file"]}),
            400,
        ),
        (&bare, json!({"method": {"name": "web-download", "uri": "http://a/"}}), 409),
        (&active, json!({"method": {"name": "web-download", "uri": "http://a/"}}), 409),
        (&active, json!({"method": {"name": "copy-image"}, "stores": ["second"]}), 403),
    ] {
        let answer = cloud.ask("member@p1", "POST", &format!("{path}/import"), Some(body.clone())).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
    }
    let there = import("copy-image", json!({"stores": ["file"]}));
    cloud.ask("admin", "POST", &format!("{active}/import"), there).await.is(400);
    let other = import("glance-direct", json!({}));
    cloud.ask("member@p2", "POST", &format!("{queued}/import"), other).await.is(404);
    assert_eq!(cloud.get("member@p1", &queued).await.body["status"], "queued");
}

#[tokio::test]
async fn images_are_copied_between_stores() {
    let cloud = Cloud::start().await;
    let path = cloud.active("member@p1", json!({})).await;
    cloud
        .ask("admin", "POST", &format!("{path}/import"), import("copy-image", json!({"all_stores": true})))
        .await
        .is(202);
    let seen = cloud.until(&path, |i| i["stores"] == "file,second").await;
    assert_eq!(seen["status"], "active");
    // There is nothing left to copy.
    cloud
        .ask("admin", "POST", &format!("{path}/import"), import("copy-image", json!({"all_stores": true})))
        .await
        .is(202);
    let tasks = cloud.get("member@p1", &format!("{path}/tasks")).await.body;
    assert_eq!(tasks["tasks"].as_array().unwrap().len(), 1);
}

/// A web server that has `/good`, sends away from `/moved`, and has no `/gone`.
async fn web_server() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let moved = || async { (http::StatusCode::FOUND, [("location", "/good")]) };
    let out = || async { (http::StatusCode::FOUND, [("location", "http://[::1]/")]) };
    let router = axum::Router::new()
        .route("/good", get(|| async { "from the web" }))
        .route("/moved", get(moved))
        .route("/out", get(out));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test]
async fn data_comes_from_the_web() {
    let cloud = Cloud::start().await;
    let server = web_server().await;
    for (page, status) in [("good", "active"), ("moved", "active"), ("gone", "queued"), ("out", "queued")] {
        let path = cloud.image("member@p1", json!({})).await;
        let body = json!({"method": {"name": "web-download", "uri": format!("http://{server}/{page}")}});
        cloud.ask("member@p1", "POST", &format!("{path}/import"), Some(body)).await.is(202);
        let seen = cloud.until(&path, |i| i["status"] != "importing").await;
        assert_eq!(seen["status"], status, "{page}");
        if status == "active" {
            assert_eq!(cloud.get("member@p1", &format!("{path}/file")).await.bytes, "from the web");
        } else {
            assert_eq!(seen["os_glance_failed_import"], "file");
        }
    }
}

#[tokio::test]
async fn older_tasks_make_their_image() {
    let cloud = Cloud::start().await;
    let server = web_server().await;
    let input = json!({
        "import_from": format!("http://{server}/good"), "import_from_format": "raw",
        "image_properties": {"name": "made", "container_format": "bare", "disk_format": "raw"},
    });
    let task = cloud
        .ask("admin", "POST", "/v2/tasks", Some(json!({"type": "import", "input": input})))
        .await
        .is(201);
    let path = format!("/v2/tasks/{}", task.id());
    let done = cloud.until(&path, |t| t["status"] == "success").await;
    let image = cloud
        .get("admin", &format!("/v2/images/{}", done["result"]["image_id"].as_str().unwrap()))
        .await
        .is(200);
    assert_eq!(
        (&image.body["name"], &image.body["status"], &image.body["owner"]),
        (&json!("made"), &json!("active"), &json!("admins"))
    );
    for body in [
        json!({"type": "import"}),
        json!({"type": "other", "input": {}}),
        json!({"type": "import", "input": {"import_from": "http://127.0.0.2:1/"}}),
        json!({"type": "import", "input": {"import_from": "ftp://a/", "import_from_format": "raw", "image_properties": {}}}),
    ] {
        cloud.ask("admin", "POST", "/v2/tasks", Some(body)).await.is(400);
    }
}

#[tokio::test]
async fn imports_and_staged_data_survive_a_kill() {
    let cloud = Cloud::start().await;
    let waiting = staged(&cloud, "waiting").await;
    let path = staged(&cloud, "data").await;
    cloud.glance.stop();
    cloud
        .ask("member@p1", "POST", &format!("{path}/import"), import("glance-direct", json!({})))
        .await
        .is(202);
    assert_eq!(cloud.get("admin", &path).await.body["status"], "importing");
    let cloud = cloud.again().await;
    cloud.until(&path, |i| i["status"] == "active").await;
    assert_eq!(cloud.get("admin", &waiting).await.body["status"], "uploading");
    cloud
        .ask("member@p1", "POST", &format!("{waiting}/import"), import("glance-direct", json!({})))
        .await
        .is(202);
    cloud.until(&waiting, |i| i["status"] == "active").await;
}

#[tokio::test]
async fn an_image_that_is_deleted_ends_its_import() {
    let cloud = Cloud::start().await;
    let path = staged(&cloud, "data").await;
    cloud.glance.stop();
    cloud
        .ask("member@p1", "POST", &format!("{path}/import"), import("glance-direct", json!({})))
        .await
        .is(202);
    cloud.ask("member@p1", "DELETE", &path, None).await.is(204);
    let cloud = cloud.again().await;
    for _ in 0..500 {
        let tasks = cloud.get("admin", "/v2/tasks").await.body;
        if tasks["tasks"][0]["status"] == "failure" {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the task did not end");
}
