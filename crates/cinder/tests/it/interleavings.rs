//! Anything in any order, with kills in between: a volume in use is there, with its file, and has one server; and when
//! everything is deleted nothing is left.

use std::collections::BTreeSet;

use host::Volumes;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::cloud::Cloud;

const SERVERS: [&str; 2] = ["22222222-2222-2222-2222-222222222222", "33333333-3333-3333-3333-333333333333"];

#[derive(Debug, Clone)]
enum Step {
    Create,
    CreateEncrypted,
    /// To the encrypted type or away from it.
    Retype(usize, bool),
    Clone(usize),
    Snapshot(usize),
    FromSnapshot(usize),
    DeleteSnapshot(usize),
    Extend(usize),
    Revert(usize),
    Reserve(usize, usize),
    Connect(usize),
    Complete(usize),
    Detach(usize),
    Delete(usize),
    ForceDelete(usize),
    Reset(usize),
    /// Calls do not wait for what they began, so it happens in the middle of things.
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    let at = 0..4_usize;
    prop_oneof![
        Just(Step::Create),
        Just(Step::CreateEncrypted),
        (at.clone(), any::<bool>()).prop_map(|(at, to)| Step::Retype(at, to)),
        at.clone().prop_map(Step::Clone),
        at.clone().prop_map(Step::Snapshot),
        at.clone().prop_map(Step::FromSnapshot),
        at.clone().prop_map(Step::DeleteSnapshot),
        at.clone().prop_map(Step::Extend),
        at.clone().prop_map(Step::Revert),
        (at.clone(), 0..2_usize).prop_map(|(at, server)| Step::Reserve(at, server)),
        at.clone().prop_map(Step::Connect),
        at.clone().prop_map(Step::Complete),
        at.clone().prop_map(Step::Detach),
        at.clone().prop_map(Step::Delete),
        at.clone().prop_map(Step::ForceDelete),
        at.prop_map(Step::Reset),
        Just(Step::Kill),
    ]
}

async fn ids(cloud: &Cloud, path: &str, collection: &str) -> Vec<String> {
    let mut ids = cloud.get("admin@p1", path).await.is(200).ids(collection);
    ids.reverse();
    ids
}

/// The `at`th of a collection, or any other when there are fewer.
async fn pick(cloud: &Cloud, path: &str, collection: &str, at: usize) -> Option<String> {
    let ids = ids(cloud, path, collection).await;
    if ids.is_empty() { None } else { Some(ids[at % ids.len()].clone()) }
}

async fn take(cloud: &Cloud, step: &Step) {
    let volume = |at: usize| pick(cloud, "/v3/volumes", "volumes", at);
    let snapshot = |at: usize| pick(cloud, "/v3/snapshots", "snapshots", at);
    let attachment = |at: usize| pick(cloud, "/v3/attachments", "attachments", at);
    let who = "admin@p1";
    let answer = match step {
        Step::Create => Some(cloud.post(who, "/v3/volumes", json!({"volume": {"size": 1}})).await),
        Step::CreateEncrypted => {
            let body = json!({"volume": {"size": 1, "volume_type": "luks"}});
            Some(cloud.post(who, "/v3/volumes", body).await)
        }
        Step::Retype(at, to) => match volume(*at).await {
            Some(id) => {
                let kind = if *to { "luks" } else { "__DEFAULT__" };
                let body = json!({"os-retype": {"new_type": kind, "migration_policy": "on-demand"}});
                Some(cloud.act(who, &id, body).await)
            }
            None => None,
        },
        Step::Clone(at) => match volume(*at).await {
            Some(id) => Some(cloud.post(who, "/v3/volumes", json!({"volume": {"source_volid": id}})).await),
            None => None,
        },
        Step::Snapshot(at) => match volume(*at).await {
            Some(id) => Some(cloud.post(who, "/v3/snapshots", json!({"snapshot": {"volume_id": id}})).await),
            None => None,
        },
        Step::FromSnapshot(at) => match snapshot(*at).await {
            Some(id) => Some(cloud.post(who, "/v3/volumes", json!({"volume": {"snapshot_id": id}})).await),
            None => None,
        },
        Step::DeleteSnapshot(at) => match snapshot(*at).await {
            Some(id) => Some(cloud.delete(who, &format!("/v3/snapshots/{id}")).await),
            None => None,
        },
        Step::Revert(at) => match snapshot(*at).await {
            Some(id) => {
                let seen = cloud.get(who, &format!("/v3/snapshots/{id}")).await.is(200);
                let volume = seen.body["snapshot"]["volume_id"].as_str().unwrap().to_owned();
                Some(cloud.act(who, &volume, json!({"revert": {"snapshot_id": id}})).await)
            }
            None => None,
        },
        Step::Extend(at) => match volume(*at).await {
            Some(id) => {
                let size = cloud.get(who, &format!("/v3/volumes/{id}")).await.is(200).body["volume"]["size"]
                    .as_i64();
                Some(cloud.act(who, &id, json!({"os-extend": {"new_size": size.unwrap() + 1}})).await)
            }
            None => None,
        },
        Step::Reserve(at, server) => match volume(*at).await {
            Some(id) => {
                let body = json!({"attachment": {"volume_uuid": id, "instance_uuid": SERVERS[*server]}});
                Some(cloud.post(who, "/v3/attachments", body).await)
            }
            None => None,
        },
        Step::Connect(at) => match attachment(*at).await {
            Some(id) => {
                let body = json!({"attachment": {"connector": {"host": "h"}}});
                Some(cloud.ask(who, "PUT", &format!("/v3/attachments/{id}"), body).await)
            }
            None => None,
        },
        Step::Complete(at) => match attachment(*at).await {
            Some(id) => Some(
                cloud.post(who, &format!("/v3/attachments/{id}/action"), json!({"os-complete": {}})).await,
            ),
            None => None,
        },
        Step::Detach(at) => match attachment(*at).await {
            Some(id) => Some(cloud.delete(who, &format!("/v3/attachments/{id}")).await),
            None => None,
        },
        Step::Delete(at) => match volume(*at).await {
            Some(id) => Some(cloud.delete(who, &format!("/v3/volumes/{id}")).await),
            None => None,
        },
        Step::ForceDelete(at) => match volume(*at).await {
            Some(id) => Some(cloud.delete(who, &format!("/v3/volumes/{id}?force=true&cascade=true")).await),
            None => None,
        },
        Step::Reset(at) => match volume(*at).await {
            Some(id) => Some(cloud.act(who, &id, json!({"os-reset_status": {"status": "available"}})).await),
            None => None,
        },
        Step::Kill => None,
    };
    if let Some(answer) = answer {
        assert!(answer.status < 500, "{step:?}: {}", answer.body);
    }
}

