use serde_json::{Value, json};

use crate::cloud::Cloud;

async fn group_type(cloud: &Cloud, name: &str, specs: Value) -> String {
    let body = json!({"group_type": {"name": name, "group_specs": specs}});
    cloud.post("admin", "/v3/group_types", body).await.is(202).id()
}

async fn group(cloud: &Cloud, who: &str, kind: &str) -> String {
    let body = json!({"group": {"name": "g", "group_type": kind, "volume_types": ["__DEFAULT__"]}});
    cloud.post(who, "/v3/groups", body).await.is(202).id()
}

fn member(group: &str) -> Value {
    json!({"group_id": group, "volume_type": "__DEFAULT__"})
}

#[tokio::test]
async fn group_types_are_an_admins_to_make_and_everybodys_to_see() {
    let cloud = Cloud::start().await;
    let new = |body| json!({ "group_type": body });
    cloud.post("member@p1", "/v3/group_types", new(json!({"name": "t"}))).await.is(403);
    cloud.ask_at("admin", "3.10", "POST", "/v3/group_types", new(json!({"name": "t"}))).await.is(404);
    let made = cloud.post("admin", "/v3/group_types", new(json!({"name": "t", "description": "d"}))).await;
    let id = made.is(202).id();
    cloud.post("admin", "/v3/group_types", new(json!({"name": "t"}))).await.is(409);
    cloud.post("admin", "/v3/group_types", new(json!({}))).await.is(400);
    let hidden = cloud.post("admin", "/v3/group_types", new(json!({"name": "a", "is_public": false}))).await;
    let (hidden, path) = (hidden.is(202).id(), format!("/v3/group_types/{id}"));
    let list = |who: &'static str, query: &'static str| {
        let cloud = &cloud;
        async move { cloud.get(who, &format!("/v3/group_types{query}")).await.is(200).ids("group_types") }
    };
    assert_eq!(list("member@p1", "?is_public=None").await, [id.as_str()]);
    assert_eq!(list("admin", "").await, [id.as_str()]);
    assert_eq!(list("admin", "?is_public=None&sort=name:asc").await, [hidden.as_str(), &id]);
    assert_eq!(list("admin", "?is_public=False").await, [hidden.as_str()]);
    cloud.get("member@p1", &format!("/v3/group_types/{hidden}")).await.is(404);
    cloud.get("admin", "/v3/group_types/default").await.is(404);
    cloud.ask("admin", "PUT", &path, new(json!({}))).await.is(400);
    let seen = cloud.ask("admin", "PUT", &path, new(json!({"name": "u"}))).await.is(200).body;
    assert_eq!((&seen["group_type"]["name"], &seen["group_type"]["description"]), (&json!("u"), &json!("d")));

    let specs = format!("{path}/group_specs");
    let body = json!({"group_specs": {"k": "v", "l": "w"}});
    assert_eq!(cloud.post("admin", &specs, body.clone()).await.is(202).body, body);
    let one = format!("{specs}/k");
    cloud.ask("admin", "PUT", &one, json!({"l": "x"})).await.is(400);
    cloud.ask("admin", "PUT", &one, json!({"k": "x"})).await.is(200);
    assert_eq!(cloud.get("admin", &one).await.is(200).body, json!({"k": "x"}));
    cloud.delete("admin", &one).await.is(202);
    cloud.delete("admin", &one).await.is(404);
    assert_eq!(cloud.get("admin", &specs).await.is(200).body, json!({"group_specs": {"l": "w"}}));
    cloud.get("member@p1", &specs).await.is(403);
    let told = cloud.get("member@p1", &path).await.is(200).body;
    assert!(told["group_type"].get("group_specs").is_none());

    let used = group(&cloud, "member@p1", "u").await;
    cloud.delete("admin", &path).await.is(400);
    let seen = cloud.get("member@p1", &format!("/v3/groups/{used}")).await.is(200).body;
    assert_eq!(seen["group"]["status"], "error", "no backend has what `l` is");
    cloud.post("member@p1", &format!("/v3/groups/{used}/action"), json!({"delete": {}})).await.is(202);
    cloud.delete("admin", &path).await.is(202);
}

