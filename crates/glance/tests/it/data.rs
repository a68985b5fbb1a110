use bytes::Bytes;
use md5::{Digest, Md5};
use serde_json::{Value, json};
use sha2::Sha512;
use web::axum::body::Body;

use crate::cloud::Cloud;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn digests(bytes: &[u8]) -> (Value, Value) {
    (json!(hex(&Md5::digest(bytes))), json!(hex(&Sha512::digest(bytes))))
}

#[tokio::test]
async fn data_goes_in_and_out() {
    let cloud = Cloud::start().await;
    let path = cloud.image("member@p1", json!({})).await;
    let file = format!("{path}/file");
    cloud.get("member@p1", &file).await.is(204);
    let plain = http::Request::builder().method("PUT").uri(&file).header("x-auth-token", "member@p1");
    cloud.send(plain.header("content-type", "text/plain").body("x".into()).unwrap()).await.is(415);
    cloud.put_data("member@p1", &file, "some data").await.is(204);
    let shown = cloud.get("member@p1", &path).await.body;
    assert_eq!(
        (&shown["status"], &shown["size"], &shown["virtual_size"], &shown["stores"]),
        (&json!("active"), &json!(9), &json!(9), &json!("file"))
    );
    assert_eq!((shown["checksum"].clone(), shown["os_hash_value"].clone()), digests(b"some data"));
    assert_eq!(shown["os_hash_algo"], "sha512");
    let down = cloud.get("member@p1", &file).await.is(200);
    assert_eq!(down.bytes, "some data");
    assert_eq!(down.headers["content-md5"], shown["checksum"].as_str().unwrap());
    let part =
        http::Request::builder().uri(&file).header("x-auth-token", "member@p1").header("range", "bytes=5-");
    let part = cloud.send(part.body(Body::empty()).unwrap()).await.is(206);
    assert_eq!(part.bytes, "data");
    assert_eq!(part.headers["content-range"], "bytes 5-8/9");
    let outside =
        http::Request::builder().uri(&file).header("x-auth-token", "member@p1").header("range", "bytes=9-");
    cloud.send(outside.body(Body::empty()).unwrap()).await.is(416);
    cloud.put_data("member@p1", &file, "again").await.is(409);
    cloud.ask("member@p1", "POST", &format!("{path}/actions/deactivate"), None).await.is(204);
    cloud.get("member@p1", &file).await.is(403);
    cloud.get("admin", &file).await.is(200);
    cloud.ask("member@p1", "POST", &format!("{path}/actions/reactivate"), None).await.is(204);
    cloud.get("member@p1", &file).await.is(200);
    let id = path.rsplit('/').next().unwrap();
    assert!(cloud.dir.join("file").join(id).is_file());
    cloud.ask("member@p1", "DELETE", &path, None).await.is(204);
    assert!(!cloud.dir.join("file").join(id).exists());
}

#[tokio::test]
async fn large_data_is_hashed_afterwards() {
    let cloud = Cloud::start().await;
    let bytes = Bytes::from((0..20_000_000_u32).map(|n| (n % 251) as u8).collect::<Vec<_>>());
    let path = cloud.image("member@p1", json!({})).await;
    cloud.put_data("member@p1", &format!("{path}/file"), bytes.clone()).await.is(204);
    // Looking at the image waits for its digests.
    let shown = cloud.get("member@p1", &path).await.is(200).body;
    assert_eq!((shown["checksum"].clone(), shown["os_hash_value"].clone()), digests(&bytes));
    assert_eq!(cloud.get("member@p1", &format!("{path}/tasks")).await.is(200).body["tasks"], json!([]));
    assert_eq!(cloud.get("member@p1", &format!("{path}/file")).await.is(200).bytes, bytes);
}

