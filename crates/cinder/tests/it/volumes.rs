use std::time::Instant;

use host::fake::Operation;
use serde_json::{Value, json};

use crate::cloud::Cloud;

#[tokio::test]
async fn a_blank_volume_lives_and_dies() {
    let cloud = Cloud::start().await;
    let body = json!({"volume": {"name": "v", "description": "d", "size": "5000", "metadata": {"a": "b"}}});
    cloud.ask("admin", "PUT", "/v3/os-quota-sets/p1", json!({"quota_set": {"gigabytes": -1}})).await.is(200);
    let started = Instant::now();
    let made = cloud.post("member@p1", "/v3/volumes", body).await.is(202);
    let volume = &made.body["volume"];
    assert_eq!((&volume["status"], &volume["size"]), (&json!("creating"), &json!(5000)));
    assert_eq!(volume["volume_type"], "__DEFAULT__");
    // Only looking at it shows what extensions add.
    assert!(volume.get("os-vol-tenant-attr:tenant_id").is_none());
    let id = made.id();
    let seen = cloud.until(&id, "available").await;
    assert!(started.elapsed().as_millis() < 1000, "{:?}", started.elapsed());
    let seen = &seen["volume"];
    assert_eq!(
        (&seen["name"], &seen["bootable"], &seen["attachments"]),
        (&json!("v"), &json!("false"), &json!([]))
    );
    assert_eq!(
        (&seen["os-vol-host-attr:host"], &seen["metadata"]),
        (&json!("machine@files#files"), &json!({"a": "b"}))
    );
    // Members do not see what is the operator's; other projects see nothing.
    let own = cloud.get("reader@p1", &format!("/v3/volumes/{id}")).await.is(200);
    assert!(own.body["volume"].get("os-vol-host-attr:host").is_none());
    assert_eq!(
        cloud.get("member@p2", &format!("/v3/volumes/{id}")).await.is(404).message(),
        format!("Volume {id} could not be found.")
    );
    cloud.delete("member@p2", &format!("/v3/volumes/{id}")).await.is(404);
    cloud.delete("reader@p1", &format!("/v3/volumes/{id}")).await.is(403);
    let update = json!({"volume": {"name": "w"}});
    cloud.ask("member@p2", "PUT", &format!("/v3/volumes/{id}"), update.clone()).await.is(404);
    let changed = cloud.ask("member@p1", "PUT", &format!("/v3/volumes/{id}"), update).await.is(200);
    assert_eq!(changed.body["volume"]["name"], "w");
    cloud.files(1).await;
    cloud.delete("member@p1", &format!("/v3/volumes/{id}")).await.is(202);
    cloud.get("member@p1", &format!("/v3/volumes/{id}")).await.is(404);
    cloud.files(0).await;
}

#[tokio::test]
async fn bad_volumes_are_refused() {
    let cloud = Cloud::start().await;
    let nobody = "11111111-1111-1111-1111-111111111111";
    for (volume, status) in [
        (json!({}), 400),
        (json!({"size": 0}), 400),
        (json!({"size": -1}), 400),
        (json!({"size": "one"}), 400),
        (json!({"size": 1.5}), 400),
        (json!({"size": "0"}), 400),
        (json!({"size": 3_000_000_000_i64}), 400),
        (json!({"size": 1, "name": "n".repeat(256)}), 400),
        (json!({"size": 1, "metadata": {"k": 1}}), 400),
        (json!({"size": 1, "metadata": {"": "v"}}), 400),
        (json!({"size": 1, "x": 1}), 400),
        (json!({"size": 1, "multiattach": true}), 400),
        (json!({"size": 1, "availability_zone": "moon"}), 400),
        (json!({"size": 1, "volume_type": "none"}), 404),
        (json!({"size": 1, "snapshot_id": nobody}), 404),
        (json!({"size": 1, "source_volid": nobody}), 404),
        (json!({"size": 1, "snapshot_id": "x"}), 400),
        (json!({"size": 1, "imageRef": nobody}), 400),
        (json!({"size": 1, "backup_id": nobody}), 404),
        (json!({"size": 2000}), 413),
    ] {
        let answer = cloud.post("member@p1", "/v3/volumes", json!({ "volume": volume })).await;
        assert_eq!(answer.status, status, "{volume}: {}", answer.body);
    }
    for body in [json!({}), json!([]), json!({"volume": 1}), json!({"volume": {"size": 1}, "x": 1})] {
        cloud.post("member@p1", "/v3/volumes", body).await.is(400);
    }
    cloud.post("reader@p1", "/v3/volumes", json!({"volume": {"size": 1}})).await.is(403);
    assert!(cloud.get("member@p1", "/v3/volumes").await.is(200).ids("volumes").is_empty());
    cloud.files(0).await;
}

