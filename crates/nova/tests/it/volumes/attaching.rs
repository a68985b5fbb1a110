//! Volumes that come to servers and go.

use serde_json::{Value, json};

use super::{attach, detach, disks, server, show, volume, wait_no_volume, wait_volume};
use crate::cloud::{ADMIN, Cloud};

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
async fn an_admins_word_takes_no_volume_from_a_server_that_has_it() {
    let cloud = Cloud::start().await;
    let client = cloud.as_("p1");
    let server = server(&cloud, &client).await;
    let volume = volume(&client, 1).await;
    attach(&client, &server, &volume).await.expect(200);
    wait_volume(&client, &volume, "in-use").await;
    let admin = cloud.as_(ADMIN);
    let path = format!("/volume/v3/volumes/{volume}");
    for status in ["error", "available"] {
        let word = json!({"os-reset_status": {"status": status, "attach_status": "detached"}});
        admin.call("POST", &format!("{path}/action"), Some(word)).await.expect(202);
        wait_volume(&client, &volume, "in-use").await;
        admin.call("DELETE", &format!("{path}?force=true"), None).await.expect(400);
    }
    assert_eq!(disks(&cloud, &server), [&*volume]);
    detach(&client, &server, &volume).await.expect(202);
    wait_volume(&client, &volume, "available").await;
    client.call("DELETE", &path, None).await.expect(202);
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