#[tokio::test]
async fn a_group_has_volumes_of_its_types_and_is_deleted_with_them() {
    let cloud = Cloud::start().await;
    let kind = group_type(&cloud, "plain", json!({"consistent_group_snapshot_enabled": "<is> False"})).await;
    let new = |types: Value, kind: &str| json!({"group": {"group_type": kind, "volume_types": types}});
    cloud.post("member@p1", "/v3/groups", new(json!([]), &kind)).await.is(400);
    cloud.post("member@p1", "/v3/groups", new(json!(["nothing"]), &kind)).await.is(404);
    cloud.post("member@p1", "/v3/groups", new(json!(["__DEFAULT__"]), "nothing")).await.is(404);
    cloud.post("reader@p1", "/v3/groups", new(json!(["__DEFAULT__"]), &kind)).await.is(403);
    let id = group(&cloud, "member@p1", &kind).await;
    let path = format!("/v3/groups/{id}");
    cloud.get("member@p2", &path).await.is(404);
    cloud.ask("member@p2", "PUT", &path, json!({"group": {"name": "mine"}})).await.is(404);
    cloud.post("member@p2", &format!("{path}/action"), json!({"delete": {}})).await.is(404);
    let volume = |body| json!({"volume": body});
    cloud.post("member@p1", "/v3/volumes", volume(json!({"size": 1, "group_id": id}))).await.is(400);
    let mut other = member(&id);
    other["size"] = json!(1);
    cloud.post("member@p2", "/v3/volumes", volume(other)).await.is(404);
    let first = cloud.volume("member@p1", member(&id)).await;
    let second = cloud.volume("member@p1", json!({})).await;
    let alien = cloud.volume("member@p2", json!({})).await;
    let put = |body: Value| cloud.ask("member@p1", "PUT", &path, json!({ "group": body }));
    put(json!({"add_volumes": alien})).await.is(400);
    put(json!({"add_volumes": first})).await.is(400);
    put(json!({"add_volumes": second, "remove_volumes": second})).await.is(400);
    put(json!({"remove_volumes": second})).await.is(400);
    put(json!({"add_volumes": second, "name": "new"})).await.is(202);
    let seen = cloud.get("member@p1", &format!("{path}?list_volume=True")).await.is(200).body;
    assert_eq!(
        (&seen["group"]["name"], seen["group"]["volumes"].as_array().unwrap().len()),
        (&json!("new"), 2)
    );
    let listed = cloud.get("member@p1", &format!("/v3/volumes?group_id={id}")).await.is(200);
    assert_eq!(listed.ids("volumes").len(), 2);
    put(json!({"remove_volumes": second})).await.is(202);
    put(json!({"add_volumes": second})).await.is(202);
    cloud.delete("member@p1", &format!("/v3/volumes/{first}")).await.is(400);
    // The other type may be none of the group's.
    cloud.post("admin", "/v3/types", json!({"volume_type": {"name": "other"}})).await.is(200);
    let retype = json!({"os-retype": {"new_type": "other"}});
    cloud.act("member@p1", &first, retype.clone()).await.is(400);
    put(json!({"remove_volumes": first})).await.is(202);
    cloud.act("member@p1", &first, retype).await.is(202);
    cloud.act("member@p1", &first, json!({"os-retype": {"new_type": "__DEFAULT__"}})).await.is(202);
    put(json!({"add_volumes": first})).await.is(202);
    let action = format!("{path}/action");
    cloud.post("member@p1", &action, json!({"delete": {"delete-volumes": false}})).await.is(400);
    cloud.post("member@p1", &action, json!({"reset_status": {"status": "error"}})).await.is(403);
    cloud.post("admin", &action, json!({"reset_status": {"status": "odd"}})).await.is(400);
    cloud.post("member@p1", &action, json!({"enable_replication": {}})).await.is(400);
    let all = json!({"delete": {"delete-volumes": true}});
    let snapshot = cloud.snapshot("member@p1", &first).await;
    cloud.post("member@p1", &action, all.clone()).await.is(400);
    cloud.delete("member@p1", &format!("/v3/snapshots/{snapshot}")).await.is(202);
    cloud
        .act("member@p1", &second, json!({"os-attach": {"host_name": "h", "mountpoint": "/dev/vdb"}}))
        .await
        .is(202);
    cloud.post("member@p1", &action, all.clone()).await.is(400);
    cloud.act("member@p1", &second, json!({"os-detach": {}})).await.is(202);
    cloud.post("member@p1", &action, all).await.is(202);
    cloud.get("member@p1", &path).await.is(404);
    for gone in [first, second] {
        cloud.get("member@p1", &format!("/v3/volumes/{gone}")).await.is(404);
    }
    cloud.files(1).await;
    cloud.ask("admin", "PUT", "/v3/os-quota-sets/p1", json!({"quota_set": {"groups": 0}})).await.is(200);
    let over = cloud.post("member@p1", "/v3/groups", new(json!(["__DEFAULT__"]), &kind)).await.is(413);
    assert!(over.message().contains("GroupLimitExceeded"), "{}", over.body);
}

