//! Volumes that several servers write.

use serde_json::{Value, json};

use crate::cloud::Cloud;

const SERVER: &str = "22222222-2222-2222-2222-222222222222";
const OTHER: &str = "33333333-3333-3333-3333-333333333333";

async fn multiattach(cloud: &Cloud) {
    let kind = json!({"volume_type": {"name": "many", "extra_specs": {"multiattach": "<is> True"}}});
    cloud.post("admin", "/v3/types", kind).await.is(200);
}

fn attachment(volume: &str, server: &str) -> Value {
    let connector = json!({"host": "machine", "mountpoint": "/dev/vdb", "mode": "rw"});
    json!({"attachment": {"volume_uuid": volume, "instance_uuid": server, "connector": connector}})
}

async fn attach(cloud: &Cloud, volume: &str, server: &str) -> String {
    let id = cloud.post("member@p1", "/v3/attachments", attachment(volume, server)).await.is(200).id();
    let path = format!("/v3/attachments/{id}");
    cloud.post("member@p1", &format!("{path}/action"), json!({"os-complete": {}})).await.is(204);
    path
}

/// Formats of the layers, and whether several machines can write it.
async fn made_of(cloud: &Cloud, volume: &str) -> (Vec<&'static str>, bool) {
    let disk = cloud.cinder.connection(volume).await.unwrap().disk;
    (disk.layers.iter().map(|layer| layer.format.as_str()).collect(), disk.multiattach)
}

#[tokio::test]
async fn such_a_volume_is_one_raw_file_whatever_it_is_made_of() {
    let cloud = Cloud::start().await;
    multiattach(&cloud).await;
    let image = cloud.image("member@p1").await;
    let whole = (vec!["raw"], true);
    let blank = cloud.volume("member@p1", json!({"volume_type": "many"})).await;
    assert_eq!(made_of(&cloud, &blank).await, whole);
    cloud.files(1).await;
    let of_image = cloud.volume("member@p1", json!({"volume_type": "many", "imageRef": image})).await;
    assert_eq!(made_of(&cloud, &of_image).await, whole);
    cloud.files(2).await;
    let clone = cloud.volume("member@p1", json!({"source_volid": blank})).await;
    assert_eq!(made_of(&cloud, &clone).await, whole);
    // The source went on in a new layer, and came back to one file by itself.
    assert_eq!(made_of(&cloud, &blank).await, whole);
    cloud.files(3).await;
    let snapshot = cloud.snapshot("member@p1", &blank).await;
    assert_eq!(made_of(&cloud, &blank).await, whole);
    cloud.files(4).await;
    cloud.delete("member@p1", &format!("/v3/snapshots/{snapshot}")).await.is(202);
    for volume in [blank, of_image, clone] {
        cloud.delete("member@p1", &format!("/v3/volumes/{volume}")).await.is(202);
    }
    cloud.files(0).await;
}

#[tokio::test]
async fn a_snapshot_under_one_server_keeps_others_out_until_it_lets_go() {
    let cloud = Cloud::start().await;
    multiattach(&cloud).await;
    let id = cloud.volume("member@p1", json!({"volume_type": "many"})).await;
    let first = attach(&cloud, &id, SERVER).await;
    let second = attach(&cloud, &id, OTHER).await;
    let snapshot = json!({"snapshot": {"volume_id": id, "force": true}});
    let told = cloud.post("member@p1", "/v3/snapshots", snapshot.clone()).await.is(400);
    assert!(told.message().contains("attached to several servers"), "{}", told.body);
    cloud.delete("member@p1", &second).await.is(200);
    let taken = cloud.post("member@p1", "/v3/snapshots", snapshot).await.is(202).id();
    cloud.settled(&format!("/v3/snapshots/{taken}"), "/snapshot/status", "available").await;
    assert_eq!(made_of(&cloud, &id).await, (vec!["raw", "qcow2"], false));
    let refused = cloud.post("member@p1", "/v3/attachments", attachment(&id, OTHER)).await.is(400);
    assert!(refused.message().contains("only that server can write it"), "{}", refused.body);
    cloud.delete("member@p1", &first).await.is(200);
    assert_eq!(made_of(&cloud, &id).await, (vec!["raw"], true));
    attach(&cloud, &id, SERVER).await;
    attach(&cloud, &id, OTHER).await;
}

#[tokio::test]
async fn a_copy_that_fails_is_made_again() {
    let cloud = Cloud::start().await;
    multiattach(&cloud).await;
    let id = cloud.volume("member@p1", json!({"volume_type": "many"})).await;
    cloud.driver.faults().fail_next(host::fake::Operation::CopyVolume, "no");
    cloud.snapshot("member@p1", &id).await;
    assert!(cloud.cinder.connection(&id).await.is_err() || made_of(&cloud, &id).await.0 == ["raw"]);
    for _ in 0..1000 {
        if cloud.cinder.connection(&id).await.is_ok() && made_of(&cloud, &id).await.0 == ["raw"] {
            cloud.files(2).await;
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("it stays as it is");
}

#[tokio::test]
async fn limits_of_a_type_come_with_its_volumes() {
    let cloud = Cloud::start().await;
    let kind = cloud.post("admin", "/v3/types", json!({"volume_type": {"name": "slow"}})).await.is(200).id();
    let specs = json!({"qos_specs": {"name": "q", "consumer": "front-end", "read_iops_sec": "100"}});
    let qos = cloud.post("admin", "/v3/qos-specs", specs).await.is(200).id();
    cloud.get("admin", &format!("/v3/qos-specs/{qos}/associate?vol_type_id={kind}")).await.is(202);
    let id = cloud.volume("member@p1", json!({"volume_type": "slow"})).await;
    let limits = cloud.cinder.connection(&id).await.unwrap().disk.limits;
    assert_eq!((limits.read_iops, limits.write_iops), (Some(100), None));
    let other = json!({"qos_specs": {"consumer": "back-end"}});
    cloud.ask("admin", "PUT", &format!("/v3/qos-specs/{qos}"), other).await.is(200);
    assert!(cloud.cinder.connection(&id).await.unwrap().disk.limits.is_none());
}