/// By volume: the servers that were told where it is.
async fn connected(cloud: &Cloud) -> Vec<(String, Vec<String>)> {
    let all = cloud.get("admin@p1", "/v3/attachments/detail").await.is(200);
    let mut by_volume: std::collections::BTreeMap<String, Vec<String>> = Default::default();
    for one in all.body["attachments"].as_array().unwrap() {
        let told = one["connection_info"] != json!({}) || one["status"] == "attached";
        if told {
            let text = |key: &str| one[key].as_str().unwrap().to_owned();
            by_volume.entry(text("volume_id")).or_default().push(text("instance"));
        }
    }
    by_volume.into_iter().collect()
}

/// Every encrypted volume has a key of its own, which is there.
async fn check_keys(cloud: &Cloud, step: &Step) {
    // In this order: keys of volumes that come later are not missed, and none goes without its volume.
    let all = cloud.get("admin@p1", "/v3/volumes/detail").await.is(200).body;
    let secrets = cloud.secrets().await;
    let keys: Vec<&str> =
        all["volumes"].as_array().unwrap().iter().filter_map(|v| v["encryption_key_id"].as_str()).collect();
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "after {step:?} a key is shared");
    for volume in all["volumes"].as_array().unwrap() {
        let Some(key) = volume["encryption_key_id"].as_str() else { continue };
        let id = volume["id"].as_str().unwrap();
        // A retype that ended between the two looks took another one.
        let gone = !secrets.contains_key(key);
        let now = cloud.get("admin@p1", &format!("/v3/volumes/{id}")).await.is(200).body;
        assert!(
            !gone || now["volume"]["encryption_key_id"] != key,
            "after {step:?} volume {id} lost its key"
        );
    }
}

async fn check(cloud: &Cloud, step: &Step) {
    check_keys(cloud, step).await;
    for (volume, servers) in connected(cloud).await {
        cloud.get("admin@p1", &format!("/v3/volumes/{volume}")).await.is(200);
        let distinct: BTreeSet<&String> = servers.iter().collect();
        assert_eq!(distinct.len(), 1, "after {step:?} volume {volume} is open in {servers:?}");
        let disk = async || cloud.cinder.connection(&volume).await.unwrap().disk.layers;
        for layer in disk().await {
            let id = &layer.id;
            // One that was merged meanwhile is not the volume's any more.
            let lost = cloud.driver.layer(id).is_none() && disk().await.iter().any(|layer| layer.id == *id);
            assert!(!lost, "after {step:?} volume {volume} lost {id}");
        }
    }
}

async fn play(steps: Vec<Step>) {
    let mut cloud = Cloud::start().await;
    cloud.encrypted_type("luks").await;
    for step in &steps {
        match step {
            Step::Kill => cloud = cloud.again().await,
            step => take(&cloud, step).await,
        }
        check(&cloud, step).await;
    }
    cloud = cloud.again().await;
    for id in ids(&cloud, "/v3/attachments", "attachments").await {
        cloud.delete("admin@p1", &format!("/v3/attachments/{id}")).await.is(200);
    }
    for id in ids(&cloud, "/v3/volumes", "volumes").await {
        let path = format!("/v3/volumes/{id}?force=true&cascade=true");
        cloud.ask("admin@p1", "DELETE", &path, Value::Null).await.is(202);
    }
    cloud.files(0).await;
    assert!(cloud.secrets().await.is_empty());
    assert!(cloud.driver.list().await.unwrap().is_empty());
    let used = cloud.get("admin@p1", "/v3/os-quota-sets/p1?usage=true").await.is(200);
    assert_eq!(used.body["quota_set"]["gigabytes"]["in_use"], 0);
}

#[test]
fn a_volume_in_use_is_never_lost_or_shared() {
    let cases = std::env::var("VOLUME_CASES").map_or(24, |text| text.parse().unwrap());
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runner
        .run(&proptest::collection::vec(step(), 1..40), |steps| {
            runtime.block_on(play(steps));
            Ok(())
        })
        .unwrap();
}
