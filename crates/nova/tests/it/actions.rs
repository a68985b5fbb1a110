//! What may be asked of a server, and what comes of it.

use host::Hypervisor as _;
use host::fake::{Fault, Operation};
use host::plan::{Bus, Drive, RescuePlace};
use serde_json::{Value, json};

use crate::cloud::{ADMIN, Cloud};

pub async fn active(cloud: &Cloud, name: &str) -> String {
    let image = cloud.image("demo").await;
    let demo = cloud.as_("demo");
    let networks = json!([{"uuid": cloud.network("demo", "net", 0).await}]);
    let id =
        demo.server(json!({"name": name, "imageRef": image, "flavorRef": "1", "networks": networks})).await;
    demo.wait(&id, "ACTIVE").await;
    id
}

async fn flavor(cloud: &Cloud, id: &str, ram: i64, vcpus: i64, disk: i64) {
    let body = json!({"flavor": {"name": id, "id": id, "ram": ram, "vcpus": vcpus, "disk": disk}});
    cloud.as_(ADMIN).post("/flavors", body).await.expect(200);
}

async fn last_action(cloud: &Cloud, id: &str) -> Value {
    let admin = cloud.as_(ADMIN);
    let list = admin.get(&format!("/servers/{id}/os-instance-actions")).await.expect(200);
    let request = list["instanceActions"][0]["request_id"].as_str().unwrap();
    let path = format!("/servers/{id}/os-instance-actions/{request}");
    admin.get(&path).await.expect(200)["instanceAction"].take()
}

#[tokio::test]
async fn a_rebuild_keeps_the_server_and_changes_what_it_is_told() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let id = active(&cloud, "s").await;
    let before = demo.get(&format!("/servers/{id}")).await.expect(200)["server"].take();
    let key = json!({"keypair": {"name": "k", "public_key": crate::keypairs::KEY}});
    demo.post("/os-keypairs", key).await.expect(201);
    let image = cloud.image("demo").await;
    let body = json!({"rebuild": {
        "imageRef": image, "name": "new", "metadata": {"a": "b"}, "key_name": "k", "adminPass": "pass",
        "user_data": "aGVsbG8=", "description": "d", "hostname": "new-host", "preserve_ephemeral": false,
    }});
    let answer = demo.action(&id, body).await;
    assert!(answer.headers["location"].to_str().unwrap().ends_with(&format!("/servers/{id}")));
    let shown = answer.expect(202)["server"].take();
    assert_eq!((&shown["status"], &shown["adminPass"]), (&json!("REBUILD"), &json!("pass")));
    assert_eq!((&shown["user_data"], &shown["key_name"]), (&json!("aGVsbG8="), &json!("k")));
    let after = demo.wait(&id, "ACTIVE").await;
    assert_eq!((&after["name"], &after["image"]["id"]), (&json!("new"), &json!(image)));
    assert_eq!((&after["metadata"], &after["description"]), (&json!({"a": "b"}), &json!("d")));
    assert_eq!(after["addresses"], before["addresses"]);
    assert!(after["OS-SRV-USG:launched_at"].as_str() > before["OS-SRV-USG:launched_at"].as_str());
    let log = cloud.hypervisor.console_log(&id, None).await.unwrap();
    assert_eq!(log.matches("Linux version").count(), 1, "a new disk's first boot");
    assert_eq!(last_action(&cloud, &id).await["events"][0]["event"], "compute_rebuild_instance");

    let by_admin = cloud.as_(ADMIN).action(&id, json!({"rebuild": {"imageRef": image}})).await.expect(202);
    assert!(by_admin["server"].get("OS-EXT-SRV-ATTR:user_data").is_none());
    assert!(by_admin["server"].get("OS-EXT-SRV-ATTR:host").is_some());
    demo.wait(&id, "ACTIVE").await;

    // One that was off stays off.
    demo.action(&id, json!({"os-stop": null})).await.expect(202);
    demo.wait(&id, "SHUTOFF").await;
    let reply = demo.action(&id, json!({"rebuild": {"imageRef": image, "key_name": null}})).await.expect(202);
    assert!(reply["server"]["adminPass"].as_str().unwrap().len() >= 12);
    assert_eq!(demo.wait(&id, "SHUTOFF").await["key_name"], Value::Null);
    for (bad, told) in [
        (json!({"imageRef": base::id::uuid()}), "Cannot find image for rebuild"),
        (json!({"imageRef": image, "key_name": "none"}), "Invalid key_name provided."),
        (json!({}), "'imageRef' is a required property"),
        (json!({"imageRef": "x"}), "is not a 'uuid'"),
    ] {
        let message = demo.action(&id, json!({"rebuild": bad})).await.fault(400, "badRequest");
        assert!(message.contains(told), "{message}");
    }
    let old = cloud.as_("demo").at("2.53");
    let message = old.action(&id, json!({"rebuild": {"imageRef": image, "key_name": "k"}})).await;
    assert!(message.fault(400, "badRequest").contains("'key_name' was unexpected"));
}