#[tokio::test]
async fn a_projects_id_may_stand_in_the_path() {
    let cloud = Cloud::start().await;
    let id = cloud.volume("member@ab12", json!({"name": "v"})).await;
    let seen = cloud.get("member@ab12", &format!("/v3/ab12/volumes/{id}")).await.is(200);
    let link = seen.body["volume"]["links"][0]["href"].as_str().unwrap();
    assert!(link.ends_with(&format!("/volume/v3/ab12/volumes/{id}")), "{link}");
    assert_eq!(
        cloud.get("member@ab12", "/v3/ab12/volumes?name=v").await.is(200).ids("volumes"),
        [id.as_str()]
    );
    let other = cloud.get("member@cd34", &format!("/v3/ab12/volumes/{id}")).await.is(400);
    assert_eq!(other.message(), "Malformed request url");
    let page = cloud.get("member@ab12", "/v3/ab12/volumes?limit=1").await.is(200);
    let next = page.body["volumes_links"][0]["href"].as_str().unwrap();
    assert!(next.contains("/v3/ab12/volumes?limit=1&marker="), "{next}");
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_paged() {
    let cloud = Cloud::start().await;
    let mut ids = Vec::new();
    for (name, size) in [("a", 3), ("b", 1), ("c", 2)] {
        ids.push(
            cloud.volume("member@p1", json!({"name": name, "size": size, "metadata": {"n": name}})).await,
        );
    }
    cloud.volume("member@p2", json!({"name": "a"})).await;
    let list = |query: &'static str| {
        let cloud = &cloud;
        async move { cloud.get("member@p1", &format!("/v3/volumes{query}")).await.is(200).ids("volumes") }
    };
    let [a, b, c] = [&ids[0], &ids[1], &ids[2]];
    assert_eq!(list("").await, [c.clone(), b.clone(), a.clone()]);
    assert_eq!(list("?sort=size:asc").await, [b.clone(), c.clone(), a.clone()]);
    assert_eq!(list("?sort_key=name&sort_dir=asc&limit=2").await, [a.clone(), b.clone()]);
    assert_eq!(list("?sort=name:asc&offset=1").await, [b.clone(), c.clone()]);
    assert_eq!(list("?name=b").await, [b.as_str()]);
    assert_eq!(list("?status=available&limit=1").await, [c.as_str()]);
    assert_eq!(list("?metadata=%7B'n':%20'c'%7D").await, [c.as_str()]);
    assert_eq!(list("?name~=B&bootable=false").await, [b.as_str()]);
    assert!(list("?status=error").await.is_empty());
    let marked = cloud.get("member@p1", &format!("/v3/volumes/detail?limit=1&marker={c}")).await.is(200);
    assert_eq!(marked.ids("volumes"), [b.as_str()]);
    let counted = cloud.get("member@p1", "/v3/volumes?limit=1&with_count=true").await.is(200);
    assert_eq!((counted.body["count"].clone(), counted.ids("volumes").len()), (json!(3), 1));
    for (query, status) in [
        ("limit=-1", 400),
        ("limit=x", 400),
        ("sort_key=nothing", 400),
        ("sort=name:up", 400),
        ("offset=-1", 400),
        ("color=red", 400),
        ("bootable=perhaps", 400),
        ("marker=x", 404),
    ] {
        let answer = cloud.get("member@p1", &format!("/v3/volumes?{query}")).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.body);
    }
    // Of nothing, too.
    cloud.get("member@p3", "/v3/volumes?sort_key=nothing").await.is(400);
    assert_eq!(cloud.get("admin", "/v3/volumes?all_tenants=1").await.is(200).ids("volumes").len(), 4);
    assert_eq!(cloud.get("member@p1", "/v3/volumes?all_tenants=1").await.is(200).ids("volumes").len(), 3);
    let summary = cloud.get("member@p1", "/v3/volumes/summary").await.is(200).body["volume-summary"].clone();
    assert_eq!((&summary["total_count"], &summary["total_size"]), (&json!(3), &json!(6)));
    assert_eq!(summary["metadata"]["n"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn of_those_who_saw_the_same_metadata_one_changes_it() {
    let cloud = Cloud::start().await;
    let path = format!("/v3/volumes/{}/metadata", cloud.volume("member@p1", json!({})).await);
    let seen = cloud.get("member@p1", &path).await.is(200).headers["etag"].to_str().unwrap().to_owned();
    let put = async |value: &str| {
        let headers = [("openstack-api-version", "volume 3.15"), ("if-match", seen.as_str())];
        let body = json!({"metadata": {"by": value}});
        cloud.ask_with("member@p1", &headers, "PUT", &path, body).await.status
    };
    let (a, b, c) = tokio::join!(put("a"), put("b"), put("c"));
    let mut statuses = [a, b, c];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412]);
}

