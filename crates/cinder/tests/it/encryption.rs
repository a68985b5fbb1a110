use std::collections::BTreeMap;

use db::sql;
use host::LayerFormat;
use serde_json::{Value, json};

use crate::cloud::{Cloud, ctx};

const LUKS: &str = "luks";

impl Cloud {
    pub async fn encrypted_type(&self, name: &str) -> String {
        let kind = self.post("admin", "/v3/types", json!({"volume_type": {"name": name}})).await.is(200).id();
        let specs = json!({"provider": "luks", "cipher": "aes-xts-plain64", "key_size": 256,
            "control_location": "front-end"});
        let path = format!("/v3/types/{kind}/encryption");
        self.post("admin", &path, json!({ "encryption": specs })).await.is(200);
        kind
    }

    /// Ids with their projects.
    pub async fn secrets(&self) -> BTreeMap<String, String> {
        let mut conn = self.db.read().await.unwrap();
        let all: Vec<(String, String)> =
            sql("SELECT id, project_id FROM secret").rows(&mut conn).await.unwrap();
        all.into_iter().collect()
    }

    async fn key_of(&self, volume: &str) -> String {
        let seen = self.get("admin", &format!("/v3/volumes/{volume}")).await.is(200).body;
        assert_eq!(seen["volume"]["encrypted"], true, "{seen}");
        seen["volume"]["encryption_key_id"].as_str().unwrap().to_owned()
    }

    async fn lose(&self, key: &str) {
        let ctx = ctx("admin");
        db::write!(self.db, |tx| self.barbican.delete_key(tx, &ctx, key).await).unwrap();
    }

    /// Of all layers there are: is it encrypted, and how is it kept?
    async fn layers(&self) -> Vec<(bool, LayerFormat)> {
        use host::Volumes;
        let ids = self.driver.list().await.unwrap();
        let all = ids.iter().filter_map(|id| self.driver.layer(id));
        all.map(|layer| (layer.cipher.is_some() && layer.key.is_some(), layer.format)).collect()
    }
}

#[tokio::test]
async fn a_volume_of_an_encrypted_type_has_a_key_that_goes_with_it() {
    let cloud = Cloud::start().await;
    let kind = cloud.encrypted_type(LUKS).await;
    let id = cloud.volume("member@p1", json!({"volume_type": LUKS})).await;
    let key = cloud.key_of(&id).await;
    assert_eq!(cloud.secrets().await, BTreeMap::from([(key.clone(), "p1".to_owned())]));
    assert_eq!(cloud.layers().await, [(true, LayerFormat::Qcow2)]);
    let path = format!("/v3/volumes/{id}");
    let older = cloud.ask_at("member@p1", "3.63", "GET", &path, Value::Null).await.is(200);
    assert!(older.body["volume"].get("encryption_key_id").is_none());
    let told = cloud.get("member@p1", &format!("{path}/encryption")).await.is(200).body;
    assert_eq!(
        told,
        json!({"encryption_key_id": key, "control_location": "front-end", "cipher": "aes-xts-plain64",
            "key_size": 256, "provider": "luks"})
    );
    let told = cloud.get("member@p1", &format!("{path}/encryption/cipher")).await.is(200).body;
    assert_eq!(told, json!({"cipher": "aes-xts-plain64"}));
    // What encrypts it stands still.
    let specs = format!("/v3/types/{kind}/encryption/x");
    let body = json!({"encryption": {"key_size": 128}});
    let refused = cloud.ask("admin", "PUT", &specs, body).await.is(400);
    assert!(refused.message().contains("Volume type in use."));
    cloud.delete("admin", &specs).await.is(400);
    cloud.act("member@p1", &id, json!({"os-extend": {"new_size": 2}})).await.is(202);
    cloud.until(&id, "available").await;
    cloud.delete("member@p1", &path).await.is(202);
    assert!(cloud.secrets().await.is_empty());
    cloud.files(0).await;
}