#[tokio::test]
async fn a_resize_is_confirmed_or_reverted() {
    let cloud = Cloud::start().await;
    let (demo, admin) = (cloud.as_("demo"), cloud.as_(ADMIN));
    flavor(&cloud, "big", 2048, 2, 4).await;
    let id = active(&cloud, "s").await;
    let small = cloud.placement.usage().await.unwrap();
    for confirm in [false, true] {
        demo.action(&id, json!({"resize": {"flavorRef": "big"}})).await.expect(202);
        let server = demo.wait(&id, "VERIFY_RESIZE").await;
        assert_eq!(server["flavor"]["original_name"], "big");
        assert_eq!(
            (&server["OS-EXT-STS:vm_state"], &server["OS-EXT-STS:power_state"]),
            (&json!("resized"), &json!(1))
        );
        let plan = cloud.hypervisor.plan(&id).unwrap();
        assert_eq!((plan.vcpus, plan.memory_mib, plan.root.unwrap().size_gib), (2, 2048, 4));
        // Both flavors are held until the owner decides.
        let held = cloud.placement.usage().await.unwrap();
        assert_eq!((held.vcpus, held.memory_mib), (small.vcpus + 2, small.memory_mib + 2048));
        let quota = demo.get("/limits").await.expect(200)["limits"]["absolute"].take();
        assert_eq!((&quota["totalCoresUsed"], &quota["totalRAMUsed"]), (&json!(2), &json!(2048)));
        if confirm {
            assert_eq!(demo.action(&id, json!({"confirmResize": null})).await.status, 204);
            assert_eq!(demo.wait(&id, "ACTIVE").await["flavor"]["original_name"], "big");
            let left = cloud.placement.usage().await.unwrap();
            assert_eq!((left.vcpus, left.memory_mib, left.disk_gib), (2, 2048, 4));
        } else {
            demo.action(&id, json!({"revertResize": null})).await.expect(202);
            assert_eq!(demo.wait(&id, "ACTIVE").await["flavor"]["original_name"], "m1.tiny");
            assert_eq!(cloud.placement.usage().await.unwrap(), small);
            assert_eq!(cloud.hypervisor.plan(&id).unwrap().vcpus, 1);
        }
    }
    let rows = admin.get("/os-migrations").await.expect(200);
    let told: Vec<&str> =
        rows["migrations"].as_array().unwrap().iter().map(|m| m["status"].as_str().unwrap()).collect();
    assert_eq!(told, ["confirmed", "reverted"]);
    let events = last_action(&cloud, &id).await["events"].as_array().unwrap().len();
    assert_eq!(events, 1);
    flavor(&cloud, "flat", 2048, 2, 1).await;
    for (flavor, told) in [
        ("big", "When resizing, instances must change flavor!".to_owned()),
        ("nope", "Flavor nope could not be found.".to_owned()),
        ("flat", format!("Flavor disk is {} bytes, minimum size is {} bytes.", 1_u64 << 30, 4_u64 << 30)),
    ] {
        let body = json!({"resize": {"flavorRef": flavor}});
        let message = demo.action(&id, body).await.fault(400, "badRequest");
        assert!(message.contains(&told), "{message}");
    }
    // A server that was off is off afterwards; deletion gives everything back.
    demo.action(&id, json!({"os-stop": null})).await.expect(202);
    demo.wait(&id, "SHUTOFF").await;
    flavor(&cloud, "huge", 4096, 3, 5).await;
    demo.action(&id, json!({"resize": {"flavorRef": "huge"}})).await.expect(202);
    assert_eq!(demo.wait(&id, "VERIFY_RESIZE").await["OS-EXT-STS:power_state"], 4);
    demo.delete(&format!("/servers/{id}")).await.expect(204);
    demo.wait_gone(&id).await;
    assert_eq!(cloud.placement.usage().await.unwrap(), placement::Resources::default());
}