#[tokio::test]
async fn metadata_is_changed_whole_and_by_key() {
    let cloud = Cloud::start().await;
    let id = cloud.volume("member@p1", json!({})).await;
    let path = format!("/v3/volumes/{id}/metadata");
    let given = json!({"metadata": {"a": "1", "b": "2"}});
    cloud.post("member@p1", &path, given.clone()).await.is(200);
    cloud.post("member@p2", &path, given.clone()).await.is(404);
    cloud.post("reader@p1", &path, given).await.is(403);
    let key = format!("{path}/a");
    cloud.ask("member@p1", "PUT", &key, json!({"meta": {"a": "3"}})).await.is(200);
    cloud.ask("member@p1", "PUT", &key, json!({"meta": {"b": "3"}})).await.is(400);
    cloud.ask("member@p1", "PUT", &key, json!({"meta": {"a": "3", "b": "3"}})).await.is(400);
    cloud.ask("member@p1", "PUT", &key, json!({"meta": {"a": "x".repeat(256)}})).await.is(400);
    assert_eq!(cloud.get("reader@p1", &key).await.is(200).body, json!({"meta": {"a": "3"}}));
    cloud.get("reader@p1", &format!("{path}/c")).await.is(404);
    let all = cloud.get("reader@p1", &path).await.is(200);
    assert_eq!(all.body, json!({"metadata": {"a": "3", "b": "2"}}));
    assert!(all.headers.contains_key("etag"));
    cloud.ask("member@p1", "PUT", &path, json!({"metadata": {"c": "4"}})).await.is(200);
    cloud.delete("member@p1", &key).await.is(404);
    cloud.delete("member@p1", &format!("{path}/c")).await.is(200);
    assert_eq!(cloud.get("reader@p1", &path).await.is(200).body, json!({"metadata": {}}));
    // What came with an image is apart from it.
    let set = json!({"os-set_image_metadata": {"metadata": {"k": "v"}}});
    assert_eq!(cloud.act("member@p1", &id, set).await.is(200).body, json!({"metadata": {"k": "v"}}));
    let seen = cloud.get("member@p1", &format!("/v3/volumes/{id}")).await.is(200);
    assert_eq!(seen.body["volume"]["volume_image_metadata"], json!({"k": "v"}));
    let unset = json!({"os-unset_image_metadata": {"key": "k"}});
    cloud.act("member@p1", &id, unset.clone()).await.is(200);
    cloud.act("member@p1", &id, unset).await.is(404);
}

