//! Servers that boot from volumes.

use serde_json::{Value, json};

use super::{bootable, booting, detach, disks, root, show, volume, wait_no_volume, wait_volume};
use crate::cloud::{ADMIN, Client, Cloud};

#[tokio::test]
async fn a_server_boots_from_a_volume() {
    let cloud = Cloud::start().await;
    let client = cloud.as_("p1");
    let image = cloud.image("p1").await;
    let boot = bootable(&client, &image).await;
    let blank = json!({
        "source_type": "blank", "destination_type": "volume", "volume_size": 2, "boot_index": -1,
        "delete_on_termination": true, "tag": "data",
    });
    let mut body = booting(json!([root(&boot), blank]));
    body["flavorRef"] = json!("42");
    let id = client.server(body).await;
    let server = client.wait(&id, "ACTIVE").await;
    assert_eq!(server["image"], "");
    let attached = server["os-extended-volumes:volumes_attached"].as_array().unwrap().clone();
    assert_eq!(attached[0], json!({"id": boot, "delete_on_termination": false}));
    assert_eq!(attached[1]["delete_on_termination"], true);
    let made = attached[1]["id"].as_str().unwrap().to_owned();
    let data = wait_volume(&client, &made, "in-use").await;
    assert_eq!((&data["size"], &data["name"]), (&json!(2), &json!(format!("{id}-blank-vol"))));
    assert_eq!(wait_volume(&client, &boot, "in-use").await["attachments"][0]["device"], "/dev/vda");
    let plan = cloud.hypervisor.plan(&id).unwrap();
    assert!(plan.root.is_none());
    assert_eq!(disks(&cloud, &id), [boot.clone(), made.clone()]);
    assert_eq!(
        detach(&client, &id, &boot).await.fault(400, "badRequest"),
        "Cannot detach a root device volume"
    );
    client.action(&id, json!({"reboot": {"type": "HARD"}})).await.expect(202);
    client.wait(&id, "ACTIVE").await;
    client
        .action(&id, json!({"createBackup": {"name": "b", "backup_type": "d", "rotation": 1}}))
        .await
        .fault(400, "badRequest");
    client.action(&id, json!({"rescue": null})).await.fault(400, "badRequest");
    // An image of it is a snapshot of each volume.
    let kept = client.action(&id, json!({"createImage": {"name": "kept"}})).await.expect(202);
    let kept = kept["image_id"].as_str().unwrap().to_owned();
    let shown = client.call("GET", &format!("/image/v2/images/{kept}"), None).await.expect(200);
    let mapping: Value = serde_json::from_str(shown["block_device_mapping"].as_str().unwrap()).unwrap();
    assert_eq!(mapping.as_array().unwrap().len(), 2, "{shown}");
    for device in mapping.as_array().unwrap() {
        let path = format!("/volume/v3/snapshots/{}", device["snapshot_id"].as_str().unwrap());
        // The fake host's files take no time, and yet some.
        for _ in 0..2000 {
            if client.call("GET", &path, None).await.body["snapshot"]["status"] == "available" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        client.call("DELETE", &path, None).await.expect(202);
    }
    // Rebuilt, the volume has the image's data again, or keeps its own.
    let layers = || cloud.hypervisor.plan(&id).unwrap().disks[0].layers.clone();
    let before = layers();
    let other = cloud.image("p1").await;
    let rebuild = |image: &str| json!({"rebuild": {"imageRef": image}});
    let old = cloud.as_("p1").at("2.92");
    old.action(&id, rebuild(&other)).await.fault(400, "badRequest");
    old.action(&id, rebuild(&image)).await.expect(202);
    client.wait(&id, "ACTIVE").await;
    assert_eq!(layers(), before);
    client.action(&id, rebuild(&other)).await.expect(202);
    assert_eq!(client.wait(&id, "ACTIVE").await["image"], "");
    assert!(layers().len() == 2 && layers() != before);
    assert_eq!(show(&client, &boot).await.body["volume"]["volume_image_metadata"]["image_id"], json!(other));
    client.action(&id, json!({"resize": {"flavorRef": "84"}})).await.expect(202);
    client.wait(&id, "VERIFY_RESIZE").await;
    client.action(&id, json!({"confirmResize": null})).await.expect(204);
    client.wait(&id, "ACTIVE").await;
    client.action(&id, json!({"shelve": null})).await.expect(202);
    client.wait(&id, "SHELVED_OFFLOADED").await;
    wait_volume(&client, &boot, "reserved").await;
    client.action(&id, json!({"unshelve": null})).await.expect(202);
    client.wait(&id, "ACTIVE").await;
    wait_volume(&client, &boot, "in-use").await;
    wait_volume(&client, &made, "in-use").await;
    assert_eq!(disks(&cloud, &id), [boot.clone(), made.clone()]);
    client.delete(&format!("/servers/{id}")).await.expect(204);
    client.wait_gone(&id).await;
    wait_no_volume(&client, &made).await;
    wait_volume(&client, &boot, "available").await;
}

/// Of an encrypted volume.
async fn encrypted_image(cloud: &Cloud, client: &Client<'_>) -> String {
    let admin = cloud.as_(ADMIN);
    let kind = Some(json!({"volume_type": {"name": "luks"}}));
    let made = admin.call("POST", "/volume/v3/types", kind).await.expect(200);
    let path = format!("/volume/v3/types/{}/encryption", made["volume_type"]["id"].as_str().unwrap());
    let specs = json!({"provider": "luks", "cipher": "aes-xts-plain64", "key_size": 256,
        "control_location": "front-end"});
    admin.call("POST", &path, Some(json!({ "encryption": specs }))).await.expect(200);
    let body = json!({"volume": {"size": 1, "volume_type": "luks"}});
    let made = client.call("POST", "/volume/v3/volumes", Some(body)).await.expect(202);
    let volume = made["volume"]["id"].as_str().unwrap();
    wait_volume(client, volume, "available").await;
    let upload = json!({"os-volume_upload_image": {"image_name": "sealed", "disk_format": "raw"}});
    let path = format!("/volume/v3/volumes/{volume}/action");
    let made = client.call("POST", &path, Some(upload)).await.expect(202);
    wait_volume(client, volume, "available").await;
    made["os-volume_upload_image"]["image_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_key_of_an_encrypted_image_is_that_images_alone() {
    let cloud = Cloud::start().await;
    let client = cloud.as_("p1");
    let image = encrypted_image(&cloud, &client).await;
    let of_image = json!({
        "source_type": "image", "uuid": image, "destination_type": "volume", "volume_size": 1, "boot_index": 0,
        "volume_type": "luks",
    });
    let id = client.server(booting(json!([of_image]))).await;
    client.wait(&id, "ACTIVE").await;
    let kept = client.action(&id, json!({"createImage": {"name": "kept"}})).await.expect(202);
    let path = format!("/image/v2/images/{}", kept["image_id"].as_str().unwrap());
    let shown = client.call("GET", &path, None).await.expect(200);
    for key in ["cinder_encryption_key_id", "cinder_encryption_key_deletion_policy"] {
        assert!(shown.get(key).is_none(), "{shown}");
    }
    client.call("DELETE", &path, None).await.expect(204);
    let body = json!({"volume": {"size": 1, "imageRef": image, "volume_type": "luks"}});
    client.call("POST", "/volume/v3/volumes", Some(body)).await.expect(202);

    // A machine's disk is no volume, so nothing would open it.
    let refused = format!(
        "Image {image} is unacceptable: Direct booting of an image uploaded from an encrypted volume is unsupported."
    );
    let direct = json!({"name": "s", "flavorRef": "1", "networks": "none", "imageRef": image});
    let answer = client.post("/servers", json!({ "server": direct })).await;
    assert_eq!(answer.fault(400, "badRequest"), refused);
    let plain = cloud.image("p1").await;
    let local = json!({"name": "s", "flavorRef": "1", "networks": "none", "imageRef": plain});
    let local = client.server(local).await;
    client.wait(&local, "ACTIVE").await;
    for server in [&local, &id] {
        let answer = client.action(server, json!({"rebuild": {"imageRef": image}})).await;
        assert_eq!(answer.fault(400, "badRequest"), refused);
    }
}

#[tokio::test]
async fn volumes_are_made_of_images_and_snapshots() {
    let cloud = Cloud::start().await;
    let client = cloud.as_("p1");
    let image = cloud.image("p1").await;
    let of_image = json!({
        "source_type": "image", "uuid": image, "destination_type": "volume", "volume_size": 1, "boot_index": 0,
        "delete_on_termination": true,
    });
    let made = client
        .post("/servers", json!({"server": {
            "name": "s", "flavorRef": "1", "networks": "none", "min_count": 2, "block_device_mapping_v2": [of_image],
        }}))
        .await
        .expect(202);
    let first = made["server"]["id"].as_str().unwrap().to_owned();
    client.wait(&first, "ACTIVE").await;
    let boot = disks(&cloud, &first).remove(0);
    assert_eq!(show(&client, &boot).await.body["volume"]["volume_image_metadata"]["image_id"], json!(image));
    // An image of it is its snapshot, and servers boot from that.
    let named = json!({"createImage": {"name": "kept", "metadata": {"colour": "blue"}}});
    let kept = client.action(&first, named).await.expect(202)["image_id"].as_str().unwrap().to_owned();
    let shown = client.call("GET", &format!("/image/v2/images/{kept}"), None).await.expect(200);
    assert_eq!(
        (&shown["status"], &shown["size"], &shown["colour"]),
        (&json!("active"), &json!(0), &json!("blue"))
    );
    let mapping: Value = serde_json::from_str(shown["block_device_mapping"].as_str().unwrap()).unwrap();
    assert_eq!(
        (mapping[0]["source_type"].as_str(), mapping[0]["boot_index"].as_i64()),
        (Some("snapshot"), Some(0))
    );
    let second =
        client.server(json!({"name": "t", "flavorRef": "1", "networks": "none", "imageRef": kept})).await;
    client.wait(&second, "ACTIVE").await;
    let copy = disks(&cloud, &second).remove(0);
    assert_eq!(show(&client, &copy).await.body["volume"]["snapshot_id"], mapping[0]["snapshot_id"]);
    // Cinder knows such an image, too.
    let body = json!({"volume": {"size": 1, "imageRef": kept}});
    let made = client.call("POST", "/volume/v3/volumes", Some(body)).await.expect(202);
    assert_eq!(made["volume"]["snapshot_id"], mapping[0]["snapshot_id"]);
    // So do rebuilds, since 2.93: the volume is what the snapshot is.
    let before = cloud.hypervisor.plan(&second).unwrap().disks[0].layers.clone();
    client.action(&second, json!({"rebuild": {"imageRef": kept}})).await.expect(202);
    client.wait(&second, "ACTIVE").await;
    let after = cloud.hypervisor.plan(&second).unwrap().disks[0].layers.clone();
    let files =
        |layers: &[host::plan::DiskLayer]| -> Vec<_> { layers.iter().map(|one| one.file.clone()).collect() };
    let (before, after) = (files(&before), files(&after));
    assert!(before.last() != after.last() && before[..before.len() - 1] == after[..after.len() - 1]);
    let told = show(&client, &copy).await.body["volume"]["volume_image_metadata"].clone();
    assert_eq!((&told["image_id"], &told["colour"]), (&json!(kept), &json!("blue")));
    assert!(told.get("block_device_mapping").is_none(), "{told}");
    // Its machine goes on in a new layer.
    let plan = cloud.hypervisor.plan(&first).unwrap();
    assert_eq!(plan.disks[0].layers.len(), 3, "{plan:?}");
    for id in [&first, &second] {
        client.delete(&format!("/servers/{id}")).await.expect(204);
        client.wait_gone(id).await;
    }
    wait_no_volume(&client, &copy).await;
    // A snapshot stands on it.
    wait_volume(&client, &boot, "available").await;
}

#[tokio::test]
async fn mappings_that_make_no_sense_are_refused() {
    let cloud = Cloud::start().await;
    let client = cloud.as_("p1");
    let image = cloud.image("p1").await;
    let plain = volume(&client, 1).await;
    let absent = "11111111-2222-3333-4444-555555555555";
    let told =
        async |body: Value| client.post("/servers", json!({"server": body})).await.fault(400, "badRequest");
    assert_eq!(told(booting(json!([]))).await, "Missing imageRef attribute");
    assert_eq!(told(booting(json!([root(absent)]))).await, format!("Volume {absent} could not be found."));
    assert_eq!(told(booting(json!([root(&plain)]))).await, format!("Block Device {plain} is not bootable."));
    let mut second = root(&plain);
    second["boot_index"] = json!(-1);
    assert!(told(booting(json!([second.clone()]))).await.contains("Boot sequence"));
    let typed = json!({
        "source_type": "image", "uuid": image, "destination_type": "volume", "volume_size": 1, "boot_index": 0,
        "volume_type": "none",
    });
    assert_eq!(told(booting(json!([typed]))).await, "Volume type none could not be found.");
    let snapshot = json!({
        "source_type": "snapshot", "uuid": absent, "destination_type": "volume", "boot_index": 0,
    });
    assert!(told(booting(json!([snapshot]))).await.contains("failed to get snapshot"));
    let of_image = json!({
        "source_type": "image", "uuid": absent, "destination_type": "volume", "volume_size": 1, "boot_index": 0,
    });
    assert!(told(booting(json!([of_image]))).await.contains("failed to get image"));
    let mut several = booting(json!([second]));
    several["imageRef"] = json!(image);
    several["min_count"] = json!(2);
    several["block_device_mapping_v2"].as_array_mut().unwrap().push(json!({
        "source_type": "image", "uuid": image, "destination_type": "local", "boot_index": 0,
    }));
    assert_eq!(told(several).await, "Cannot attach one or more volumes to multiple instances");
    assert_eq!(show(&client, &plain).await.body["volume"]["status"], "available");
}

#[tokio::test]
async fn a_volume_that_cannot_be_made_is_the_servers_fault() {
    let cloud = Cloud::start().await;
    let client = cloud.as_("p1");
    let limits = json!({"quota_set": {"gigabytes": 1}});
    cloud.as_(ADMIN).call("PUT", "/volume/v3/os-quota-sets/p1", Some(limits)).await.expect(200);
    let image = cloud.image("p1").await;
    let large = json!({
        "source_type": "image", "uuid": image, "destination_type": "volume", "volume_size": 5, "boot_index": 0,
    });
    let id = client.server(booting(json!([large]))).await;
    for _ in 0..2000 {
        let server = client.get(&format!("/servers/{id}")).await.expect(200)["server"].take();
        if server["status"] == "ERROR" {
            let told = server["fault"]["message"].as_str().unwrap();
            assert!(told.starts_with(&format!("Build of instance {id} aborted: ")), "{told}");
            assert_eq!(server["os-extended-volumes:volumes_attached"], json!([]));
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("no ERROR");
}
