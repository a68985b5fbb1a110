use host::fake::Operation;
use serde_json::json;

use crate::cloud::Cloud;

async fn backup(cloud: &Cloud, who: &str, volume: &str) -> String {
    let body = json!({"backup": {"volume_id": volume, "name": "b", "metadata": {"k": "v"}}});
    let id = cloud.post(who, "/v3/backups", body).await.is(202).id();
    cloud.settled(&format!("/v3/backups/{id}"), "/backup/status", "available").await;
    id
}

#[tokio::test]
async fn a_backup_outlives_its_volume_and_makes_new_ones() {
    let cloud = Cloud::start().await;
    let id = cloud.volume("member@p1", json!({"size": 2})).await;
    cloud.act("member@p1", &id, json!({"os-set_bootable": {"bootable": true}})).await.is(200);
    cloud.post("member@p2", "/v3/backups", json!({"backup": {"volume_id": id}})).await.is(404);
    cloud.post("reader@p1", "/v3/backups", json!({"backup": {"volume_id": id}})).await.is(403);
    cloud
        .post("member@p1", "/v3/backups", json!({"backup": {"volume_id": id, "incremental": true}}))
        .await
        .is(400);
    let one = backup(&cloud, "member@p1", &id).await;
    cloud.until(&id, "available").await;
    cloud.files(2).await;
    let path = format!("/v3/backups/{one}");
    let seen = cloud.get("member@p1", &path).await.is(200).body["backup"].clone();
    assert_eq!(
        (&seen["size"], &seen["volume_id"], &seen["metadata"]),
        (&json!(2), &json!(id), &json!({"k": "v"}))
    );
    cloud.get("member@p2", &path).await.is(404);
    cloud.delete("member@p2", &path).await.is(404);
    assert_eq!(
        cloud.get("member@p1", "/v3/backups/detail?name=b").await.is(200).ids("backups"),
        [one.as_str()]
    );
    assert!(cloud.get("member@p2", "/v3/backups").await.is(200).ids("backups").is_empty());
    let used = cloud.get("member@p1", "/v3/limits").await.is(200).body["limits"]["absolute"].clone();
    assert_eq!((&used["totalBackupsUsed"], &used["totalBackupGigabytesUsed"]), (&json!(1), &json!(2)));
    cloud.ask("member@p1", "PUT", &path, json!({"backup": {"name": "c"}})).await.is(200);
    cloud.ask("member@p1", "PUT", &path, json!({"backup": {}})).await.is(400);
    cloud.delete("member@p1", &format!("/v3/volumes/{id}")).await.is(202);
    cloud.files(1).await;
    // A volume of its own, one by name of the backup, and one that is there.
    let restored = cloud.post("member@p1", &format!("{path}/restore"), json!({"restore": {}})).await.is(202);
    let restored = restored.body["restore"]["volume_id"].as_str().unwrap().to_owned();
    assert_eq!(cloud.until(&restored, "available").await["volume"]["bootable"], "true");
    cloud.post("member@p1", "/v3/volumes", json!({"volume": {"size": 1, "backup_id": one}})).await.is(400);
    let larger = cloud.volume("member@p1", json!({"size": 3, "backup_id": one})).await;
    let small = cloud.volume("member@p1", json!({"size": 1})).await;
    let into = |volume: &str| json!({"restore": {"volume_id": volume}});
    cloud.post("member@p1", &format!("{path}/restore"), into(&small)).await.is(400);
    cloud.post("member@p1", &format!("{path}/restore"), into(&larger)).await.is(202);
    cloud.until(&larger, "available").await;
    assert_eq!(cloud.cinder.connection(&larger).await.unwrap().disk.layers.len(), 2);
    cloud.delete("member@p1", &path).await.is(202);
    cloud.get("member@p1", &path).await.is(404);
    for volume in [restored, larger, small] {
        cloud.delete("member@p1", &format!("/v3/volumes/{volume}")).await.is(202);
    }
    cloud.files(0).await;
}

#[tokio::test]
async fn a_backup_that_fails_says_so_and_frees_its_volume() {
    let cloud = Cloud::start().await;
    let id = cloud.volume("member@p1", json!({})).await;
    cloud.driver.faults().fail_next(Operation::CopyVolume, "no");
    let one = cloud.post("member@p1", "/v3/backups", json!({"backup": {"volume_id": id}})).await.is(202).id();
    let path = format!("/v3/backups/{one}");
    let seen = cloud.settled(&path, "/backup/status", "error").await;
    assert!(seen["backup"]["fail_reason"].is_string());
    cloud.until(&id, "available").await;
    let messages = cloud.get("member@p1", "/v3/messages").await.is(200);
    assert_eq!(messages.body["messages"][0]["event_id"], "VOLUME_VOLUME_BACKUP_013_020");
    cloud.post("member@p1", &format!("{path}/restore"), json!({"restore": {}})).await.is(400);
    let reset = json!({"os-reset_status": {"status": "available"}});
    cloud.post("member@p1", &format!("{path}/action"), reset).await.is(403);
    cloud
        .post("admin", &format!("{path}/action"), json!({"os-reset_status": {"status": "odd"}}))
        .await
        .is(400);
    cloud.post("admin", &format!("{path}/action"), json!({"os-force_delete": {}})).await.is(202);
    cloud.files(1).await;
}

#[tokio::test]
async fn snapshots_and_volumes_in_use_are_backed_up() {
    let cloud = Cloud::start().await;
    let id = cloud.volume("member@p1", json!({})).await;
    let snapshot = cloud.snapshot("member@p1", &id).await;
    let body = json!({"backup": {"volume_id": id, "snapshot_id": snapshot}});
    let of_snapshot = cloud.post("member@p1", "/v3/backups", body).await.is(202).id();
    cloud.settled(&format!("/v3/backups/{of_snapshot}"), "/backup/status", "available").await;
    cloud.settled(&format!("/v3/snapshots/{snapshot}"), "/snapshot/status", "available").await;
    cloud
        .act("member@p1", &id, json!({"os-attach": {"host_name": "h", "mountpoint": "/dev/vdb"}}))
        .await
        .is(202);
    cloud.post("member@p1", "/v3/backups", json!({"backup": {"volume_id": id}})).await.is(400);
    let forced = json!({"backup": {"volume_id": id, "force": true}});
    let forced = cloud.post("member@p1", "/v3/backups", forced).await.is(202).id();
    cloud.settled(&format!("/v3/backups/{forced}"), "/backup/status", "available").await;
    cloud.until(&id, "in-use").await;
}