#[tokio::test]
async fn extended_and_never_made_smaller() {
    let cloud = Cloud::start().await;
    let id = cloud.volume("member@p1", json!({"size": 2})).await;
    let extend = |size: Value| json!({"os-extend": {"new_size": size}});
    for (size, status) in
        [(json!(2), 400), (json!(1), 400), (json!("x"), 400), (json!(null), 400), (json!(1001), 413)]
    {
        cloud.act("member@p1", &id, extend(size)).await.is(status);
    }
    cloud.act("member@p1", &id, extend(json!("7"))).await.is(202);
    let seen = cloud.until(&id, "available").await;
    assert_eq!(seen["volume"]["size"], 7);
    cloud.driver.faults().fail_next(Operation::GrowVolume, "no");
    cloud.act("member@p1", &id, extend(json!(8))).await.is(202);
    let seen = cloud.until(&id, "error_extending").await;
    assert_eq!(seen["volume"]["size"], 7);
    let messages = cloud.get("member@p1", "/v3/messages").await.is(200);
    assert_eq!(messages.body["messages"][0]["event_id"], "VOLUME_VOLUME_007_010");
    assert_eq!(messages.body["messages"][0]["resource_uuid"], id.as_str());
    assert!(cloud.get("member@p2", "/v3/messages").await.is(200).ids("messages").is_empty());
    let reset = json!({"os-reset_status": {"status": "available"}});
    cloud.act("member@p1", &id, reset.clone()).await.is(403);
    cloud.act("admin", &id, reset).await.is(202);
    cloud.act("member@p1", &id, extend(json!(8))).await.is(202);
    cloud.until(&id, "available").await;
}

#[tokio::test]
async fn what_cannot_be_made_is_an_error_with_a_message_and_can_be_deleted() {
    let cloud = Cloud::start().await;
    cloud.driver.faults().fail_next(Operation::MakeVolume, "no");
    let id = cloud.post("member@p1", "/v3/volumes", json!({"volume": {"size": 1}})).await.is(202).id();
    cloud.until(&id, "error").await;
    let messages = cloud.get("member@p1", "/v3/messages").await.is(200);
    let message = messages.body["messages"][0].clone();
    assert_eq!(
        message["user_message"],
        "create volume from backend storage:Driver failed to create the volume."
    );
    let path = format!("/v3/messages/{}", message["id"].as_str().unwrap());
    cloud.get("member@p2", &path).await.is(404);
    cloud.get("member@p1", &path).await.is(200);
    cloud.delete("member@p1", &path).await.is(204);
    cloud.get("member@p1", &path).await.is(404);
    cloud.delete("member@p1", &format!("/v3/volumes/{id}")).await.is(202);
    cloud.files(0).await;
}

#[tokio::test]
async fn a_type_that_asks_for_another_backend_has_none() {
    let cloud = Cloud::start().await;
    for (name, backend, status) in [("here", "files", "available"), ("there", "elsewhere", "error")] {
        let specs = json!({"volume_backend_name": backend});
        let kind = json!({"volume_type": {"name": name, "extra_specs": specs}});
        cloud.post("admin", "/v3/types", kind).await.is(200);
        let body = json!({"volume": {"size": 1, "volume_type": name}});
        let id = cloud.post("member@p1", "/v3/volumes", body).await.is(202).id();
        cloud.until(&id, status).await;
    }
    let messages = cloud.get("member@p1", "/v3/messages").await.is(200);
    assert_eq!(messages.body["messages"][0]["event_id"], "VOLUME_VOLUME_001_003");
}