#[tokio::test]
async fn a_resize_that_cannot_be_leaves_everything_as_it_was() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let id = active(&cloud, "s").await;
    let before = cloud.placement.usage().await.unwrap();
    flavor(&cloud, "monster", 1024, 1, 2_000_000).await;
    demo.action(&id, json!({"resize": {"flavorRef": "monster"}})).await.expect(202);
    let server = demo.wait(&id, "ACTIVE").await;
    assert_eq!(server["flavor"]["original_name"], "m1.tiny");
    let action = last_action(&cloud, &id).await;
    assert_eq!(action["message"], "Error");
    assert_eq!(
        action["events"][0]["details"],
        "No valid host was found. There are not enough hosts available."
    );
    assert_eq!(cloud.placement.usage().await.unwrap(), before);

    flavor(&cloud, "greedy", 1024, 100, 4).await;
    let body = json!({"resize": {"flavorRef": "greedy"}});
    let told = demo.action(&id, body).await.fault(403, "forbidden");
    assert!(told.starts_with("Quota exceeded for cores: Requested 99, but already used 1 of 20"), "{told}");

    flavor(&cloud, "big", 2048, 2, 4).await;
    cloud.hypervisor.faults().fail_next(Operation::Resize, "Unable to resize disk down.");
    demo.action(&id, json!({"resize": {"flavorRef": "big"}})).await.expect(202);
    let server = demo.wait(&id, "ACTIVE").await;
    assert_eq!(
        (&server["flavor"]["original_name"], &server["OS-EXT-STS:power_state"]),
        (&json!("m1.tiny"), &json!(1))
    );
    assert_eq!(cloud.placement.usage().await.unwrap(), before);
    assert_eq!(cloud.hypervisor.state(&id).await.unwrap(), host::VmState::Running);
    let limits = demo.get("/limits").await.expect(200);
    assert_eq!(limits["limits"]["absolute"]["totalCoresUsed"], 1);
}