#[tokio::test]
async fn data_that_a_crash_took_is_given_up() {
    let cloud = Cloud::start().await;
    let bytes = Bytes::from(vec![7_u8; 9 << 20]);
    let path = cloud.image("member@p1", json!({})).await;
    let id = path.rsplit('/').next().unwrap().to_owned();
    cloud.glance.stop();
    cloud.put_data("member@p1", &format!("{path}/file"), bytes).await.is(204);
    let tasks = cloud.get("member@p1", &format!("{path}/tasks")).await.is(200).body["tasks"].clone();
    assert_eq!(
        (&tasks[0]["type"], &tasks[0]["status"], &tasks[0]["image_id"]),
        (&json!("location_import"), &json!("processing"), &json!(id))
    );
    // As a power cut may leave it.
    std::fs::write(cloud.dir.join("file").join(&id), "short").unwrap();
    let cloud = cloud.again().await;
    let seen = cloud.until(&path, |i| i["status"] == "queued").await;
    assert_eq!((&seen["size"], seen.get("stores")), (&Value::Null, None));
    assert!(!cloud.dir.join("file").join(&id).exists());
}

#[tokio::test]
async fn data_that_is_something_else_is_refused() {
    let cloud = Cloud::start().await;
    for (format, bytes, why) in [
        ("qcow2", "no qcow2", "Image disk_format qcow2 does not match stream data raw"),
        ("iso", "no iso", "Image disk_format iso does not match stream data raw"),
        ("vmdk", "KDMV", "Image failed safety checks: the VMDK has no description"),
    ] {
        let path = cloud.image("member@p1", json!({"disk_format": format})).await;
        let refused = cloud.put_data("member@p1", &format!("{path}/file"), bytes).await.is(415);
        assert_eq!(refused.message(), why);
        let seen = cloud.get("member@p1", &path).await.body;
        assert_eq!((&seen["status"], &seen["size"]), (&json!("queued"), &Value::Null));
        cloud.put_data("member@p1", &format!("{path}/file"), "").await.is(204);
    }
    let path = cloud.image("member@p1", json!({"disk_format": null})).await;
    let missing = cloud.put_data("member@p1", &format!("{path}/file"), "x").await.is(400);
    assert_eq!(missing.message(), "Property disk_format must be set prior to saving data.");
}

#[tokio::test]
async fn uploads_that_are_cut_off_are_queued_again() {
    let cloud = Cloud::start().await;
    let path = cloud.image("member@p1", json!({})).await;
    let broken =
        futures::stream::iter([Ok(Bytes::from("half")), Err(std::io::Error::other("the client went away"))]);
    cloud.put_data("member@p1", &format!("{path}/file"), Body::from_stream(broken)).await.is(400);
    assert_eq!(cloud.get("member@p1", &path).await.body["status"], "queued");
    assert_eq!(
        std::fs::read_dir(cloud.dir.join("file"))
            .unwrap()
            .filter(|e| e.as_ref().unwrap().path().is_file())
            .count(),
        0
    );
}

#[tokio::test]
async fn limits() {
    let cloud = Cloud::with(|config| {
        config.image_limit = 100;
        config.project_limit = Some(150);
    })
    .await;
    let path = cloud.image("member@p1", json!({})).await;
    let body = Body::from_stream(futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![0; 101]))]));
    cloud.put_data("member@p1", &format!("{path}/file"), body).await.is(413);
    assert_eq!(cloud.get("member@p1", &path).await.body["status"], "queued");
    cloud.put_data("member@p1", &format!("{path}/file"), vec![0; 100]).await.is(204);
    let path = cloud.image("member@p1", json!({})).await;
    let declared = http::Request::builder()
        .method("PUT")
        .uri(format!("{path}/file"))
        .header("x-auth-token", "member@p1");
    let declared =
        declared.header("content-type", "application/octet-stream").header("x-openstack-image-size", "60");
    cloud.send(declared.body(vec![0; 60].into()).unwrap()).await.is(413);
    cloud.put_data("member@p1", &format!("{path}/file"), vec![0; 50]).await.is(204);
    let other = cloud.image("member@p2", json!({})).await;
    cloud.put_data("member@p2", &format!("{other}/file"), vec![0; 100]).await.is(204);
}
