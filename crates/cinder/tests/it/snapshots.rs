use serde_json::json;

use crate::cloud::Cloud;

#[tokio::test]
async fn a_snapshot_outlives_what_is_written_and_makes_volumes() {
    let cloud = Cloud::start().await;
    let id = cloud.volume("member@p1", json!({"size": 2})).await;
    cloud.files(1).await;
    let snapshot = cloud.snapshot("member@p1", &id).await;
    cloud.files(2).await;
    let path = format!("/v3/snapshots/{snapshot}");
    let seen = cloud.get("member@p1", &path).await.is(200).body["snapshot"].clone();
    assert_eq!((&seen["size"], &seen["volume_id"]), (&json!(2), &json!(id)));
    assert_eq!(seen["os-extended-snapshot-attributes:progress"], "100%");
    cloud.get("member@p2", &path).await.is(404);
    cloud.delete("member@p2", &path).await.is(404);
    cloud.delete("reader@p1", &path).await.is(403);
    // It holds its volume.
    let refused = cloud.delete("member@p1", &format!("/v3/volumes/{id}")).await.is(400);
    assert!(
        refused.message().starts_with("Invalid volume: Volume status must be available or error"),
        "{}",
        refused.message()
    );
    // Volumes from it, not smaller.
    let new = |size: i64| json!({"volume": {"size": size, "snapshot_id": snapshot}});
    cloud.post("member@p1", "/v3/volumes", new(1)).await.is(400);
    cloud.post("member@p2", "/v3/volumes", new(2)).await.is(404);
    let larger = cloud.volume("member@p1", json!({"size": 3, "snapshot_id": snapshot})).await;
    let same =
        cloud.post("member@p1", "/v3/volumes", json!({"volume": {"snapshot_id": snapshot}})).await.is(202);
    assert_eq!(same.body["volume"]["size"], 2);
    cloud.until(&same.id(), "available").await;
    let disk = cloud.cinder.connection(&larger).await.unwrap().disk;
    assert_eq!((disk.layers.len(), disk.bytes), (2, 3 << 30));
    // The snapshot goes; what stands on its data stays.
    cloud.delete("member@p1", &path).await.is(202);
    cloud.get("member@p1", &path).await.is(404);
    cloud.delete("member@p1", &format!("/v3/volumes/{id}")).await.is(202);
    cloud.files(3).await;
    assert_eq!(cloud.cinder.connection(&larger).await.unwrap().disk.layers.len(), 2);
    for volume in [larger, same.id()] {
        cloud.delete("member@p1", &format!("/v3/volumes/{volume}")).await.is(202);
    }
    cloud.files(0).await;
}

#[tokio::test]
async fn a_clone_shares_its_past_with_the_source() {
    let cloud = Cloud::start().await;
    let id = cloud.volume("member@p1", json!({"size": 2, "name": "source"})).await;
    cloud.act("member@p1", &id, json!({"os-set_bootable": {"bootable": true}})).await.is(200);
    cloud.post("member@p1", "/v3/volumes", json!({"volume": {"size": 1, "source_volid": id}})).await.is(400);
    let copy = cloud.volume("member@p1", json!({"size": 2, "source_volid": id})).await;
    cloud.files(3).await;
    let seen = cloud.get("member@p1", &format!("/v3/volumes/{copy}")).await.is(200).body["volume"].clone();
    assert_eq!((&seen["source_volid"], &seen["bootable"]), (&json!(id), &json!("true")));
    cloud.delete("member@p1", &format!("/v3/volumes/{id}")).await.is(202);
    cloud.files(2).await;
    cloud.delete("member@p1", &format!("/v3/volumes/{copy}")).await.is(202);
    cloud.files(0).await;
}