#[tokio::test]
async fn there_is_no_other_host_to_go_to() {
    let cloud = Cloud::start().await;
    let (demo, admin) = (cloud.as_("demo"), cloud.as_(ADMIN));
    let id = active(&cloud, "s").await;
    demo.action(&id, json!({"migrate": null})).await.fault(403, "forbidden");
    admin.action(&id, json!({"migrate": null})).await.expect(202);
    demo.wait(&id, "ACTIVE").await;
    let action = last_action(&cloud, &id).await;
    assert_eq!((&action["action"], &action["message"]), (&json!("migrate"), &json!("Error")));
    assert_eq!(cloud.hypervisor.state(&id).await.unwrap(), host::VmState::Running);
    let rows = admin.get("/os-migrations?migration_type=migration").await.expect(200);
    assert_eq!(rows["migrations"][0]["status"], "error");
    let path = format!("/servers/{id}/migrations");
    assert_eq!(admin.get(&path).await.expect(200), json!({"migrations": []}));
    admin.get(&format!("{path}/1")).await.fault(404, "itemNotFound");
    cloud.as_(ADMIN).at("2.22").get(&path).await.fault(404, "itemNotFound");
    demo.get(&path).await.fault(403, "forbidden");
    for (body, told) in [
        (json!({"migrate": {"host": "simulated"}}), "Cannot migrate instance"),
        (json!({"migrate": {"host": "other"}}), "Compute host other could not be found."),
        (json!({"os-migrateLive": {"host": "other", "block_migration": "auto"}}), "could not be found"),
        (json!({"evacuate": {"host": "simulated"}}), "The target host can't be the same one."),
        (json!({"evacuate": {}}), "Compute service of simulated is still in use."),
    ] {
        let message = admin.action(&id, body).await.fault(400, "badRequest");
        assert!(message.contains(told), "{message}");
    }
    admin.action(&id, json!({"evacuate": {"host": "other"}})).await.fault(404, "itemNotFound");
    let live = json!({"os-migrateLive": {"host": null, "block_migration": "auto"}});
    admin.action(&id, live.clone()).await.expect(202);
    let told = cloud.as_(ADMIN).at("2.25").action(&id, live).await.fault(400, "badRequest");
    assert_eq!(told, "No valid host was found. There are not enough hosts available.");
}

#[tokio::test]
async fn in_rescue_and_out_of_it() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let id = active(&cloud, "s").await;
    let answer = demo.action(&id, json!({"rescue": {"adminPass": "secret"}})).await.expect(200);
    assert_eq!(answer, json!({"adminPass": "secret"}));
    demo.wait(&id, "RESCUE").await;
    let plan = cloud.hypervisor.plan(&id).unwrap();
    let rescue = plan.rescue.unwrap();
    assert_eq!((rescue.disk.image, rescue.place), (plan.root.unwrap().image, RescuePlace::First));
    let told = demo.action(&id, json!({"rescue": null})).await.fault(409, "conflictingRequest");
    assert_eq!(told, format!("Cannot 'rescue' instance {id} while it is in vm_state rescued"));
    demo.action(&id, json!({"unrescue": null})).await.expect(202);
    demo.wait(&id, "ACTIVE").await;
    assert!(cloud.hypervisor.plan(&id).unwrap().rescue.is_none());

    let other = cloud.image("demo").await;
    let wanted = json!({"rescue": {"rescue_image_ref": other}});
    assert!(demo.action(&id, wanted).await.expect(200)["adminPass"].as_str().unwrap().len() >= 12);
    demo.wait(&id, "RESCUE").await;
    assert!(cloud.hypervisor.plan(&id).unwrap().rescue.unwrap().disk.image.as_str().ends_with(&other));
    demo.action(&id, json!({"unrescue": null})).await.expect(202);
    demo.wait(&id, "ACTIVE").await;
    let unknown = base::id::uuid();
    let told = demo.action(&id, json!({"rescue": {"rescue_image_ref": unknown}})).await;
    let told = told.fault(400, "badRequest");
    assert_eq!(told, format!("Requested rescue image '{unknown}' is not supported"));
}

#[tokio::test]
async fn a_rescue_image_may_leave_the_disks_where_they_are() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let id = active(&cloud, "s").await;
    let image = cloud.image("demo").await;
    let patch = |device: &str, bus: &str| {
        json!([
            {"op": "add", "path": "/hw_rescue_device", "value": device},
            {"op": "add", "path": "/hw_rescue_bus", "value": bus},
        ])
    };
    demo.patch_image(&image, patch("cdrom", "scsi")).await.expect(200);
    let wanted = json!({"rescue": {"rescue_image_ref": image}});
    demo.action(&id, wanted.clone()).await.expect(200);
    demo.wait(&id, "RESCUE").await;
    let place = RescuePlace::Last(Drive { bus: Bus::Scsi, cdrom: true });
    assert_eq!(cloud.hypervisor.plan(&id).unwrap().rescue.unwrap().place, place);
    demo.action(&id, json!({"unrescue": null})).await.expect(202);
    demo.wait(&id, "ACTIVE").await;
    demo.patch_image(&image, patch("floppy", "fdc")).await.expect(200);
    let told = demo.action(&id, wanted).await.fault(400, "badRequest");
    assert_eq!(told, format!("Requested rescue image '{image}' is not supported"));
}

