use serde_json::json;

use crate::cloud::{Cloud, ctx};

const SERVER: &str = "22222222-2222-2222-2222-222222222222";
const OTHER: &str = "33333333-3333-3333-3333-333333333333";

fn connector() -> serde_json::Value {
    json!({"host": "machine", "mountpoint": "/dev/vdb", "mode": "rw"})
}

#[tokio::test]
async fn a_volume_is_reserved_connected_completed_and_let_go() {
    let cloud = Cloud::start().await;
    let id = cloud.volume("member@p1", json!({})).await;
    let new = |server: &str| json!({"attachment": {"volume_uuid": id, "instance_uuid": server}});
    cloud.post("member@p2", "/v3/attachments", new(SERVER)).await.is(404);
    let made = cloud.post("member@p1", "/v3/attachments", new(SERVER)).await.is(200);
    let (attachment, path) = (made.id(), format!("/v3/attachments/{}", made.id()));
    assert_eq!(
        (&made.body["attachment"]["status"], &made.body["attachment"]["connection_info"]),
        (&json!("reserved"), &json!({}))
    );
    cloud.until(&id, "reserved").await;
    // Nobody else.
    cloud.post("member@p1", "/v3/attachments", new(OTHER)).await.is(400);
    cloud.act("member@p1", &id, json!({"os-reserve": {}})).await.is(400);
    let told =
        cloud.ask("member@p1", "PUT", &path, json!({"attachment": {"connector": connector()}})).await.is(200);
    let info = &told.body["attachment"]["connection_info"];
    assert_eq!(
        (&info["driver_volume_type"], &info["serial"], &info["format"]),
        (&json!("local"), &json!(id), &json!("raw"))
    );
    assert_eq!((&info["attachment_id"], &info["enforce_multipath"]), (&json!(attachment), &json!(false)));
    assert!(info.get("data").is_none() && info["qos_specs"].is_null());
    cloud.ask("member@p1", "PUT", &path, json!({"attachment": {"connector": {}}})).await.is(400);
    cloud.until(&id, "attaching").await;
    cloud.delete("admin", &format!("/v3/volumes/{id}?force=true")).await.is(400);
    cloud.post("member@p1", &format!("{path}/action"), json!({"os-complete": {}})).await.is(204);
    let seen = cloud.until(&id, "in-use").await;
    let own = &seen["volume"]["attachments"][0];
    assert_eq!(
        (&own["server_id"], &own["device"], &own["host_name"]),
        (&json!(SERVER), &json!("/dev/vdb"), &json!("machine"))
    );
    assert_eq!(seen["volume"]["metadata"], json!({}), "only the older action says how it attached");
    let seen = cloud.get("member@p1", &format!("/v3/volumes/{id}")).await.is(200);
    assert!(seen.body["volume"]["attachments"][0]["host_name"].is_null());
    for body in [json!({"os-force_delete": {}}), json!({"os-retype": {"new_type": "__DEFAULT__"}})] {
        cloud.act("admin", &id, body).await.is(400);
    }
    // An admin's word about the state does not make it free.
    cloud.act("admin", &id, json!({"os-reset_status": {"status": "available"}})).await.is(202);
    cloud.delete("member@p1", &format!("/v3/volumes/{id}")).await.is(400);
    cloud.act("admin", &id, json!({"os-reset_status": {"status": "in-use"}})).await.is(202);
    assert_eq!(
        cloud.get("member@p1", &format!("/v3/attachments?volume_id={id}")).await.is(200).ids("attachments"),
        [attachment.as_str()]
    );
    assert!(cloud.get("member@p2", "/v3/attachments").await.is(200).ids("attachments").is_empty());
    cloud.get("member@p2", &path).await.is(404);
    cloud.delete("member@p2", &path).await.is(404);
    cloud.delete("member@p1", &path).await.is(200);
    cloud.until(&id, "available").await;
    cloud.delete("member@p1", &path).await.is(404);
    cloud.delete("member@p1", &format!("/v3/volumes/{id}")).await.is(202);
}

