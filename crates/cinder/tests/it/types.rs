use serde_json::json;

use crate::cloud::Cloud;

#[tokio::test]
async fn types_are_made_shown_and_given() {
    let cloud = Cloud::start().await;
    let new = |name: &str, public: bool| json!({"volume_type": {"name": name, "os-volume-type-access:is_public": public, "extra_specs": {"thin_provisioning_support": "<is> True", "multiattach": "<is> True"}}});
    cloud.post("member@p1", "/v3/types", new("a", true)).await.is(403);
    let made = cloud.post("admin", "/v3/types", new("a", false)).await.is(200);
    let (id, path) = (made.id(), format!("/v3/types/{}", made.id()));
    cloud.post("admin", "/v3/types", new("a", false)).await.is(409);
    cloud.post("admin", "/v3/types", json!({"volume_type": {"name": " "}})).await.is(400);
    cloud.post("admin", "/v3/types", json!({"volume_type": {}})).await.is(400);
    cloud.get("member@p1", &path).await.is(404);
    cloud.post("member@p1", "/v3/volumes", json!({"volume": {"size": 1, "volume_type": "a"}})).await.is(404);
    let access = |verb: &str| json!({ verb: {"project": "p1"} });
    let act = format!("{path}/action");
    cloud.post("admin", &act, access("addProjectAccess")).await.is(202);
    cloud.post("admin", &act, access("addProjectAccess")).await.is(409);
    let list = cloud.get("admin", &format!("{path}/os-volume-type-access")).await.is(200);
    assert_eq!(list.body["volume_type_access"], json!([{"volume_type_id": id, "project_id": "p1"}]));
    // What a member sees of it says nothing of the backend.
    let seen = cloud.get("reader@p1", &path).await.is(200).body["volume_type"].clone();
    assert_eq!(seen["extra_specs"], json!({"multiattach": "<is> True"}));
    assert!(seen.get("qos_specs_id").is_none());
    assert_eq!(cloud.get("member@p1", "/v3/types").await.is(200).ids("volume_types").len(), 2);
    assert_eq!(cloud.get("member@p2", "/v3/types").await.is(200).ids("volume_types").len(), 1);
    assert_eq!(cloud.get("admin", "/v3/types?is_public=None").await.is(200).ids("volume_types").len(), 2);
    let volume = cloud.volume("member@p1", json!({"volume_type": "a"})).await;
    cloud.delete("admin", &path).await.is(400);
    let specs = format!("{path}/extra_specs");
    cloud.post("admin", &specs, json!({"extra_specs": {"k": "v"}})).await.is(400);
    cloud
        .act(
            "member@p1",
            &volume,
            json!({"os-retype": {"new_type": "__DEFAULT__", "migration_policy": "never"}}),
        )
        .await
        .is(202);
    let seen = cloud.get("member@p1", &format!("/v3/volumes/{volume}")).await.is(200);
    assert_eq!(
        (&seen.body["volume"]["volume_type"], &seen.body["volume"]["multiattach"]),
        (&json!("__DEFAULT__"), &json!(false))
    );
    cloud.act("member@p1", &volume, json!({"os-retype": {"new_type": "__DEFAULT__"}})).await.is(400);
    cloud.act("member@p1", &volume, json!({"os-retype": {"new_type": "none"}})).await.is(404);
    cloud.post("admin", &specs, json!({"extra_specs": {"k": "v"}})).await.is(200);
    cloud.post("admin", &specs, json!({"extra_specs": {"k k": "v"}})).await.is(400);
    let key = format!("{specs}/k");
    cloud.ask("admin", "PUT", &key, json!({"k": "w"})).await.is(200);
    cloud.ask("admin", "PUT", &key, json!({"l": "w"})).await.is(400);
    assert_eq!(cloud.get("admin", &key).await.is(200).body, json!({"k": "w"}));
    cloud.delete("admin", &key).await.is(202);
    cloud.get("admin", &key).await.is(404);
    cloud.post("admin", &act, access("removeProjectAccess")).await.is(202);
    cloud.post("admin", &act, access("removeProjectAccess")).await.is(404);
    let update = json!({"volume_type": {"name": "b", "is_public": true}});
    cloud.ask("admin", "PUT", &path, update).await.is(200);
    cloud.ask("admin", "PUT", &path, json!({"volume_type": {}})).await.is(400);
    assert_eq!(cloud.get("reader@p2", &path).await.is(200).body["volume_type"]["name"], "b");
    cloud.delete("admin", &path).await.is(202);
    cloud.get("admin", &path).await.is(404);
}

#[tokio::test]
async fn a_project_has_a_default_type() {
    let cloud = Cloud::start().await;
    let standard = cloud.get("reader@p1", "/v3/types/default").await.is(200);
    assert_eq!(standard.body["volume_type"]["name"], "__DEFAULT__");
    cloud.delete("admin", &format!("/v3/types/{}", standard.id())).await.is(400);
    let own = cloud.post("admin", "/v3/types", json!({"volume_type": {"name": "own"}})).await.is(200).id();
    cloud
        .ask("admin", "PUT", "/v3/default-types/p1", json!({"default_type": {"volume_type": "own"}}))
        .await
        .is(200);
    cloud
        .ask("admin", "PUT", "/v3/default-types/p1", json!({"default_type": {"volume_type": "x"}}))
        .await
        .is(400);
    let made = cloud.post("member@p1", "/v3/volumes", json!({"volume": {"size": 1}})).await.is(202);
    assert_eq!(made.body["volume"]["volume_type"], "own");
    assert_eq!(
        cloud.get("admin", "/v3/default-types/p1").await.is(200).body["default_type"]["volume_type_id"],
        own.as_str()
    );
    cloud.delete("admin", "/v3/default-types/p1").await.is(204);
    cloud.get("admin", "/v3/default-types/p1").await.is(404);
    cloud.get("member@p1", "/v3/default-types").await.is(403);
}