async fn images(cloud: &Cloud) -> Vec<Value> {
    let list = cloud.as_("demo").call("GET", "/image/v2/images?sort=created_at:asc", None).await.expect(200);
    list["images"].as_array().unwrap().clone()
}

#[tokio::test]
async fn off_the_host_onto_the_shelf_and_back() {
    let cloud = Cloud::start().await;
    let (demo, admin) = (cloud.as_("demo"), cloud.as_(ADMIN));
    let id = active(&cloud, "s").await;
    let held = cloud.placement.usage().await.unwrap();
    demo.action(&id, json!({"shelve": null})).await.expect(202);
    let shelved = demo.wait(&id, "SHELVED_OFFLOADED").await;
    assert_eq!((&shelved["hostId"], &shelved["addresses"]["net"][0]["version"]), (&json!(""), &json!(4)));
    assert_eq!(cloud.placement.usage().await.unwrap(), placement::Resources::default());
    assert_eq!(cloud.hypervisor.list().await.unwrap(), Vec::<String>::new());
    let shelf = images(&cloud).await;
    assert_eq!((&shelf[1]["name"], &shelf[1]["status"]), (&json!("s-shelved"), &json!("active")));
    assert_eq!(shelf[1]["image_type"], "snapshot");
    let told = admin.action(&id, json!({"shelveOffload": null})).await.fault(409, "conflictingRequest");
    assert!(told.contains("vm_state shelved_offloaded"), "{told}");
    let zone = json!({"unshelve": {"availability_zone": "moon"}});
    let told = demo.action(&id, zone).await.fault(400, "badRequest");
    assert_eq!(told, "The requested availability zone is not available");
    demo.action(&id, json!({"unshelve": {"host": "simulated"}})).await.fault(403, "forbidden");
    demo.action(&id, json!({"unshelve": {}})).await.fault(400, "badRequest");
    demo.action(&id, json!({"unshelve": {"availability_zone": "nova"}})).await.expect(202);
    let server = demo.wait(&id, "ACTIVE").await;
    assert_eq!(server["image"]["id"], shelf[0]["id"], "the server is still made from its own image");
    assert_eq!(server["pinned_availability_zone"], "nova");
    assert_eq!(cloud.placement.usage().await.unwrap(), held);
    assert_eq!(images(&cloud).await.len(), 1, "the shelf is empty");
    assert!(
        cloud
            .hypervisor
            .plan(&id)
            .unwrap()
            .root
            .unwrap()
            .image
            .as_str()
            .ends_with(shelf[1]["id"].as_str().unwrap())
    );

    // No room: it stays where it is. Deleted: its image goes as well.
    demo.action(&id, json!({"shelve": null})).await.expect(202);
    demo.wait(&id, "SHELVED_OFFLOADED").await;
    let room = placement::Ratios::default();
    let host = placement::Provider { uuid: crate::cloud::PROVIDER.into(), name: "simulated".into() };
    cloud.placement.set_inventory(&host, 4096, 16 << 20, 0, room).await.unwrap();
    demo.action(&id, json!({"unshelve": null})).await.expect(202);
    demo.wait(&id, "SHELVED_OFFLOADED").await;
    assert_eq!(last_action(&cloud, &id).await["message"], "Error");
    assert_eq!(cloud.placement.usage().await.unwrap(), placement::Resources::default());
    demo.delete(&format!("/servers/{id}")).await.expect(204);
    demo.wait_gone(&id).await;
    assert_eq!(images(&cloud).await.len(), 1);
}

