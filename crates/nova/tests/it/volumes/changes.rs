//! Volumes that change, or have several servers.

use host::fake::{Fault, Operation};
use serde_json::json;

use super::{attach, detach, disks, server, show, volume, wait_volume};
use crate::cloud::{ADMIN, Cloud};

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
    let path = format!("/servers/{server}/os-instance-actions");
    let listed = client.get(&path).await.expect(200);
    let of_volumes = listed["instanceActions"].as_array().unwrap().iter();
    let extended = of_volumes.clone().find(|one| one["action"] == "extend_volume").expect("it is recorded");
    let path = format!("{path}/{}", extended["request_id"].as_str().unwrap());
    let shown = client.get(&path).await.expect(200);
    assert_eq!(shown["instanceAction"]["events"][0]["event"], "compute_extend_volume");
    assert_eq!(shown["instanceAction"]["events"][0]["result"], "Success");
}

#[tokio::test]
async fn machines_are_told_of_layers_that_were_merged() {
    let cloud = Cloud::start().await;
    let client = cloud.as_("p1");
    let server = server(&cloud, &client).await;
    let volume = volume(&client, 1).await;
    attach(&client, &server, &volume).await.expect(200);
    wait_volume(&client, &volume, "in-use").await;
    cloud.hypervisor.faults().fail_next(Operation::RebaseDisk, "no");
    let layers = || cloud.hypervisor.plan(&server).unwrap().disks[0].layers.clone();
    for turn in 0..4 {
        let body = json!({"snapshot": {"volume_id": volume, "force": true}});
        let made = client.call("POST", "/volume/v3/snapshots", Some(body)).await.expect(202);
        let path = format!("/volume/v3/snapshots/{}", made["snapshot"]["id"].as_str().unwrap());
        eventually(async || client.call("GET", &path, None).await.body["snapshot"]["status"] == "available")
            .await;
        client.call("DELETE", &path, None).await.expect(202);
        assert!(layers().len() > 1, "in turn {turn}");
    }
    eventually(async || layers().len() == 2).await;
}

async fn eventually(is_so: impl AsyncFn() -> bool) {
    for _ in 0..2000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("it does not come about");
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
        // The volume is in use by the first one already while the second one's machine is still getting it.
        let has_it = async || cloud.hypervisor.plan(id).unwrap().disks.iter().any(|disk| disk.shared);
        eventually(has_it).await;
        wait_volume(&client, &shared, "in-use").await;
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