#[tokio::test]
async fn a_group_is_snapshotted_and_copied_whole() {
    let cloud = Cloud::start().await;
    let kind = group_type(&cloud, "plain", json!({})).await;
    let id = group(&cloud, "member@p1", &kind).await;
    let taken = |group: &str| json!({"group_snapshot": {"group_id": group, "name": "s"}});
    cloud.post("member@p1", "/v3/group_snapshots", taken(&id)).await.is(400);
    for _ in 0..2 {
        cloud.volume("member@p1", member(&id)).await;
    }
    cloud.post("member@p2", "/v3/group_snapshots", taken(&id)).await.is(404);
    let snapshot = cloud.post("member@p1", "/v3/group_snapshots", taken(&id)).await.is(202).id();
    let path = format!("/v3/group_snapshots/{snapshot}");
    cloud.settled(&path, "/group_snapshot/status", "available").await;
    let parts = cloud.get("member@p1", "/v3/snapshots/detail").await.is(200);
    let parts_seen = parts.body["snapshots"].as_array().unwrap();
    assert!(
        parts_seen.iter().all(|one| one["group_snapshot_id"] == snapshot && one["status"] == "available")
    );
    assert_eq!(parts_seen.len(), 2);
    cloud.delete("member@p1", &format!("/v3/snapshots/{}", parts.ids("snapshots")[0])).await.is(400);
    let delete = json!({"delete": {"delete-volumes": true}});
    cloud.post("member@p1", &format!("/v3/groups/{id}/action"), delete.clone()).await.is(400);

    let from = |body: Value| json!({ "create-from-src": body });
    cloud.post("member@p1", "/v3/groups/action", from(json!({}))).await.is(400);
    cloud.post("member@p2", "/v3/groups/action", from(json!({"source_group_id": id}))).await.is(404);
    let mut copies = Vec::new();
    for source in [json!({"source_group_id": id, "name": "c"}), json!({"group_snapshot_id": snapshot})] {
        let copy = cloud.post("member@p1", "/v3/groups/action", from(source)).await.is(202).id();
        let seen = cloud.get("member@p1", &format!("/v3/groups/{copy}?list_volume=1")).await.is(200).body;
        for volume in seen["group"]["volumes"].as_array().unwrap() {
            cloud.until(volume.as_str().unwrap(), "available").await;
        }
        assert_eq!(seen["group"]["volumes"].as_array().unwrap().len(), 2);
        copies.push(copy);
    }
    assert_eq!(cloud.get("member@p1", "/v3/groups/detail").await.is(200).ids("groups").len(), 3);
    assert!(cloud.get("member@p2", "/v3/groups").await.is(200).ids("groups").is_empty());

    // A quota that is too small for all leaves nothing of any.
    cloud.ask("admin", "PUT", "/v3/os-quota-sets/p1", json!({"quota_set": {"volumes": 7}})).await.is(200);
    cloud.post("member@p1", "/v3/groups/action", from(json!({"source_group_id": id}))).await.is(413);
    assert_eq!(cloud.get("member@p1", "/v3/groups").await.is(200).ids("groups").len(), 3);
    assert_eq!(cloud.get("member@p1", "/v3/volumes").await.is(200).ids("volumes").len(), 6);

    let reset = |status: &str| json!({"reset_status": {"status": status}});
    cloud.post("member@p1", &format!("{path}/action"), reset("error")).await.is(403);
    cloud.post("admin", &format!("{path}/action"), reset("creating")).await.is(202);
    cloud.delete("member@p1", &path).await.is(400);
    cloud.post("admin", &format!("{path}/action"), reset("available")).await.is(202);
    cloud.delete("member@p2", &path).await.is(404);
    cloud.delete("member@p1", &path).await.is(202);
    cloud.get("member@p1", &path).await.is(404);
    assert!(cloud.get("member@p1", "/v3/snapshots").await.is(200).ids("snapshots").is_empty());
    for group in copies.iter().chain([&id]) {
        cloud.post("member@p1", &format!("/v3/groups/{group}/action"), delete.clone()).await.is(202);
    }
    cloud.files(0).await;
}