#[tokio::test]
async fn types_that_say_too_little_or_too_much_make_no_volume() {
    let cloud = Cloud::start().await;
    let of = |name: &str| json!({"volume": {"size": 1, "volume_type": name}});
    for (name, cipher, size, told) in [
        ("a", Value::Null, json!(256), "Invalid encryption spec"),
        ("b", json!("aes-xts-plain64"), Value::Null, "Key manager error"),
        ("c", json!("rot13-xts-plain64"), json!(256), "Invalid encryption spec"),
    ] {
        let kind =
            cloud.post("admin", "/v3/types", json!({"volume_type": {"name": name}})).await.is(200).id();
        let mut specs = json!({"provider": "luks", "control_location": "front-end", "cipher": cipher});
        if !size.is_null() {
            specs["key_size"] = size;
        }
        let body = json!({ "encryption": specs });
        cloud.post("admin", &format!("/v3/types/{kind}/encryption"), body).await.is(200);
        assert_eq!(cloud.post("member@p1", "/v3/volumes", of(name)).await.is(400).message(), told);
    }
    let kind = cloud.encrypted_type(LUKS).await;
    let specs = json!({"extra_specs": {"multiattach": "<is> True"}});
    cloud.post("admin", &format!("/v3/types/{kind}/extra_specs"), specs).await.is(200);
    let refused = cloud.post("member@p1", "/v3/volumes", of(LUKS)).await.is(400);
    assert_eq!(refused.message(), "Invalid volume: Multiattach cannot be used with encrypted volumes.");
    assert!(cloud.secrets().await.is_empty());
}

#[tokio::test]
async fn copies_have_a_key_of_their_own_which_is_the_same() {
    let cloud = Cloud::start().await;
    cloud.encrypted_type(LUKS).await;
    let source = cloud.volume("member@p1", json!({"volume_type": LUKS})).await;
    let snapshot = cloud.snapshot("member@p1", &source).await;
    let clone = cloud.volume("member@p1", json!({"source_volid": source})).await;
    let restored = cloud.volume("member@p1", json!({"snapshot_id": snapshot})).await;
    let mut keys = Vec::new();
    for id in [&source, &clone, &restored] {
        keys.push(cloud.key_of(id).await);
    }
    assert_eq!(cloud.secrets().await.len(), 3);
    {
        let mut conn = cloud.db.read().await.unwrap();
        for other in &keys[1..] {
            assert_ne!(keys[0], *other);
            assert!(cloud.barbican.same_keys(&mut conn, &keys[0], other).await.unwrap());
        }
    }
    assert!(cloud.layers().await.iter().all(|layer| *layer == (true, LayerFormat::Qcow2)));
    // Another encryption than the source's is nobody's choice.
    for source in [json!({"source_volid": source}), json!({"snapshot_id": snapshot})] {
        let mut body = json!({"volume": {"volume_type": "__DEFAULT__"}});
        body["volume"].as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
        let refused = cloud.post("member@p1", "/v3/volumes", body).await.is(400);
        assert!(refused.message().contains("requested type is not compatible"), "{}", refused.message());
    }
    cloud.delete("member@p1", &format!("/v3/volumes/{source}?cascade=true")).await.is(202);
    let left = cloud.secrets().await;
    assert_eq!(
        left.into_keys().collect::<std::collections::BTreeSet<_>>(),
        keys[1..].iter().cloned().collect()
    );
}

#[tokio::test]
async fn nothing_of_an_encrypted_volume_is_plain_not_even_its_image() {
    let cloud = Cloud::start().await;
    cloud.encrypted_type(LUKS).await;
    let image = cloud.image("member@p1").await;
    let id = cloud.volume("member@p1", json!({"imageRef": image, "volume_type": LUKS})).await;
    cloud.key_of(&id).await;
    cloud.files(1).await;
    assert_eq!(cloud.layers().await, [(true, LayerFormat::Qcow2)]);
}