#[tokio::test]
async fn suspended_and_resumed() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let id = active(&cloud, "s").await;
    demo.action(&id, json!({"suspend": null})).await.expect(202);
    assert_eq!(demo.wait(&id, "SUSPENDED").await["OS-EXT-STS:power_state"], 4);
    assert_eq!(cloud.hypervisor.state(&id).await.unwrap(), host::VmState::Stopped);
    demo.action(&id, json!({"resume": null})).await.expect(202);
    demo.wait(&id, "ACTIVE").await;
    let log = cloud.hypervisor.console_log(&id, None).await.unwrap();
    assert_eq!(log.matches("Linux version").count(), 1, "it went on and did not boot");
    demo.action(&id, json!({"suspend": null})).await.expect(202);
    demo.wait(&id, "SUSPENDED").await;
    demo.action(&id, json!({"reboot": {"type": "HARD"}})).await.expect(202);
    demo.wait(&id, "ACTIVE").await;
    let log = cloud.hypervisor.console_log(&id, None).await.unwrap();
    assert_eq!(log.matches("Linux version").count(), 2);
}

#[tokio::test]
async fn snapshots_say_where_they_come_from_and_backups_rotate() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let id = active(&cloud, "s").await;
    let body = json!({"createImage": {"name": "snap", "metadata": {"mine": "yes"}}});
    let image = demo.action(&id, body).await.expect(202)["image_id"].as_str().unwrap().to_owned();
    demo.wait(&id, "ACTIVE").await;
    let shown = demo.call("GET", &format!("/image/v2/images/{image}"), None).await.expect(200);
    let origin = images(&cloud).await[0]["id"].clone();
    for (key, value) in [
        ("name", json!("snap")),
        ("status", json!("active")),
        ("visibility", json!("private")),
        ("image_type", json!("snapshot")),
        ("base_image_ref", origin),
        ("instance_uuid", json!(id)),
        ("user_id", json!("user-demo")),
        ("image_location", json!("snapshot")),
        ("image_state", json!("available")),
        ("owner_project_name", json!("demo")),
        ("mine", json!("yes")),
        ("min_disk", json!(1)),
        ("container_format", json!("bare")),
        ("size", json!(1 << 20)),
    ] {
        assert_eq!(shown[key], value, "{key}");
    }
    // A server is made from it like from any image.
    let made =
        demo.server(json!({"name": "t", "imageRef": image, "flavorRef": "1", "networks": "none"})).await;
    demo.wait(&made, "ACTIVE").await;
    let answer = cloud.as_("demo").at("2.44").action(&id, json!({"createImage": {"name": "old"}})).await;
    assert!(answer.headers["location"].to_str().unwrap().contains("/images/"));
    assert_eq!(answer.expect(202), json!(""));
    demo.wait(&id, "ACTIVE").await;

    for n in 1..=3 {
        let body = json!({"createBackup": {"name": format!("b{n}"), "backup_type": "daily", "rotation": 2}});
        demo.action(&id, body).await.expect(202);
        demo.wait(&id, "ACTIVE").await;
    }
    let weekly = json!({"createBackup": {"name": "w", "backup_type": "weekly", "rotation": "1"}});
    demo.action(&id, weekly).await.expect(202);
    demo.wait(&id, "ACTIVE").await;
    let all = images(&cloud).await;
    let mut kept: Vec<&str> = all
        .iter()
        .filter(|i| i["image_type"] == "backup" && i["backup_type"].is_string())
        .map(|i| i["name"].as_str().unwrap())
        .collect();
    kept.sort_unstable();
    assert_eq!(kept, ["b2", "b3", "w"]);
    let bad = json!({"createBackup": {"name": "b", "backup_type": "daily", "rotation": -1}});
    demo.action(&id, bad).await.fault(400, "badRequest");
    let left: Vec<_> = std::fs::read_dir(cloud.dir.path().join("images"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_snapshot_that_fails_leaves_no_image_and_one_that_nobody_wants_is_no_trouble() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let id = active(&cloud, "s").await;
    cloud.hypervisor.faults().fail_next(Operation::Snapshot, "the disk is broken");
    demo.action(&id, json!({"createImage": {"name": "snap"}})).await.expect(202);
    demo.wait(&id, "ACTIVE").await;
    assert_eq!(images(&cloud).await.len(), 1);
    let action = last_action(&cloud, &id).await;
    assert_eq!(action["events"][0]["details"], "the disk is broken");

    let slow = Fault { operation: Some(Operation::Snapshot), delay_ms: 300, ..Fault::default() };
    cloud.hypervisor.faults().add(slow);
    let image =
        demo.action(&id, json!({"createImage": {"name": "snap"}})).await.expect(202)["image_id"].take();
    let path = format!("/image/v2/images/{}", image.as_str().unwrap());
    assert_eq!(demo.call("DELETE", &path, None).await.status, 204);
    let told = demo.action(&id, json!({"os-stop": null})).await.fault(409, "conflictingRequest");
    assert_eq!(told, format!("Cannot 'stop' instance {id} while it is in task_state image_snapshot_pending"));
    demo.wait(&id, "ACTIVE").await;
    assert_eq!(images(&cloud).await.len(), 1);

    // Deletion does not wait for the copy, and takes the empty image with it.
    demo.action(&id, json!({"createImage": {"name": "snap"}})).await.expect(202);
    demo.delete(&format!("/servers/{id}")).await.expect(204);
    demo.wait_gone(&id).await;
    assert_eq!(images(&cloud).await.len(), 1);
}

#[tokio::test]
async fn what_fails_leaves_the_server_as_it_was_and_says_why() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let id = active(&cloud, "s").await;
    let faults = cloud.hypervisor.faults();
    for (operation, action, status) in [
        (Operation::Pause, json!({"pause": null}), "ACTIVE"),
        (Operation::Suspend, json!({"suspend": null}), "ACTIVE"),
        (Operation::Stop, json!({"os-stop": null}), "ACTIVE"),
        (Operation::Reboot, json!({"reboot": {"type": "HARD"}}), "ACTIVE"),
        (Operation::Stop, json!({"shelve": null}), "ACTIVE"),
    ] {
        faults.fail_next(operation, "no way");
        demo.action(&id, action.clone()).await.expect(202);
        demo.wait(&id, status).await;
        let last = last_action(&cloud, &id).await;
        assert_eq!(
            (&last["message"], &last["events"][0]["details"]),
            (&json!("Error"), &json!("no way")),
            "{action}"
        );
    }
    // A hiccup that passes is nobody's business.
    let hiccup = Fault {
        operation: Some(Operation::Stop),
        error: Some("a hiccup".into()),
        passing: true,
        times: Some(2),
        ..Fault::default()
    };
    faults.add(hiccup);
    demo.action(&id, json!({"os-stop": null})).await.expect(202);
    demo.wait(&id, "SHUTOFF").await;
    faults.fail_next(Operation::Start, "no memory");
    demo.action(&id, json!({"os-start": null})).await.expect(202);
    demo.wait(&id, "SHUTOFF").await;
    // A rebuild that fails has lost its disk.
    faults.fail_next(Operation::Reset, "the disk is stuck");
    let image = cloud.image("demo").await;
    demo.action(&id, json!({"rebuild": {"imageRef": image}})).await.expect(202);
    let server = demo.wait(&id, "ERROR").await;
    assert_eq!(server["fault"]["message"], "the disk is stuck");
    demo.action(&id, json!({"rebuild": {"imageRef": image}})).await.expect(202);
    assert!(demo.wait(&id, "ACTIVE").await.get("fault").is_none());
}
