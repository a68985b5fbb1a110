//! What people do with volumes, through the whole cloud.

use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Client, Cloud, poll, text};

async fn at_rest(client: &Client, kind: &str, id: &str) -> Value {
    let path = format!("/volume/v3/{kind}s/{id}");
    poll("what was begun", 20, async || {
        let seen = client.get(&path).await.expect(200)[kind].clone();
        ["available", "in-use"].contains(&text(&seen["status"])).then_some(seen)
    })
    .await
}

async fn volume(client: &Client, body: Value) -> String {
    let made = client.post("/volume/v3/volumes", json!({ "volume": body })).await.expect(202);
    let id = text(&made["volume"]["id"]).to_owned();
    at_rest(client, "volume", &id).await;
    id
}

/// Written into a volume from an image, snapshotted, cloned, extended, turned into an image again, and nothing is left.
#[tokio::test(flavor = "multi_thread")]
async fn a_volume_goes_through_its_life() {
    let cloud = Cloud::start().await;
    let owner = cloud.member("owner").await;
    // The project's id in the path, as older clients have it.
    let path = format!("/volume/v3/{}/volumes", owner.project_id);
    let started = Instant::now();
    let made = owner.post(&path, json!({"volume": {"size": 500, "name": "data"}})).await.expect(202);
    let blank = text(&made["volume"]["id"]).to_owned();
    at_rest(&owner, "volume", &blank).await;
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
    let body = json!({"name": "system", "disk_format": "raw", "container_format": "bare", "min_disk": 1});
    let image = owner.post("/image/v2/images", body).await.expect(201);
    let image = text(&image["id"]).to_owned();
    let file = format!("/image/v2/images/{image}/file");
    owner.send(Method::PUT, &file, "application/octet-stream", vec![7; 4096]).await.expect(204);
    let system = volume(&owner, json!({"size": 1, "imageRef": image})).await;
    owner.delete(&format!("/image/v2/images/{image}")).await.expect(204);
    let snapshot = json!({"snapshot": {"volume_id": system, "name": "before"}});
    let snapshot = owner.post("/volume/v3/snapshots", snapshot).await.expect(202);
    let snapshot = text(&snapshot["snapshot"]["id"]).to_owned();
    at_rest(&owner, "snapshot", &snapshot).await;
    let restored = volume(&owner, json!({"snapshot_id": snapshot})).await;
    let copy = volume(&owner, json!({"source_volid": system})).await;
    owner
        .post(&format!("/volume/v3/volumes/{copy}/action"), json!({"os-extend": {"new_size": 3}}))
        .await
        .expect(202);
    assert_eq!(at_rest(&owner, "volume", &copy).await["size"], 3);
    let upload = json!({"os-volume_upload_image": {"image_name": "again", "disk_format": "raw"}});
    let upload = owner.post(&format!("/volume/v3/volumes/{copy}/action"), upload).await.expect(202);
    at_rest(&owner, "volume", &copy).await;
    let again = text(&upload["os-volume_upload_image"]["image_id"]).to_owned();
    assert_eq!(owner.get(&format!("/image/v2/images/{again}")).await.expect(200)["status"], "active");
    owner.delete(&format!("/volume/v3/snapshots/{snapshot}")).await.expect(202);
    for id in [&blank, &system, &restored, &copy] {
        owner.delete(&format!("/volume/v3/volumes/{id}")).await.expect(202);
    }
    let left = owner.get("/volume/v3/volumes/detail").await.expect(200);
    assert_eq!(left["volumes"], json!([]));
    let limits = owner.get("/volume/v3/limits").await.expect(200);
    assert_eq!(limits["limits"]["absolute"]["totalGigabytesUsed"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_are_their_projects_own() {
    let cloud = Cloud::start().await;
    let (owner, other) = (cloud.member("owner").await, cloud.member("other").await);
    let id = volume(&owner, json!({"size": 1})).await;
    let path = format!("/volume/v3/volumes/{id}");
    other.get(&path).await.expect(404);
    other.delete(&path).await.expect(404);
    other.post(&format!("{path}/action"), json!({"os-extend": {"new_size": 2}})).await.expect(404);
    other.post("/volume/v3/snapshots", json!({"snapshot": {"volume_id": id}})).await.expect(404);
    other.post("/volume/v3/attachments", json!({"attachment": {"volume_uuid": id}})).await.expect(404);
    other.get(&format!("/volume/v3/{}/volumes", owner.project_id)).await.expect(400);
    assert_eq!(other.get("/volume/v3/volumes").await.expect(200)["volumes"], json!([]));
}