#[tokio::test]
async fn a_volume_is_encrypted_by_another_type_and_plain_by_a_third() {
    let cloud = Cloud::start().await;
    let luks = cloud.encrypted_type(LUKS).await;
    let id = cloud.volume("member@p1", json!({})).await;
    let to = |kind: &str| json!({"os-retype": {"new_type": kind, "migration_policy": "on-demand"}});
    let never = json!({"os-retype": {"new_type": LUKS, "migration_policy": "never"}});
    let refused = cloud.act("member@p1", &id, never).await.is(400);
    assert_eq!(refused.message(), "Invalid volume: Retype requires migration but is not allowed.");
    let snapshot = cloud.snapshot("member@p1", &id).await;
    let refused = cloud.act("member@p1", &id, to(LUKS)).await.is(400);
    assert_eq!(refused.message(), "Invalid volume: Volume must not have snapshots.");
    cloud.delete("member@p1", &format!("/v3/snapshots/{snapshot}")).await.is(202);
    let body = json!({"attachment": {"volume_uuid": id, "connector": {"host": "h"}}});
    let attachment = cloud.post("member@p1", "/v3/attachments", body).await.is(200).id();
    cloud.act("member@p1", &id, to(LUKS)).await.is(400);
    cloud.delete("member@p1", &format!("/v3/attachments/{attachment}")).await.is(200);
    cloud.until(&id, "available").await;
    assert!(cloud.secrets().await.is_empty());

    cloud.act("member@p1", &id, to(LUKS)).await.is(202);
    let seen = cloud.until(&id, "available").await;
    assert_eq!(
        (&seen["volume"]["volume_type_id"], &seen["volume"]["encrypted"]),
        (&json!(luks), &json!(true))
    );
    cloud.files(1).await;
    assert_eq!(cloud.layers().await, [(true, LayerFormat::Qcow2)]);
    let first = cloud.key_of(&id).await;

    let specs = json!({"provider": "luks", "cipher": "aes-xts-plain64", "key_size": 512,
        "control_location": "front-end"});
    let other =
        cloud.post("admin", "/v3/types", json!({"volume_type": {"name": "other"}})).await.is(200).id();
    cloud
        .post("admin", &format!("/v3/types/{other}/encryption"), json!({ "encryption": specs }))
        .await
        .is(200);
    // An admin's retype leaves the key with the volume's project.
    cloud.act("admin", &id, to("other")).await.is(202);
    cloud.until(&id, "available").await;
    let second = cloud.key_of(&id).await;
    assert_ne!(first, second);
    assert_eq!(cloud.secrets().await, BTreeMap::from([(second, "p1".to_owned())]));

    cloud.act("member@p1", &id, to("__DEFAULT__")).await.is(202);
    let seen = cloud.until(&id, "available").await;
    assert_eq!(seen["volume"]["encrypted"], false);
    assert!(cloud.secrets().await.is_empty());
    cloud.files(1).await;
    assert!(!cloud.layers().await[0].0);
}