#[tokio::test]
async fn whoever_connects_is_told_what_the_front_end_is_to_limit() {
    let cloud = Cloud::start().await;
    let kind = cloud.post("admin", "/v3/types", json!({"volume_type": {"name": "t"}})).await.is(200).id();
    let mut specs = json!({"name": "q", "consumer": "both", "total_iops_sec": "100"});
    // For each of its gigabytes, and not below 80.
    specs["read_bytes_sec_per_gb"] = json!("50");
    specs["read_bytes_sec_per_gb_min"] = json!("80");
    let whole = json!({"total_iops_sec": "100", "read_bytes_sec": "80"});
    let qos = cloud.post("admin", "/v3/qos-specs", json!({ "qos_specs": specs })).await.is(200).id();
    cloud.get("admin", &format!("/v3/qos-specs/{qos}/associate?vol_type_id={kind}")).await.is(202);
    let id = cloud.volume("member@p1", json!({"volume_type": "t"})).await;
    let connector = json!({"host": "machine", "enforce_multipath": true});
    let body = json!({"attachment": {"volume_uuid": id, "connector": connector}});
    let made = cloud.post("member@p1", "/v3/attachments", body).await.is(200);
    let told = made.body["attachment"]["connection_info"].clone();
    assert_eq!((&told["qos_specs"], &told["enforce_multipath"]), (&whole, &json!(true)));
    let path = format!("/v3/attachments/{}", made.id());
    assert_eq!(cloud.get("member@p1", &path).await.is(200).body["attachment"]["connection_info"], told);
    let connection = async || {
        let body = json!({"os-initialize_connection": {"connector": {}}});
        cloud.act("member@p1", &id, body).await.is(200).body["connection_info"]["data"]["qos_specs"].clone()
    };
    assert_eq!(connection().await, whole);
    let back = json!({"qos_specs": {"consumer": "back-end"}});
    cloud.ask("admin", "PUT", &format!("/v3/qos-specs/{qos}"), back).await.is(200);
    assert_eq!(connection().await, json!(null));
}

#[tokio::test]
async fn a_multiattach_volume_has_several_servers() {
    let cloud = Cloud::start().await;
    let kind = json!({"volume_type": {"name": "many", "extra_specs": {"multiattach": "<is> True"}}});
    cloud.post("admin", "/v3/types", kind).await.is(200);
    let id = cloud.volume("member@p1", json!({"volume_type": "many"})).await;
    let mut all = Vec::new();
    for server in [SERVER, OTHER] {
        let body =
            json!({"attachment": {"volume_uuid": id, "instance_uuid": server, "connector": connector()}});
        let made = cloud.post("member@p1", "/v3/attachments", body).await.is(200).id();
        cloud
            .post("member@p1", &format!("/v3/attachments/{made}/action"), json!({"os-complete": {}}))
            .await
            .is(204);
        all.push(made);
    }
    let seen = cloud.until(&id, "in-use").await;
    assert_eq!(seen["volume"]["attachments"].as_array().unwrap().len(), 2);
    cloud.act("member@p1", &id, json!({"os-detach": {}})).await.is(409);
    let other = cloud.volume("member@p1", json!({})).await;
    let mismatch = json!({"os-detach": {"attachment_id": all[1]}});
    let refused = cloud.act("member@p1", &other, mismatch).await.is(400);
    assert_eq!(
        refused.body["badRequest"]["message"],
        "Invalid input received: Mismatched volume and attachment"
    );
    let left = cloud.delete("member@p1", &format!("/v3/attachments/{}", all[0])).await.is(200);
    assert_eq!(left.ids("attachments"), [all[1].as_str()]);
    cloud.until(&id, "in-use").await;
    cloud.act("member@p1", &id, json!({"os-detach": {"attachment_id": all[1]}})).await.is(202);
    cloud.until(&id, "available").await;
}

#[tokio::test]
async fn the_older_actions_attach_too() {
    let cloud = Cloud::start().await;
    let id = cloud.volume("member@p1", json!({})).await;
    let act = |body| cloud.act("member@p1", &id, body);
    act(json!({"os-reserve": {}})).await.is(202);
    cloud.until(&id, "attaching").await;
    act(json!({"os-unreserve": {}})).await.is(202);
    cloud.until(&id, "available").await;
    let told = act(json!({"os-initialize_connection": {"connector": connector()}})).await.is(200);
    assert_eq!(told.body["connection_info"]["data"]["volume_id"], id.as_str());
    act(json!({"os-attach": {"mountpoint": "/dev/vdc"}})).await.is(400);
    act(json!({"os-attach": {"instance_uuid": SERVER, "mountpoint": "/dev/vdc", "mode": "odd"}}))
        .await
        .is(400);
    act(json!({"os-attach": {"instance_uuid": SERVER, "mountpoint": "/dev/vdc"}})).await.is(202);
    let seen = cloud.until(&id, "in-use").await;
    assert_eq!(seen["volume"]["metadata"]["attached_mode"], "rw");
    act(json!({"os-attach": {"instance_uuid": OTHER, "mountpoint": "/dev/vdc"}})).await.is(400);
    act(json!({"os-begin_detaching": {}})).await.is(202);
    cloud.until(&id, "detaching").await;
    act(json!({"os-roll_detaching": {}})).await.is(202);
    cloud.until(&id, "in-use").await;
    act(json!({"os-force_detach": {}})).await.is(403);
    // In use it is copied all the same, when that is said.
    let snapshot = |force: bool| json!({"snapshot": {"volume_id": id, "force": force}});
    cloud.ask_at("member@p1", "3.0", "POST", "/v3/snapshots", snapshot(false)).await.is(400);
    let made = cloud.ask_at("member@p1", "3.0", "POST", "/v3/snapshots", snapshot(true)).await.is(202).id();
    cloud.settled(&format!("/v3/snapshots/{made}"), "/snapshot/status", "available").await;
    cloud.act("member@p1", &id, json!({"os-extend": {"new_size": 2}})).await.is(202);
    assert_eq!(cloud.until(&id, "in-use").await["volume"]["size"], 2);
    act(json!({"os-detach": {}})).await.is(202);
    assert_eq!(cloud.until(&id, "available").await["volume"]["metadata"], json!({}));
    act(json!({"os-begin_detaching": {}})).await.is(400);
    act(json!({"os-terminate_connection": {"connector": {}}})).await.is(202);
    act(json!({"os-update_readonly_flag": {"readonly": true}})).await.is(202);
    act(json!({"os-attach": {"instance_uuid": SERVER, "mountpoint": "/dev/vdc"}})).await.is(400);
    act(json!({"os-attach": {"host_name": "h", "mountpoint": "/dev/vdc", "mode": "ro"}})).await.is(202);
    cloud.until(&id, "in-use").await;
}