#[tokio::test]
async fn flags_and_states() {
    let cloud = Cloud::start().await;
    let id = cloud.volume("member@p1", json!({})).await;
    cloud.act("member@p1", &id, json!({"os-set_bootable": {"bootable": true}})).await.is(200);
    cloud.act("member@p1", &id, json!({"os-set_bootable": {"bootable": "maybe"}})).await.is(400);
    cloud.act("member@p1", &id, json!({"os-update_readonly_flag": {"readonly": true}})).await.is(202);
    let seen = cloud.get("member@p1", &format!("/v3/volumes/{id}")).await.is(200).body["volume"].clone();
    assert_eq!((&seen["bootable"], &seen["metadata"]["readonly"]), (&json!("true"), &json!("True")));
    let reset = |status: &str| json!({"os-reset_status": {"status": status}});
    cloud.act("admin", &id, reset("maintenance")).await.is(202);
    cloud.act("admin", &id, reset("nonsense")).await.is(400);
    cloud.act("admin", &id, reset("in-use")).await.is(400);
    cloud.act("admin", &id, json!({"os-reset_status": {}})).await.is(400);
    cloud.delete("member@p1", &format!("/v3/volumes/{id}")).await.is(400);
    cloud.act("member@p1", &id, json!({"os-force_delete": {}})).await.is(403);
    cloud.act("member@p1", &id, json!({"os-nothing": {}})).await.is(400);
    cloud.act("admin", &id, json!({"os-migrate_volume": {"host": "moon"}})).await.is(400);
    cloud.act("admin", &id, json!({"os-force_delete": {}})).await.is(202);
    cloud.get("admin", &format!("/v3/volumes/{id}")).await.is(404);
}

#[tokio::test]
async fn from_an_image_and_back() {
    let cloud = Cloud::start().await;
    let image = cloud.image("member@p1").await;
    // Another project does not see it.
    let body = json!({"volume": {"size": 1, "imageRef": image}});
    cloud.post("member@p2", "/v3/volumes", body).await.is(400);
    cloud.post("member@p1", "/v3/volumes", json!({"volume": {"imageRef": image}})).await.is(400);
    let id = cloud.volume("member@p1", json!({"imageRef": image, "size": 2})).await;
    let seen = cloud.get("member@p1", &format!("/v3/volumes/{id}")).await.is(200).body["volume"].clone();
    assert_eq!(seen["bootable"], "true");
    let metadata = &seen["volume_image_metadata"];
    assert_eq!((&metadata["image_id"], &metadata["color"]), (&json!(image), &json!("red")));
    let disk = cloud.cinder.connection(&id).await.unwrap().disk;
    assert_eq!((disk.layers.len(), disk.bytes), (2, 2 << 30));
    // By its name as well.
    cloud.volume("member@p1", json!({"imageRef": "i"})).await;
    let upload = json!({"os-volume_upload_image": {"image_name": "u", "disk_format": "raw"}});
    cloud.act("reader@p1", &id, upload.clone()).await.is(403);
    let made = cloud.act("member@p1", &id, upload).await.is(202).body["os-volume_upload_image"].clone();
    assert_eq!(made["status"], "uploading");
    cloud.until(&id, "available").await;
    let uploaded = made["image_id"].as_str().unwrap();
    let found = cloud.glance.image(&crate::cloud::ctx("member@p1"), uploaded).await.unwrap();
    assert_eq!(
        (found.status, found.properties.get("color").map(String::as_str)),
        (glance::Status::Active, Some("red"))
    );
    assert_eq!(found.name.as_deref(), Some("u"));
    for bad in [json!({}), json!({"image_name": ""}), json!({"image_name": "x", "disk_format": "z"})] {
        cloud.act("member@p1", &id, json!({ "os-volume_upload_image": bad })).await.is(400);
    }
    let public = json!({"os-volume_upload_image": {"image_name": "u", "visibility": "public"}});
    cloud.act("member@p1", &id, public).await.is(403);
}