#[tokio::test]
async fn a_retype_that_cannot_be_leaves_the_volume_as_it_was() {
    let cloud = Cloud::start().await;
    cloud.encrypted_type(LUKS).await;
    let id = cloud.volume("member@p1", json!({})).await;
    cloud.driver.faults().fail_next(host::fake::Operation::CopyVolume, "no");
    let to = json!({"os-retype": {"new_type": LUKS, "migration_policy": "on-demand"}});
    cloud.act("member@p1", &id, to.clone()).await.is(202);
    cloud.until(&id, "available").await;
    let seen = cloud.get("member@p1", &format!("/v3/volumes/{id}")).await.is(200).body;
    assert_eq!(
        (&seen["volume"]["encrypted"], &seen["volume"]["volume_type"]),
        (&json!(false), &json!("__DEFAULT__"))
    );
    assert!(cloud.secrets().await.is_empty());
    cloud.files(1).await;
    let told = cloud.get("member@p1", "/v3/messages").await.is(200).body;
    assert_eq!(told["messages"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_encrypted_volume_is_handed_over_with_its_key_since_3_70() {
    let cloud = Cloud::start().await;
    cloud.encrypted_type(LUKS).await;
    let id = cloud.volume("member@p1", json!({"volume_type": LUKS})).await;
    let offer = json!({"transfer": {"volume_id": id, "name": "t"}});
    let root = "/v3/volume-transfers";
    let refused = cloud.ask_at("member@p1", "3.69", "POST", root, offer.clone()).await.is(400);
    assert_eq!(refused.message(), "Invalid volume: transferring encrypted volume is not supported");
    let apart = json!({"transfer": {"volume_id": id, "no_snapshots": true}});
    cloud.post("member@p1", root, apart).await.is(400);
    let made = cloud.post("member@p1", root, offer).await.is(202);
    let accept = json!({"accept": {"auth_key": made.body["transfer"]["auth_key"]}});
    let before = cloud.key_of(&id).await;
    cloud.post("member@p2", &format!("{root}/{}/accept", made.id()), accept).await.is(202);
    let after = cloud.key_of(&id).await;
    assert_ne!(before, after);
    assert_eq!(cloud.secrets().await, BTreeMap::from([(after, "p2".to_owned())]));
}

#[tokio::test]
async fn backups_are_encrypted_and_outlive_their_volumes_keys() {
    let cloud = Cloud::start().await;
    cloud.encrypted_type(LUKS).await;
    let id = cloud.volume("member@p1", json!({"volume_type": LUKS})).await;
    let body = json!({"backup": {"volume_id": id, "name": "b"}});
    let backup = cloud.post("member@p1", "/v3/backups", body).await.is(202).id();
    let path = format!("/v3/backups/{backup}");
    let seen = cloud.settled(&path, "/backup/status", "available").await;
    let key = seen["backup"]["encryption_key_id"].as_str().unwrap().to_owned();
    let (own, plain) = (cloud.key_of(&id).await, cloud.volume("member@p1", json!({})).await);
    assert_ne!(key, own);
    let other = cloud.volume("member@p1", json!({"volume_type": LUKS})).await;
    let restore = |volume: &str| json!({"restore": {"volume_id": volume}});
    let refused = cloud.post("member@p1", &format!("{path}/restore"), restore(&plain)).await.is(400);
    assert!(refused.message().contains("is not encrypted"), "{}", refused.message());
    cloud.delete("member@p1", &format!("/v3/volumes/{id}")).await.is(202);
    assert!(!cloud.secrets().await.contains_key(&own));
    let before = cloud.key_of(&other).await;
    cloud.post("member@p1", &format!("{path}/restore"), restore(&other)).await.is(202);
    cloud.until(&other, "available").await;
    let after = cloud.key_of(&other).await;
    assert!(after != before && after != key && !cloud.secrets().await.contains_key(&before));
    assert!(cloud.barbican.same_keys(&mut cloud.db.read().await.unwrap(), &after, &key).await.unwrap());
    cloud.delete("member@p1", &path).await.is(202);
    assert_eq!(cloud.secrets().await.into_keys().collect::<Vec<_>>(), [after]);

    // The other way round, the copy is encrypted.
    let body = json!({"backup": {"volume_id": plain}});
    let backup = cloud.post("member@p1", "/v3/backups", body).await.is(202).id();
    cloud.settled(&format!("/v3/backups/{backup}"), "/backup/status", "available").await;
    let into = cloud.volume("member@p1", json!({"volume_type": LUKS})).await;
    cloud.post("member@p1", &format!("/v3/backups/{backup}/restore"), restore(&into)).await.is(202);
    cloud.until(&into, "available").await;
    let ctx = ctx("member@p1");
    let attachment = cloud.cinder.reserve(&ctx, &into, &base::id::uuid()).await.unwrap();
    let disk = cloud.cinder.connect(&ctx, &attachment.id, "h", "/dev/vdb").await.unwrap();
    assert!(disk.layers.iter().all(|layer| layer.cipher.is_some() && layer.key.is_some()), "{disk:?}");
}

#[tokio::test]
async fn an_image_of_an_encrypted_volume_is_encrypted_and_takes_its_key_along() {
    let cloud = Cloud::start().await;
    cloud.encrypted_type(LUKS).await;
    let id = cloud.volume("member@p1", json!({"volume_type": LUKS})).await;
    let upload = |format: &str| json!({"os-volume_upload_image": {"image_name": "i", "disk_format": format}});
    let refused = cloud.act("member@p1", &id, upload("qcow2")).await.is(400);
    assert!(refused.message().starts_with("An encrypted volume uploaded as an image must use 'raw'"));
    let made = cloud.act("member@p1", &id, upload("raw")).await.is(202);
    let image = made.body["os-volume_upload_image"]["image_id"].as_str().unwrap().to_owned();
    cloud.until(&id, "available").await;
    let owner = ctx("member@p1");
    let found = cloud.glance.image(&owner, &image).await.unwrap();
    let key = found.properties["cinder_encryption_key_id"].clone();
    assert_eq!(found.properties["cinder_encryption_key_deletion_policy"], "on_image_deletion");
    assert!(key != cloud.key_of(&id).await && cloud.secrets().await.contains_key(&key));

    let of = cloud.volume("member@p1", json!({"imageRef": image, "volume_type": LUKS})).await;
    let own = cloud.key_of(&of).await;
    assert!(
        own != key
            && cloud.barbican.same_keys(&mut cloud.db.read().await.unwrap(), &own, &key).await.unwrap()
    );
    let seen = cloud.get("member@p1", &format!("/v3/volumes/{of}")).await.is(200).body;
    assert!(seen["volume"]["volume_image_metadata"].get("cinder_encryption_key_id").is_none());
    // It stands on the image's data, which is encrypted already.
    assert!(cloud.layers().await.contains(&(true, LayerFormat::Raw)));

    // Whoever may not read the key makes nothing of it.
    db::write!(cloud.db, |tx| {
        sql("UPDATE images SET visibility = 'public' WHERE id = $1").bind(image.clone()).run(tx).await?;
        Ok::<_, base::Error>(())
    })
    .unwrap();
    let body = json!({"volume": {"size": 1, "imageRef": image, "volume_type": LUKS}});
    assert_eq!(cloud.post("member@p2", "/v3/volumes", body).await.is(400).message(), "Key manager error");
    cloud.delete_image("member@p1", &image).await;
    assert!(!cloud.secrets().await.contains_key(&key));
}

#[tokio::test]
async fn an_image_that_gets_no_data_goes_with_its_key() {
    let cloud = Cloud::start().await;
    cloud.encrypted_type(LUKS).await;
    let id = cloud.volume("member@p1", json!({"volume_type": LUKS})).await;
    // An admin's image of somebody's volume is the admin's.
    for who in ["member@p1", "admin"] {
        cloud.driver.faults().fail_next(host::fake::Operation::CopyVolume, "no");
        let upload = json!({"os-volume_upload_image": {"image_name": "i"}});
        let made = cloud.act(who, &id, upload).await.is(202).body;
        let image = made["os-volume_upload_image"]["image_id"].as_str().unwrap();
        cloud.until(&id, "available").await;
        assert!(cloud.glance.image(&ctx(who), image).await.unwrap_err().is_not_found());
        assert_eq!(cloud.secrets().await.into_keys().collect::<Vec<_>>(), [cloud.key_of(&id).await]);
    }
    let messages = cloud.get("member@p1", "/v3/messages").await.is(200);
    assert_eq!(messages.ids("messages").len(), 2, "{}", messages.body);
}

#[tokio::test]
async fn a_volume_whose_key_is_lost_is_not_attached_and_can_go() {
    let cloud = Cloud::start().await;
    cloud.encrypted_type(LUKS).await;
    let id = cloud.volume("member@p1", json!({"volume_type": LUKS})).await;
    cloud.lose(&cloud.key_of(&id).await).await;
    let ctx = ctx("member@p1");
    let attachment = cloud.cinder.reserve(&ctx, &id, &base::id::uuid()).await.unwrap();
    let error = cloud.cinder.connect(&ctx, &attachment.id, "h", "/dev/vdb").await.unwrap_err();
    assert!(!error.retryable() && error.message.starts_with("Key manager error"), "{error:?}");
    cloud.cinder.detach(&ctx, &attachment.id).await.unwrap();
    let clone = json!({"volume": {"source_volid": id}});
    assert_eq!(cloud.post("member@p1", "/v3/volumes", clone).await.is(400).message(), "Key manager error");
    let snapshot = json!({"snapshot": {"volume_id": id}});
    assert_eq!(
        cloud.post("member@p1", "/v3/snapshots", snapshot).await.is(400).message(),
        "Key manager error"
    );
    let snapshots = cloud.get("member@p1", "/v3/snapshots").await.is(200);
    assert_eq!(snapshots.body["snapshots"], json!([]));
    // It is still to be seen, and to be deleted.
    cloud.get("member@p1", "/v3/attachments/detail").await.is(200);
    cloud.delete("member@p1", &format!("/v3/volumes/{id}")).await.is(202);
    cloud.files(0).await;
}
