use base64::Engine;
use base64::prelude::BASE64_STANDARD;
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
    let incremental = json!({"backup": {"volume_id": id, "incremental": true}});
    let told = cloud.post("member@p1", "/v3/backups", incremental).await.is(400);
    assert_eq!(told.message(), "Invalid backup: No backups available to do an incremental backup.");
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

#[tokio::test]
async fn an_incremental_backup_stands_on_the_one_before() {
    let cloud = Cloud::start().await;
    let id = cloud.volume("member@p1", json!({"metadata": {"a": "b"}})).await;
    let first = backup(&cloud, "member@p1", &id).await;
    let body = json!({"backup": {"volume_id": id, "incremental": true}});
    let second = cloud.post("member@p1", "/v3/backups", body).await.is(202).id();
    cloud.settled(&format!("/v3/backups/{second}"), "/backup/status", "available").await;
    let told = |id: String| {
        let cloud = &cloud;
        async move {
            let seen = cloud.get("member@p1", &format!("/v3/backups/{id}")).await.is(200).body;
            (seen["backup"]["is_incremental"].clone(), seen["backup"]["has_dependent_backups"].clone())
        }
    };
    assert_eq!(told(first.clone()).await, (json!(false), json!(true)));
    assert_eq!(told(second.clone()).await, (json!(true), json!(false)));
    let refused = cloud.delete("member@p1", &format!("/v3/backups/{first}")).await.is(400);
    assert_eq!(refused.message(), "Invalid backup: Incremental backups exist for this backup.");

    // What the volume was told of itself comes back with it.
    let restored =
        cloud.post("member@p1", &format!("/v3/backups/{second}/restore"), json!({"restore": {}})).await;
    let restored = restored.is(202).body["restore"]["volume_id"].as_str().unwrap().to_owned();
    assert_eq!(cloud.until(&restored, "available").await["volume"]["metadata"], json!({"a": "b"}));
    let other = cloud.volume("member@p1", json!({"metadata": {"c": "d"}})).await;
    let into = json!({"restore": {"volume_id": other}});
    cloud.post("member@p1", &format!("/v3/backups/{second}/restore"), into).await.is(202);
    let seen = cloud.until(&other, "available").await;
    assert_eq!(seen["volume"]["metadata"], json!({"a": "b", "c": "d"}));
    cloud.delete("member@p1", &format!("/v3/backups/{second}")).await.is(202);
    cloud.delete("member@p1", &format!("/v3/backups/{first}")).await.is(202);
}

#[tokio::test]
async fn a_record_comes_back_and_shows_nobody_elses_data() {
    let cloud = Cloud::start().await;
    let id = cloud.volume("member@p1", json!({"metadata": {"a": "b"}})).await;
    let one = backup(&cloud, "member@p1", &id).await;
    let path = format!("/v3/backups/{one}/export_record");
    cloud.get("member@p1", &path).await.is(403);
    let record = cloud.get("admin", &path).await.is(200).body;
    let service = record["backup-record"]["backup_service"].as_str().unwrap();
    assert!(service.starts_with("cinder.backup.drivers"));
    let text = record["backup-record"]["backup_url"].as_str().unwrap();
    let mut told: serde_json::Value = serde_json::from_slice(&BASE64_STANDARD.decode(text).unwrap()).unwrap();
    let import = |who: &'static str, told: &serde_json::Value| {
        let url = BASE64_STANDARD.encode(told.to_string());
        let body = json!({"backup-record": {"backup_service": service, "backup_url": url}});
        let cloud = &cloud;
        async move { cloud.post(who, "/v3/backups/import_record", body).await }
    };
    import("admin", &told).await.is(400);
    import("member@p1", &told).await.is(403);
    let copy = "55555555-5555-5555-5555-555555555555";
    told["id"] = json!(copy);
    assert_eq!(import("admin", &told).await.is(201).id(), copy);
    let seen = cloud.get("admin", &format!("/v3/backups/{copy}")).await.is(200).body["backup"].clone();
    assert_eq!(
        (&seen["status"], &seen["size"], &seen["name"]),
        (&json!("available"), &json!(1), &json!("b"))
    );
    // A volume's own layer is no backup, and a smaller size hides no larger one.
    let layer = cloud.cinder.connection(&id).await.unwrap().disk.layers[0].id.clone();
    for (key, value) in [("service_metadata", json!(layer)), ("size", json!(0)), ("id", json!("x"))] {
        let mut bad = told.clone();
        bad["id"] = json!("66666666-6666-6666-6666-666666666666");
        bad[key] = value;
        import("admin", &bad).await.is(400);
    }
    let garbage = json!({"backup-record": {"backup_service": service, "backup_url": "%%%"}});
    cloud.post("admin", "/v3/backups/import_record", garbage).await.is(400);
    // The data goes with the last of its rows.
    cloud.delete("member@p1", &format!("/v3/backups/{one}")).await.is(202);
    cloud.files(2).await;
    cloud.delete("admin", &format!("/v3/backups/{copy}")).await.is(202);
    cloud.files(1).await;
}