#[tokio::test]
async fn a_volume_becomes_another_image() {
    let cloud = Cloud::start().await;
    let image = cloud.image("member@p1").await;
    let id = cloud.volume("member@p1", json!({"size": 1})).await;
    let snapshot = cloud.snapshot("member@p1", &id).await;
    let head = async || cloud.cinder.connection(&id).await.unwrap().disk.layers.pop().unwrap().id;
    cloud.driver.write(&head().await, 1, 1);
    let reimage = |image: &str| json!({"os-reimage": {"image_id": image}});
    let path = format!("/v3/volumes/{id}/action");
    cloud.ask_at("member@p1", "3.67", "POST", &path, reimage(&image)).await.is(404);
    cloud.act("reader@p1", &id, reimage(&image)).await.is(403);
    cloud.act("member@p1", &id, reimage(&base::id::uuid())).await.is(404);
    cloud.act("member@p1", &id, reimage("none")).await.is(400);
    cloud.act("member@p1", &id, reimage(&image)).await.is(202);
    let seen = cloud.until(&id, "available").await;
    assert_eq!(seen["volume"]["volume_image_metadata"]["image_id"], json!(image));
    let disk = cloud.cinder.connection(&id).await.unwrap().disk;
    assert!(cloud.driver.shows(&disk.layers).is_empty() && disk.layers.len() == 2);
    // What it was then is in its snapshot.
    let copy = cloud.volume("member@p1", json!({"snapshot_id": snapshot})).await;
    cloud.until(&copy, "available").await;

    let attachment = json!({"attachment": {"volume_uuid": id, "instance_uuid": base::id::uuid()}});
    cloud.post("member@p1", "/v3/attachments", attachment).await.is(200);
    let refused = cloud.act("member@p1", &id, reimage(&image)).await.is(400);
    let words = format!(
        "Invalid volume: Volume {id} status must be available or error, but current status is reserved."
    );
    assert_eq!(refused.body["badRequest"]["message"], json!(words));
    let reserved = json!({"os-reimage": {"image_id": image, "reimage_reserved": true}});
    cloud.act("member@p1", &id, reserved).await.is(202);
}

#[tokio::test]
async fn a_volume_becomes_what_a_server_was_that_booted_from_another() {
    let cloud = Cloud::start().await;
    let head = async |id: &str| cloud.cinder.connection(id).await.unwrap().disk.layers;
    let source = cloud.volume("member@p1", json!({"size": 2})).await;
    cloud.driver.write(&head(&source).await.pop().unwrap().id, 1, 1);
    let snapshot = cloud.snapshot("member@p1", &source).await;
    let image = cloud.image("member@p1").await;
    let mapping = json!([{"source_type": "snapshot", "boot_index": 0, "snapshot_id": snapshot}]).to_string();
    let properties = json!({"color": "blue", "block_device_mapping": mapping}).to_string();
    db::write!(cloud.db, |tx| {
        db::sql("UPDATE images SET properties = $1 WHERE id = $2")
            .bind(&*properties)
            .bind(&*image)
            .run(tx)
            .await?;
        Ok::<_, base::Error>(())
    })
    .unwrap();
    let reimage = json!({"os-reimage": {"image_id": image}});
    cloud.encrypted_type("luks").await;
    for (body, why) in
        [(json!({}), "Volume size must be"), (json!({"size": 2, "volume_type": "luks"}), "key")]
    {
        let id = cloud.volume("member@p1", body).await;
        let refused = cloud.act("member@p1", &id, reimage.clone()).await.is(400);
        assert!(refused.message().contains(why), "{}", refused.body);
    }
    // Whoever acts for a project sees more than it does.
    let theirs = cloud.volume("member@p2", json!({"size": 2})).await;
    cloud.act("admin", &theirs, reimage.clone()).await.is(404);
    let id = cloud.volume("member@p1", json!({"size": 3})).await;
    cloud.driver.write(&head(&id).await.pop().unwrap().id, 2, 2);
    cloud.act("member@p1", &id, reimage.clone()).await.is(202);
    let seen = cloud.until(&id, "available").await;
    let told = &seen["volume"]["volume_image_metadata"];
    assert_eq!((&told["image_id"], &told["color"]), (&json!(image), &json!("blue")));
    assert!(told.get("block_device_mapping").is_none());
    assert_eq!(cloud.driver.shows(&head(&id).await), [(1, 1)].into());
    cloud.delete("member@p1", &format!("/v3/snapshots/{snapshot}")).await.is(202);
    cloud.act("member@p1", &id, reimage).await.is(404);
    assert_eq!(cloud.driver.shows(&head(&id).await), [(1, 1)].into());
}