#[tokio::test]
async fn a_volume_goes_back_to_its_latest_snapshot() {
    let cloud = Cloud::start().await;
    let id = cloud.volume("member@p1", json!({})).await;
    let revert = |snapshot: &str| json!({"revert": {"snapshot_id": snapshot}});
    cloud.act("member@p1", &id, revert("x")).await.is(400);
    let (first, second) = (cloud.snapshot("member@p1", &id).await, cloud.snapshot("member@p1", &id).await);
    cloud.act("member@p1", &id, revert(&first)).await.is(400);
    cloud.files(3).await;
    let before = cloud.cinder.connection(&id).await.unwrap().disk.path;
    cloud.act("member@p1", &id, revert(&second)).await.is(202);
    cloud.until(&id, "available").await;
    cloud.settled(&format!("/v3/snapshots/{second}"), "/snapshot/status", "available").await;
    assert_ne!(cloud.cinder.connection(&id).await.unwrap().disk.path, before);
    cloud.files(3).await;
    cloud.act("member@p1", &id, json!({"os-extend": {"new_size": 2}})).await.is(202);
    cloud.until(&id, "available").await;
    cloud.act("member@p1", &id, revert(&second)).await.is(400);
    cloud.delete("member@p1", &format!("/v3/volumes/{id}?cascade=true")).await.is(202);
    assert!(cloud.get("member@p1", "/v3/snapshots").await.is(200).ids("snapshots").is_empty());
    cloud.files(0).await;
}

#[tokio::test]
async fn lists_metadata_and_states_of_snapshots() {
    let cloud = Cloud::start().await;
    let id = cloud.volume("member@p1", json!({})).await;
    let (first, second) = (cloud.snapshot("member@p1", &id).await, cloud.snapshot("member@p1", &id).await);
    cloud.snapshot("member@p2", &cloud.volume("member@p2", json!({})).await).await;
    let list = |query: String| {
        let cloud = &cloud;
        async move { cloud.get("member@p1", &format!("/v3/snapshots{query}")).await.is(200).ids("snapshots") }
    };
    assert_eq!(list(String::new()).await, [second.clone(), first.clone()]);
    assert_eq!(list(format!("/detail?sort=created_at:asc&limit=1&volume_id={id}")).await, [first.as_str()]);
    assert_eq!(list(format!("?marker={second}")).await, [first.as_str()]);
    assert!(list("?status=error".into()).await.is_empty());
    let meta = format!("/v3/snapshots/{first}/metadata");
    cloud.post("member@p1", &meta, json!({"metadata": {"k": "v"}})).await.is(200);
    cloud.post("member@p2", &meta, json!({"metadata": {"k": "v"}})).await.is(404);
    assert_eq!(list("?metadata=%7B%22k%22:%22v%22%7D".into()).await, [first.as_str()]);
    cloud.ask("member@p1", "PUT", &format!("{meta}/k"), json!({"meta": {"k": "w"}})).await.is(200);
    cloud.delete("member@p1", &format!("{meta}/k")).await.is(200);
    cloud.delete("member@p1", &format!("{meta}/k")).await.is(404);
    let path = format!("/v3/snapshots/{first}");
    let update = json!({"snapshot": {"name": "n", "description": "d"}});
    assert_eq!(cloud.ask("member@p1", "PUT", &path, update).await.is(200).body["snapshot"]["name"], "n");
    cloud.ask("member@p1", "PUT", &path, json!({"snapshot": {}})).await.is(400);
    let act = format!("{path}/action");
    cloud.post("member@p1", &act, json!({"os-reset_status": {"status": "error"}})).await.is(403);
    cloud.post("admin", &act, json!({"os-reset_status": {"status": "creating"}})).await.is(202);
    cloud.post("admin", &act, json!({"os-reset_status": {"status": "odd"}})).await.is(400);
    cloud.delete("member@p1", &path).await.is(400);
    let status = json!({"os-update_snapshot_status": {"status": "error", "progress": "80%"}});
    cloud.post("member@p1", &act, status).await.is(202);
    cloud.delete("member@p1", &path).await.is(202);
    cloud
        .post("admin", &format!("/v3/snapshots/{second}/action"), json!({"os-force_delete": {}}))
        .await
        .is(202);
    assert!(list(String::new()).await.is_empty());
    let body = json!({"snapshot": {"volume_id": "11111111-1111-1111-1111-111111111111"}});
    cloud.post("member@p1", "/v3/snapshots", body).await.is(404);
    cloud.post("member@p1", "/v3/snapshots", json!({"snapshot": {}})).await.is(400);
}
