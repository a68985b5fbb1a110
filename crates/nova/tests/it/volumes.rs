//! Servers with volumes.

use host::fake::{Fault, Operation};
use serde_json::{Value, json};

use crate::cloud::{ADMIN, Answer, Client, Cloud};

async fn volume(client: &Client<'_>, size: i64) -> String {
    let body = json!({"volume": {"size": size}});
    let made = client.call("POST", "/volume/v3/volumes", Some(body)).await.expect(202);
    let id = made["volume"]["id"].as_str().unwrap().to_owned();
    wait_volume(client, &id, "available").await;
    id
}

async fn bootable(client: &Client<'_>, image: &str) -> String {
    let body = json!({"volume": {"size": 1, "imageRef": image}});
    let made = client.call("POST", "/volume/v3/volumes", Some(body)).await.expect(202);
    let id = made["volume"]["id"].as_str().unwrap().to_owned();
    wait_volume(client, &id, "available").await;
    id
}

async fn show(client: &Client<'_>, id: &str) -> Answer {
    client.call("GET", &format!("/volume/v3/volumes/{id}"), None).await
}

async fn wait_volume(client: &Client<'_>, id: &str, status: &str) -> Value {
    for _ in 0..2000 {
        let found = show(client, id).await.expect(200)["volume"].take();
        if found["status"] == status {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("volume {id} does not become {status}: {}", show(client, id).await.body);
}

async fn wait_no_volume(client: &Client<'_>, id: &str) {
    for _ in 0..2000 {
        if show(client, id).await.status == 404 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("volume {id} does not go");
}

async fn server(cloud: &Cloud, client: &Client<'_>) -> String {
    let image = cloud.image("p1").await;
    let id =
        client.server(json!({"name": "s", "imageRef": image, "flavorRef": "1", "networks": "none"})).await;
    client.wait(&id, "ACTIVE").await;
    id
}

async fn attach(client: &Client<'_>, server: &str, volume: &str) -> Answer {
    let body = json!({"volumeAttachment": {"volumeId": volume}});
    client.post(&format!("/servers/{server}/os-volume_attachments"), body).await
}

async fn detach(client: &Client<'_>, server: &str, volume: &str) -> Answer {
    client.delete(&format!("/servers/{server}/os-volume_attachments/{volume}")).await
}

fn disks(cloud: &Cloud, server: &str) -> Vec<String> {
    cloud.hypervisor.plan(server).unwrap().disks.into_iter().map(|disk| disk.id).collect()
}

fn root(volume: &str) -> Value {
    json!({"source_type": "volume", "uuid": volume, "destination_type": "volume", "boot_index": 0})
}

#[allow(clippy::needless_pass_by_value)]
fn booting(devices: Value) -> Value {
    json!({"name": "s", "flavorRef": "1", "networks": "none", "block_device_mapping_v2": devices})
}

#[tokio::test]
async fn a_volume_comes_to_a_running_server_and_goes() {
    let cloud = Cloud::start().await;
    let client = cloud.as_("p1");
    let server = server(&cloud, &client).await;
    let volume = volume(&client, 1).await;
    let made = attach(&client, &server, &volume).await.expect(200);
    assert_eq!(
        made["volumeAttachment"],
        json!({
            "id": volume, "volumeId": volume, "serverId": server, "device": "/dev/vdb", "tag": null,
            "delete_on_termination": false,
        })
    );
    let found = wait_volume(&client, &volume, "in-use").await;
    assert_eq!(found["attachments"][0]["server_id"], json!(server));
    assert_eq!(found["attachments"][0]["device"], "/dev/vdb");
    assert_eq!(disks(&cloud, &server), [&*volume]);
    let one = client.get(&format!("/servers/{server}/os-volume_attachments/{volume}")).await.expect(200);
    let one = &one["volumeAttachment"];
    assert_eq!(one["volumeId"], json!(volume));
    assert!(one.get("id").is_none() && one["bdm_uuid"].is_string() && one["attachment_id"].is_string());
    let old = cloud.as_("p1").at("2.1");
    let list = old.get(&format!("/servers/{server}/os-volume_attachments")).await.expect(200);
    assert_eq!(
        list["volumeAttachments"],
        json!([{"id": volume, "volumeId": volume, "serverId": server, "device": "/dev/vdb"}])
    );
    let shown = client.get(&format!("/servers/{server}")).await.expect(200);
    assert_eq!(
        shown["server"]["os-extended-volumes:volumes_attached"],
        json!([{"id": volume, "delete_on_termination": false}])
    );
    let listed = client.get("/servers/detail").await.expect(200);
    assert_eq!(listed["servers"][0]["os-extended-volumes:volumes_attached"][0]["id"], json!(volume));
    // A stranger's snapshot is taken note of, and comes to nothing.
    let assisted = json!({"snapshot": {
        "volume_id": volume, "create_info": {"snapshot_id": volume, "type": "qcow2", "new_file": "f", "id": "1"},
    }});
    let noted = cloud.as_(ADMIN).post("/os-assisted-volume-snapshots", assisted).await.expect(200);
    assert_eq!(noted["snapshot"], json!({"id": "1", "volumeId": volume}));
    // Only Compute ends it.
    let body = client.call("DELETE", &format!("/volume/v3/volumes/{volume}"), None).await;
    assert_eq!(body.status, 400);
    for action in ["os-terminate_connection", "os-detach"] {
        let body =
            if action == "os-detach" { json!({action: {}}) } else { json!({action: {"connector": {}}}) };
        let path = format!("/volume/v3/volumes/{volume}/action");
        assert_eq!(client.call("POST", &path, Some(body)).await.status, 409, "{action}");
    }
    detach(&client, &server, &volume).await.expect(202);
    wait_volume(&client, &volume, "available").await;
    assert!(disks(&cloud, &server).is_empty());
    let list = client.get(&format!("/servers/{server}/os-volume_attachments")).await.expect(200);
    assert_eq!(list["volumeAttachments"], json!([]));
    let actions = client.get(&format!("/servers/{server}/os-instance-actions")).await.expect(200);
    let names: Vec<&str> = actions["instanceActions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| action["action"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["detach_volume", "attach_volume", "create"]);
    for action in actions["instanceActions"].as_array().unwrap() {
        let path =
            format!("/servers/{server}/os-instance-actions/{}", action["request_id"].as_str().unwrap());
        let one = client.get(&path).await.expect(200);
        assert_eq!(one["instanceAction"]["events"][0]["result"], "Success", "{one}");
    }
}

#[tokio::test]
async fn a_stopped_server_finds_it_when_it_starts() {
    let cloud = Cloud::start().await;
    let client = cloud.as_("p1");
    let server = server(&cloud, &client).await;
    let volume = volume(&client, 1).await;
    client.action(&server, json!({"os-stop": null})).await.expect(202);
    client.wait(&server, "SHUTOFF").await;
    attach(&client, &server, &volume).await.expect(200);
    wait_volume(&client, &volume, "in-use").await;
    client.action(&server, json!({"os-start": null})).await.expect(202);
    client.wait(&server, "ACTIVE").await;
    assert_eq!(disks(&cloud, &server), [&*volume]);
    client.delete(&format!("/servers/{server}")).await.expect(204);
    client.wait_gone(&server).await;
    wait_volume(&client, &volume, "available").await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_leaves_nothing() {
    let cloud = Cloud::start().await;
    let client = cloud.as_("p1");
    let first = server(&cloud, &client).await;
    let image = cloud.image("p1").await;
    let second =
        client.server(json!({"name": "t", "imageRef": image, "flavorRef": "1", "networks": "none"})).await;
    client.wait(&second, "ACTIVE").await;
    let one = volume(&client, 1).await;
    let absent = "11111111-2222-3333-4444-555555555555";
    let told = attach(&client, &first, absent).await.fault(404, "itemNotFound");
    assert_eq!(told, format!("Volume {absent} could not be found."));
    attach(&client, absent, &one).await.fault(404, "itemNotFound");
    attach(&cloud.as_("p2"), &first, &one).await.fault(404, "itemNotFound");
    let theirs = volume(&cloud.as_("p2"), 1).await;
    attach(&client, &first, &theirs).await.fault(404, "itemNotFound");
    let path = format!("/servers/{first}/os-volume_attachments");
    let body = json!({"volumeAttachment": {"volumeId": one, "device": "vdb"}});
    assert!(client.post(&path, body).await.fault(400, "badRequest").contains("does not match"));
    let body = json!({"volumeAttachment": {"volumeId": "x"}});
    client.post(&path, body).await.fault(400, "badRequest");
    attach(&client, &first, &one).await.expect(200);
    wait_volume(&client, &one, "in-use").await;
    let told = attach(&client, &first, &one).await.fault(400, "badRequest");
    assert_eq!(told, format!("Invalid volume: volume {one} is already attached to instances: {first}"));
    attach(&client, &second, &one).await.fault(400, "badRequest");
    let told = detach(&client, &second, &one).await.fault(404, "itemNotFound");
    assert_eq!(told, format!("Instance {second} is not attached to volume {one}"));
    detach(&client, &first, absent).await.fault(404, "itemNotFound");
    client.get(&format!("{path}/{absent}")).await.fault(404, "itemNotFound");
    // A lock, and states.
    client.action(&first, json!({"lock": null})).await.expect(202);
    assert_eq!(
        detach(&client, &first, &one).await.fault(409, "conflictingRequest"),
        format!("Instance {first} is locked")
    );
    client.action(&first, json!({"unlock": null})).await.expect(202);
    client.action(&first, json!({"suspend": null})).await.expect(202);
    client.wait(&first, "SUSPENDED").await;
    let told = detach(&client, &first, &one).await.fault(409, "conflictingRequest");
    assert_eq!(told, format!("Cannot 'detach_volume' instance {first} while it is in vm_state suspended"));
    let other = volume(&client, 1).await;
    attach(&client, &first, &other).await.fault(409, "conflictingRequest");
    assert_eq!(show(&client, &other).await.body["volume"]["status"], "available");
    // Only Cinder swaps.
    let swap = json!({"volumeAttachment": {"volumeId": other}});
    client.put(&format!("{path}/{one}"), swap.clone()).await.fault(403, "forbidden");
    let changed = json!({"volumeAttachment": {"volumeId": one, "delete_on_termination": true}});
    client.put(&format!("{path}/{one}"), changed).await.expect(202);
    let shown = client.get(&format!("{path}/{one}")).await.expect(200);
    assert_eq!(shown["volumeAttachment"]["delete_on_termination"], true);
    let tag = json!({"volumeAttachment": {"volumeId": one, "tag": "x"}});
    assert_eq!(
        client.put(&format!("{path}/{one}"), tag).await.fault(400, "badRequest"),
        "The tag property is not mutable"
    );
    client.delete(&format!("/servers/{first}")).await.expect(204);
    client.wait_gone(&first).await;
    wait_no_volume(&client, &one).await;
}

#[tokio::test]
async fn twenty_six_disks_and_no_more() {
    let cloud = Cloud::start().await;
    let client = cloud.as_("p1");
    let limits = json!({"quota_set": {"volumes": 100, "gigabytes": 1000}});
    let admin = cloud.as_(ADMIN);
    admin.call("PUT", "/volume/v3/os-quota-sets/p1", Some(limits)).await.expect(200);
    let server = server(&cloud, &client).await;
    for n in 1..26 {
        let volume = volume(&client, 1).await;
        let made = attach(&client, &server, &volume).await.expect(200);
        let letter = char::from(b'a' + n);
        assert_eq!(made["volumeAttachment"]["device"], format!("/dev/vd{letter}"));
    }
    let last = volume(&client, 1).await;
    let told = attach(&client, &server, &last).await.fault(403, "forbidden");
    assert!(told.contains("maximum allowed number of disk devices (26)"), "{told}");
    assert_eq!(show(&client, &last).await.body["volume"]["status"], "available");
}

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

#[tokio::test]
async fn machines_are_told_of_snapshots_and_of_more_room() {
    let cloud = Cloud::start().await;
    let client = cloud.as_("p1");
    let server = server(&cloud, &client).await;
    let volume = volume(&client, 1).await;
    attach(&client, &server, &volume).await.expect(200);
    wait_volume(&client, &volume, "in-use").await;
    let body = json!({"snapshot": {"volume_id": volume, "force": true}});
    client.call("POST", "/volume/v3/snapshots", Some(body)).await.expect(202);
    for _ in 0..2000 {
        if cloud.hypervisor.plan(&server).unwrap().disks[0].layers.len() == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(cloud.hypervisor.plan(&server).unwrap().disks[0].layers.len(), 2);
    let body = json!({"os-extend": {"new_size": 3}});
    client.call("POST", &format!("/volume/v3/volumes/{volume}/action"), Some(body)).await.expect(202);
    for _ in 0..2000 {
        if show(&client, &volume).await.body["volume"]["size"] == 3 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(cloud.hypervisor.grown(&server, &volume), Some(3 << 30));
    wait_volume(&client, &volume, "in-use").await;
}

#[tokio::test]
async fn several_servers_share_a_volume_that_allows_it() {
    let cloud = Cloud::start().await;
    let client = cloud.as_("p1");
    let admin = cloud.as_(ADMIN);
    let body = json!({"volume_type": {"name": "shared", "extra_specs": {"multiattach": "<is> True"}}});
    admin.call("POST", "/volume/v3/types", Some(body)).await.expect(200);
    let body = json!({"volume": {"size": 1, "volume_type": "shared"}});
    let made = client.call("POST", "/volume/v3/volumes", Some(body)).await.expect(202);
    let shared = made["volume"]["id"].as_str().unwrap().to_owned();
    wait_volume(&client, &shared, "available").await;
    let (first, second) = (server(&cloud, &client).await, server(&cloud, &client).await);
    let old = cloud.as_("p1").at("2.59");
    assert!(attach(&old, &first, &shared).await.fault(400, "badRequest").contains("2.60"));
    for id in [&first, &second] {
        attach(&client, id, &shared).await.expect(200);
        wait_volume(&client, &shared, "in-use").await;
        assert!(cloud.hypervisor.plan(id).unwrap().disks[0].shared);
    }
    assert_eq!(
        attach(&client, &first, &shared).await.fault(400, "badRequest"),
        format!("Invalid volume: volume {shared} already attached")
    );
    detach(&client, &first, &shared).await.expect(202);
    for _ in 0..2000 {
        if disks(&cloud, &first).is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    wait_volume(&client, &shared, "in-use").await;
    detach(&client, &second, &shared).await.expect(202);
    wait_volume(&client, &shared, "available").await;
}

#[tokio::test]
async fn volumes_come_and_go_on_the_shelf() {
    let cloud = Cloud::start().await;
    let client = cloud.as_("p1");
    let server = server(&cloud, &client).await;
    let (stays, goes) = (volume(&client, 1).await, volume(&client, 1).await);
    client.action(&server, json!({"shelve": null})).await.expect(202);
    client.wait(&server, "SHELVED_OFFLOADED").await;
    let old = cloud.as_("p1").at("2.19");
    attach(&old, &server, &stays).await.fault(409, "conflictingRequest");
    let made = attach(&client, &server, &stays).await.expect(200);
    assert_eq!(made["volumeAttachment"]["device"], Value::Null);
    attach(&client, &server, &goes).await.expect(200);
    wait_volume(&client, &stays, "in-use").await;
    detach(&client, &server, &goes).await.expect(202);
    wait_volume(&client, &goes, "available").await;
    client.action(&server, json!({"unshelve": null})).await.expect(202);
    client.wait(&server, "ACTIVE").await;
    assert_eq!(disks(&cloud, &server), [&*stays]);
    let path = format!("/servers/{server}/os-volume_attachments/{stays}");
    let shown = client.get(&path).await.expect(200);
    assert_eq!(shown["volumeAttachment"]["device"], "/dev/vdb");
}

#[tokio::test]
async fn once_a_host_forgets_a_machine_it_forgets_it_wholly() {
    let cloud = Cloud::start().await;
    let client = cloud.as_("p1");
    let server = server(&cloud, &client).await;
    let destroying = Fault {
        operation: Some(Operation::Destroy),
        error: Some("the disk is busy".into()),
        times: Some(6),
        ..Fault::default()
    };
    cloud.hypervisor.faults().add(destroying);
    client.action(&server, json!({"shelve": null})).await.expect(202);
    client.wait(&server, "SHELVED_OFFLOADED").await;
    client.action(&server, json!({"unshelve": null})).await.expect(202);
    client.wait(&server, "ACTIVE").await;
}

#[tokio::test]
async fn novas_oldest_words_for_volumes() {
    let cloud = Cloud::start().await;
    let client = cloud.as_("p1").at("2.35");
    let body = json!({"volume": {"size": 1, "display_name": "v", "metadata": {"k": "v"}}});
    let made = client.post("/os-volumes", body).await.expect(200);
    let id = made["volume"]["id"].as_str().unwrap().to_owned();
    wait_volume(&client, &id, "available").await;
    let shown = client.get(&format!("/os-volumes/{id}")).await.expect(200);
    assert_eq!(shown["volume"]["displayName"], "v");
    assert_eq!(shown["volume"]["attachments"], json!([{}]));
    let list = client.get("/os-volumes/detail?limit=1").await.expect(200);
    assert_eq!(list["volumes"][0]["metadata"]["k"], "v");
    client.get("/os-volumes/nothing").await.fault(404, "itemNotFound");
    let body = json!({"snapshot": {"volume_id": id, "display_name": "s"}});
    let made = client.post("/os-snapshots", body).await.expect(200);
    let snapshot = made["snapshot"]["id"].as_str().unwrap().to_owned();
    let shown = client.get(&format!("/os-snapshots/{snapshot}")).await.expect(200);
    assert_eq!(shown["snapshot"]["volumeId"], json!(id));
    cloud.as_("p1").at("2.36").get("/os-volumes").await.fault(404, "itemNotFound");
}

#[tokio::test]
async fn an_encrypted_volume_comes_with_its_key_and_without_it_not_at_all() {
    let cloud = Cloud::start().await;
    let (client, admin) = (cloud.as_("p1"), cloud.as_(ADMIN));
    let body = json!({"volume_type": {"name": "luks"}});
    let kind = admin.call("POST", "/volume/v3/types", Some(body)).await.expect(200);
    let path = format!("/volume/v3/types/{}/encryption", kind["volume_type"]["id"].as_str().unwrap());
    let specs = json!({"provider": "luks", "cipher": "aes-xts-plain64", "key_size": 256,
        "control_location": "front-end"});
    admin.call("POST", &path, Some(json!({ "encryption": specs }))).await.expect(200);
    let mut volumes = Vec::new();
    for _ in 0..2 {
        let body = json!({"volume": {"size": 1, "volume_type": "luks"}});
        let made = client.call("POST", "/volume/v3/volumes", Some(body)).await.expect(202);
        let id = made["volume"]["id"].as_str().unwrap().to_owned();
        wait_volume(&client, &id, "available").await;
        volumes.push(id);
    }
    let server = server(&cloud, &client).await;
    attach(&client, &server, &volumes[0]).await.expect(200);
    wait_volume(&client, &volumes[0], "in-use").await;
    let plan = cloud.hypervisor.plan(&server).unwrap();
    assert!(plan.disks[0].key.is_some() && plan.disks[0].layers.iter().all(|layer| layer.encrypted));
    assert!(format!("{plan:?}").contains("(secret)"));

    let told =
        client.call("GET", &format!("/volume/v3/volumes/{}/encryption", volumes[1]), None).await.expect(200);
    let key = told["encryption_key_id"].as_str().unwrap().to_owned();
    let ctx = base::Ctx::internal("test");
    db::write!(cloud.db, |tx| cloud.barbican.delete_key(tx, &ctx, &key).await).unwrap();
    attach(&client, &server, &volumes[1]).await.expect(200);
    wait_volume(&client, &volumes[1], "available").await;
    assert_eq!(disks(&cloud, &server), [&*volumes[0]]);
    let list = client.get(&format!("/servers/{server}/os-volume_attachments")).await.expect(200);
    assert_eq!(list["volumeAttachments"].as_array().unwrap().len(), 1);
    let actions = client.get(&format!("/servers/{server}/os-instance-actions")).await.expect(200);
    assert_eq!(actions["instanceActions"][0]["action"], "attach_volume");
    assert_eq!(actions["instanceActions"][0]["message"], "Error");
}