#[tokio::test]
async fn qos_specs_hang_on_types_and_encryption_is_kept() {
    let cloud = Cloud::start().await;
    let body = json!({"qos_specs": {"name": "q", "consumer": "front-end", "total_iops_sec": "100"}});
    cloud.post("member@p1", "/v3/qos-specs", body.clone()).await.is(403);
    let made = cloud.post("admin", "/v3/qos-specs", body.clone()).await.is(200);
    assert_eq!(made.body["qos_specs"]["specs"], json!({"total_iops_sec": "100"}));
    cloud.post("admin", "/v3/qos-specs", body).await.is(409);
    cloud.post("admin", "/v3/qos-specs", json!({"qos_specs": {"name": "r", "consumer": "me"}})).await.is(400);
    let path = format!("/v3/qos-specs/{}", made.id());
    cloud.ask("admin", "PUT", &path, json!({"qos_specs": {"k": "v"}})).await.is(200);
    cloud.ask("admin", "PUT", &format!("{path}/delete_keys"), json!({"keys": ["k"]})).await.is(202);
    cloud.ask("admin", "PUT", &format!("{path}/delete_keys"), json!({"keys": ["k"]})).await.is(404);
    let kind = cloud.post("admin", "/v3/types", json!({"volume_type": {"name": "t"}})).await.is(200).id();
    cloud.get("admin", &format!("{path}/associate")).await.is(400);
    cloud.get("admin", &format!("{path}/associate?vol_type_id={kind}")).await.is(202);
    let all = cloud.get("admin", &format!("{path}/associations")).await.is(200);
    assert_eq!(
        all.body["qos_associations"],
        json!([{"association_type": "volume_type", "name": "t", "id": kind}])
    );
    cloud.delete("admin", &path).await.is(400);
    cloud.get("admin", &format!("{path}/disassociate_all")).await.is(202);
    cloud.delete("admin", &path).await.is(202);
    cloud.get("admin", &path).await.is(404);
    let encryption = format!("/v3/types/{kind}/encryption");
    let body =
        json!({"encryption": {"provider": "luks", "control_location": "front-end", "key_size": "128"}});
    cloud.post("admin", &encryption, json!({"encryption": {"provider": "luks"}})).await.is(400);
    let made = cloud.post("admin", &encryption, body.clone()).await.is(200);
    assert_eq!(made.body["encryption"]["key_size"], 128);
    assert_eq!(made.body["encryption"]["volume_type_id"], kind.as_str());
    cloud.post("admin", &encryption, body).await.is(400);
    assert_eq!(
        cloud.get("admin", &format!("{encryption}/provider")).await.is(200).body,
        json!({"provider": "luks"})
    );
    // Nothing says by which cipher.
    cloud.post("member@p1", "/v3/volumes", json!({"volume": {"size": 1, "volume_type": "t"}})).await.is(400);
    cloud
        .ask("admin", "PUT", &format!("{encryption}/x"), json!({"encryption": {"cipher": "c"}}))
        .await
        .is(200);
    cloud.delete("admin", &format!("{encryption}/x")).await.is(202);
    assert_eq!(cloud.get("admin", &encryption).await.is(200).body, json!({}));
    cloud.volume("member@p1", json!({"volume_type": "t"})).await;
}

#[tokio::test]
async fn a_type_says_how_large_its_volumes_are() {
    let cloud = Cloud::start().await;
    let specs = json!({"provisioning:min_vol_size": "2", "provisioning:max_vol_size": "3"});
    let kind = json!({"volume_type": {"name": "mid", "extra_specs": specs}});
    cloud.post("admin", "/v3/types", kind).await.is(200);
    let new = |size: i64| json!({"volume": {"size": size, "volume_type": "mid"}});
    let small = cloud.post("member@p1", "/v3/volumes", new(1)).await.is(400);
    assert_eq!(
        small.message(),
        "Invalid input received: Specified volume size of '1' is less than the minimum required size of '2' for volume \
         type 'mid'."
    );
    let large = cloud.post("member@p1", "/v3/volumes", new(4)).await.is(400);
    assert_eq!(
        large.message(),
        "Invalid input received: Specified volume size of '4' is greater than the maximum allowable size of '3' for \
         volume type 'mid'."
    );
    let id = cloud.volume("member@p1", json!({"size": 2, "volume_type": "mid"})).await;
    let extend = |size: i64| json!({"os-extend": {"new_size": size}});
    cloud.act("member@p1", &id, extend(4)).await.is(400);
    cloud.act("member@p1", &id, extend(3)).await.is(202);
    cloud.until(&id, "available").await;
    let retype = json!({"os-retype": {"new_type": "mid"}});
    for (size, status) in [(1, 400), (3, 202), (4, 400)] {
        let plain = cloud.volume("member@p1", json!({ "size": size })).await;
        cloud.act("member@p1", &plain, retype.clone()).await.is(status);
    }
}