#[tokio::test]
async fn a_service_that_runs_machines_has_functions() {
    let cloud = Cloud::start().await;
    let (id, ctx) = (cloud.volume("member@p1", json!({"size": 3})).await, ctx("member@p1"));
    let one = cloud.cinder.reserve(&ctx, &id, SERVER).await.unwrap();
    assert!(cloud.cinder.reserve(&ctx, &id, OTHER).await.is_err());
    let disk = cloud.cinder.connect(&ctx, &one.id, "machine", "/dev/vdb").await.unwrap();
    assert_eq!((disk.volume_id.as_str(), disk.bytes, disk.readonly), (id.as_str(), 3 << 30, false));
    cloud.cinder.complete(&ctx, &one.id).await.unwrap();
    cloud.cinder.complete(&ctx, &one.id).await.unwrap();
    assert_eq!(cloud.cinder.attachments_of(SERVER).await.unwrap().len(), 1);
    assert_eq!(cloud.cinder.volume(&ctx, &id).await.unwrap().status, cinder::Status::InUse);
    cloud.cinder.detach(&ctx, &one.id).await.unwrap();
    cloud.cinder.detach(&ctx, &one.id).await.unwrap();
    assert_eq!(cloud.cinder.volume(&ctx, &id).await.unwrap().status, cinder::Status::Available);
    assert!(cloud.cinder.volume(&crate::cloud::ctx("member@p2"), &id).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_volume_that_was_called_broken_is_available_after_a_forced_detach() {
    let cloud = Cloud::start().await;
    let id = cloud.volume("member@p1", json!({})).await;
    let attach = json!({"os-attach": {"instance_uuid": SERVER, "mountpoint": "/dev/vdb"}});
    cloud.act("member@p1", &id, attach).await.is(202);
    cloud.act("admin", &id, json!({"os-reset_status": {"status": "error"}})).await.is(202);
    let attachment = cloud.get("member@p1", &format!("/v3/attachments?volume_id={id}")).await.is(200);
    let attachment = attachment.ids("attachments")[0].clone();
    cloud.act("admin", &id, json!({"os-force_detach": {"attachment_id": attachment}})).await.is(202);
    cloud.until(&id, "available").await;
}

#[tokio::test]
async fn an_admins_word_that_nobody_has_a_volume_makes_it_available() {
    let cloud = Cloud::start().await;
    let kind = json!({"volume_type": {"name": "many", "extra_specs": {"multiattach": "<is> True"}}});
    cloud.post("admin", "/v3/types", kind).await.is(200);
    let id = cloud.volume("member@p1", json!({"volume_type": "many"})).await;
    let detached = |status: &str| json!({"os-reset_status": {"status": status, "attach_status": "detached"}});
    cloud.act("admin", &id, detached("error")).await.is(202);
    cloud.until(&id, "error").await;
    cloud.act("admin", &id, detached("available")).await.is(202);
    for server in [SERVER, OTHER] {
        let body =
            json!({"attachment": {"volume_uuid": id, "instance_uuid": server, "connector": connector()}});
        let made = cloud.post("member@p1", "/v3/attachments", body).await.is(200).id();
        let path = format!("/v3/attachments/{made}/action");
        cloud.post("member@p1", &path, json!({"os-complete": {}})).await.is(204);
    }
    cloud.until(&id, "in-use").await;
    let word = json!({"os-reset_status": {"attach_status": "detached"}});
    cloud.act("admin", &id, word).await.is(202);
    let seen = cloud.until(&id, "available").await;
    assert_eq!(seen["volume"]["attachments"], json!([]));
    cloud.delete("member@p1", &format!("/v3/volumes/{id}")).await.is(202);
}