#[tokio::test]
async fn a_group_gives_nobody_the_data_of_a_volume_that_was_handed_over() {
    let cloud = Cloud::start().await;
    let kind = group_type(&cloud, "plain", json!({})).await;
    let id = group(&cloud, "member@p1", &kind).await;
    let volume = cloud.volume("member@p1", member(&id)).await;
    let taken = json!({"group_snapshot": {"group_id": id}});
    let snapshot = cloud.post("member@p1", "/v3/group_snapshots", taken.clone()).await.is(202).id();
    let path = format!("/v3/group_snapshots/{snapshot}");
    cloud.settled(&path, "/group_snapshot/status", "available").await;
    let part = cloud.get("member@p1", "/v3/snapshots").await.is(200).ids("snapshots").remove(0);

    let offer = json!({"transfer": {"volume_id": volume}});
    let made = cloud.post("member@p1", "/v3/volume-transfers", offer).await.is(202);
    let accept = json!({"accept": {"auth_key": made.body["transfer"]["auth_key"]}});
    cloud.post("member@p2", &format!("/v3/volume-transfers/{}/accept", made.id()), accept).await.is(202);
    let seen = cloud.get("member@p2", &format!("/v3/volumes/{volume}")).await.is(200).body;
    assert_eq!(seen["volume"]["group_id"], Value::Null);
    let seen = cloud.get("member@p2", &format!("/v3/snapshots/{part}")).await.is(200).body;
    assert_eq!(seen["snapshot"]["group_snapshot_id"], Value::Null);

    cloud.post("member@p1", "/v3/group_snapshots", taken).await.is(400);
    let copy = json!({"create-from-src": {"group_snapshot_id": snapshot}});
    cloud.post("member@p1", "/v3/groups/action", copy).await.is(400);
    cloud.delete("member@p1", &path).await.is(202);
    cloud.get("member@p2", &format!("/v3/snapshots/{part}")).await.is(200);
    let delete = json!({"delete": {}});
    cloud.post("member@p1", &format!("/v3/groups/{id}/action"), delete).await.is(202);
    cloud.delete("member@p2", &format!("/v3/snapshots/{part}")).await.is(202);
    cloud.delete("member@p2", &format!("/v3/volumes/{volume}")).await.is(202);
}

#[tokio::test]
async fn a_group_is_snapshotted_by_those_who_may_snapshot_each_of_its_volumes() {
    let cloud = Cloud::start().await;
    let kind = group_type(&cloud, "plain", json!({})).await;
    let id = group(&cloud, "member@p1", &kind).await;
    cloud.volume("member@p1", member(&id)).await;
    cloud.volume("admin", member(&id)).await;
    let taken = json!({"group_snapshot": {"group_id": id}});
    cloud.post("member@p1", "/v3/group_snapshots", taken.clone()).await.is(403);
    assert!(cloud.get("member@p1", "/v3/snapshots").await.is(200).ids("snapshots").is_empty());
    cloud.post("admin", "/v3/group_snapshots", taken).await.is(202);
}

#[tokio::test]
async fn a_frozen_backend_keeps_still() {
    let cloud = Cloud::start().await;
    let id = cloud.volume("member@p1", json!({})).await;
    let put = |what: &str, host: &str| {
        let (cloud, path, body) = (&cloud, format!("/v3/os-services/{what}"), json!({ "host": host }));
        async move { cloud.ask("admin", "PUT", &path, body).await }
    };
    put("freeze", "elsewhere").await.is(400);
    put("thaw", "elsewhere").await.is(400);
    put("thaw", "machine@files").await.is(400);
    put("freeze", "machine@files").await.is(200);
    put("freeze", "machine@files").await.is(400);
    let services = cloud.get("admin", "/v3/os-services?binary=cinder-volume").await.is(200).body;
    assert_eq!(
        (&services["services"][0]["frozen"], &services["services"][0]["status"]),
        (&json!(true), &json!("disabled"))
    );
    cloud.delete("member@p1", &format!("/v3/volumes/{id}")).await.is(400);
    cloud.act("member@p1", &id, json!({"os-extend": {"new_size": 2}})).await.is(400);
    cloud.post("member@p1", "/v3/snapshots", json!({"snapshot": {"volume_id": id}})).await.is(400);
    let new = cloud.post("member@p1", "/v3/volumes", json!({"volume": {"size": 1}})).await.is(202).id();
    cloud.until(&new, "error").await;
    put("thaw", "machine@files").await.is(200);
    cloud.delete("member@p1", &format!("/v3/volumes/{id}")).await.is(202);
    put("failover_host", "machine@files").await.is(400);
    cloud.ask("member@p1", "PUT", "/v3/os-services/freeze", json!({"host": "x"})).await.is(403);
}