#[tokio::test]
async fn versions_are_told_and_kept_to() {
    let cloud = Cloud::start().await;
    let all = cloud.get("", "/").await.is(300);
    let one = &all.body["versions"][0];
    assert_eq!(
        (&one["id"], &one["min_version"], &one["version"]),
        (&json!("v3.0"), &json!("3.0"), &json!("3.70"))
    );
    cloud.get("", "/v3").await.is(200);
    let at = |version: &'static str, path: &'static str| {
        let cloud = &cloud;
        async move { cloud.ask_at("member@p1", version, "GET", path, Value::Null).await }
    };
    assert_eq!(at("3.26", "/v3/attachments").await.status, 404);
    at("3.27", "/v3/attachments").await.is(200);
    assert_eq!(at("3.2", "/v3/messages").await.status, 404);
    assert_eq!(at("3.71", "/v3/volumes").await.status, 406);
    let answer = at("3.5", "/v3/volumes").await.is(200);
    assert_eq!(answer.headers["openstack-api-version"], "volume 3.5");
    let id = cloud.volume("member@p1", json!({})).await;
    let old =
        cloud.ask_at("member@p1", "3.0", "GET", &format!("/v3/volumes/{id}"), Value::Null).await.is(200);
    let new = cloud.get("member@p1", &format!("/v3/volumes/{id}")).await.is(200);
    for key in ["group_id", "shared_targets", "volume_type_id", "consumes_quota"] {
        let has = |answer: &crate::cloud::Answer| answer.body["volume"].get(key).is_some();
        assert!(!has(&old) && has(&new), "{key}");
    }
}

#[tokio::test]
async fn what_there_is_is_told_to_whom_it_concerns() {
    let cloud = Cloud::start().await;
    let zones = cloud.get("reader@p1", "/v3/os-availability-zone").await.is(200);
    assert_eq!(zones.body["availabilityZoneInfo"][0]["zoneName"], "nova");
    for path in
        ["/v3/os-services", "/v3/scheduler-stats/get_pools", "/v3/os-hosts", "/v3/capabilities/machine@files"]
    {
        cloud.get("member@p1", path).await.is(403);
        cloud.get("admin", path).await.is(200);
    }
    let pools = cloud.get("admin", "/v3/scheduler-stats/get_pools?detail=true").await.is(200);
    assert_eq!(pools.body["pools"][0]["name"], "machine@files#files");
    assert_eq!(pools.body["pools"][0]["capabilities"]["thin_provisioning_support"], true);
    cloud.get("admin", "/v3/capabilities/moon").await.is(404);
    cloud.get("admin", "/v3/os-hosts/moon").await.is(404);
    let body = json!({"binary": "cinder-volume", "host": "machine@files", "disabled_reason": "tired"});
    cloud.ask("admin", "PUT", "/v3/os-services/disable-log-reason", body).await.is(200);
    let services = cloud.get("admin", "/v3/os-services?binary=cinder-volume").await.is(200);
    assert_eq!(
        (&services.body["services"][0]["status"], &services.body["services"][0]["disabled_reason"]),
        (&json!("disabled"), &json!("tired"))
    );
    let body = json!({"binary": "cinder-volume", "host": "moon"});
    cloud.ask("admin", "PUT", "/v3/os-services/enable", body).await.is(404);
    let body = json!({"binary": "cinder-volume", "host": "machine@files"});
    cloud.ask("admin", "PUT", "/v3/os-services/enable", body).await.is(200);
    cloud.get("reader@p1", "/v3/extensions").await.is(200);
    cloud.get("reader@p1", "/v3/resource_filters?resource=volume").await.is(200);
}
