//! Random requests about servers and volumes, and a daemon that is killed at random moments: a volume in use is there and has
//! one server, whose machine has it; nothing stays on its way for ever, and nobody holds what is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use host::Hypervisor as _;
use host::VmState;
use host::fake::{FakeHypervisor, FakeNetwork, FakeOptions, Operation};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::cloud::{ADMIN, Answer, Client, Cloud};
use crate::kills::{Life, settled};

#[derive(Debug, Clone, Copy)]
enum Step {
    CreateVolume,
    CreateServer,
    /// From a new volume of the image; `true`: it goes with the server.
    BootFromVolume(bool),
    /// The m-th volume to the n-th server.
    Attach(usize, usize),
    Detach(usize, usize),
    Snapshot(usize),
    Extend(usize),
    DeleteVolume(usize),
    Act(usize, &'static str),
    DeleteServer(usize),
    Kill(u64),
}

const ACTIONS: &[&str] = &["os-stop", "os-start", "reboot", "shelve", "unshelve", "createImage"];

fn step() -> impl Strategy<Value = Step> {
    let action = prop::sample::select(ACTIONS);
    prop_oneof![
        2 => Just(Step::CreateVolume),
        2 => Just(Step::CreateServer),
        2 => any::<bool>().prop_map(Step::BootFromVolume),
        6 => (0..3usize, 0..4usize).prop_map(|(n, m)| Step::Attach(n, m)),
        4 => (0..3usize, 0..4usize).prop_map(|(n, m)| Step::Detach(n, m)),
        1 => (0..4usize).prop_map(Step::Snapshot),
        1 => (0..4usize).prop_map(Step::Extend),
        2 => (0..4usize).prop_map(Step::DeleteVolume),
        3 => (0..3usize, action).prop_map(|(n, a)| Step::Act(n, a)),
        1 => (0..3usize).prop_map(Step::DeleteServer),
        4 => (0..20u64).prop_map(Step::Kill),
    ]
}

async fn cinder(client: &Client<'_>, method: &str, path: &str, body: Option<Value>) -> Answer {
    client.call(method, &format!("/volume/v3{path}"), body).await
}

async fn volumes(cloud: &Cloud) -> Vec<Value> {
    let list = cinder(&cloud.as_("demo"), "GET", "/volumes/detail", None).await.expect(200);
    list["volumes"].as_array().unwrap().clone()
}

/// Volumes that wait for nothing.
async fn volumes_at_rest(cloud: &Cloud) -> Vec<Value> {
    const REST: [&str; 4] = ["available", "in-use", "reserved", "error"];
    for _ in 0..4000 {
        let all = volumes(cloud).await;
        let rests = |volume: &Value| REST.contains(&volume["status"].as_str().unwrap());
        if all.iter().all(rests) && reserved_are_shelved(cloud, &all).await {
            return all;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("volumes do not come to rest: {:?}", volumes(cloud).await);
}

/// A reservation that stays is a shelved server's.
async fn reserved_are_shelved(cloud: &Cloud, volumes: &[Value]) -> bool {
    let reserved: BTreeSet<&str> =
        volumes.iter().filter(|v| v["status"] == "reserved").map(|v| v["id"].as_str().unwrap()).collect();
    if reserved.is_empty() {
        return true;
    }
    let list =
        cloud.as_(ADMIN).get("/servers/detail?all_tenants=1&status=SHELVED_OFFLOADED").await.expect(200);
    let shelved: BTreeSet<String> = attached(list["servers"].as_array().unwrap()).into_keys().collect();
    reserved.iter().all(|id| shelved.contains(*id))
}

/// Volume -> the servers that say they have it.
fn attached(servers: &[Value]) -> BTreeMap<String, Vec<String>> {
    let mut by_volume: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for server in servers {
        for volume in server["os-extended-volumes:volumes_attached"].as_array().unwrap() {
            by_volume
                .entry(volume["id"].as_str().unwrap().to_owned())
                .or_default()
                .push(server["id"].as_str().unwrap().to_owned());
        }
    }
    by_volume
}

async fn check(cloud: &Cloud) {
    let servers = settled(cloud).await;
    let all = volumes_at_rest(cloud).await;
    let servers = {
        // What was to come or to go has come and gone meanwhile.
        let list = cloud.as_(ADMIN).get("/servers/detail?all_tenants=1").await.expect(200);
        assert_eq!(list["servers"].as_array().unwrap().len(), servers.len());
        list["servers"].as_array().unwrap().clone()
    };
    let by_volume = attached(&servers);
    for (volume, of) in &by_volume {
        assert_eq!(of.len(), 1, "volume {volume} has several servers");
        assert!(all.iter().any(|v| v["id"] == json!(volume)), "volume {volume} of {of:?} is gone");
    }
    for volume in &all {
        let id = volume["id"].as_str().unwrap();
        let of = by_volume.get(id);
        let status = volume["status"].as_str().unwrap();
        assert_eq!(of.is_some(), matches!(status, "in-use" | "reserved"), "{volume} {of:?}");
        let told: Vec<&str> = volume["attachments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["server_id"].as_str().unwrap())
            .collect();
        if status == "in-use" {
            assert_eq!(told, of.unwrap().iter().map(String::as_str).collect::<Vec<_>>(), "{volume}");
        }
    }
    let list = cinder(&cloud.as_("demo"), "GET", "/attachments/detail", None).await.expect(200);
    let list = list["attachments"].as_array().unwrap();
    assert_eq!(list.len(), by_volume.len(), "attachments that nobody knows: {list:?}");
    for server in &servers {
        let id = server["id"].as_str().unwrap();
        if cloud.hypervisor.state(id).await.unwrap() != VmState::Running {
            continue;
        }
        let mut has: Vec<String> =
            cloud.hypervisor.plan(id).unwrap().disks.into_iter().map(|disk| disk.id).collect();
        let mut says: Vec<String> =
            by_volume.iter().filter(|(_, of)| of.contains(&id.to_owned())).map(|(v, _)| v.clone()).collect();
        has.sort();
        says.sort();
        assert_eq!(has, says, "disks of {server}");
    }
}

fn play(steps: &[Step]) {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let machines = Arc::new(FakeHypervisor::new(FakeOptions::default()).unwrap());
    let network = Arc::new(FakeNetwork::new(Duration::ZERO));
    for operation in
        [Operation::Start, Operation::Stop, Operation::Destroy, Operation::Plug, Operation::Unplug]
            .into_iter()
            .chain([Operation::SwitchDisk, Operation::RebaseDisk, Operation::GrowDisk])
    {
        machines.faults().set_delay(operation, Duration::from_millis(3));
    }
    let mut life = Life::start(&dir, &machines, &network);
    let image = life.run(async |cloud| cloud.image("demo").await);
    let (mut servers, mut disks): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for step in steps {
        if let Step::Kill(after) = step {
            std::thread::sleep(Duration::from_millis(*after));
            drop(life);
            life = Life::start(&dir, &machines, &network);
            continue;
        }
        life.run(async |cloud| take(cloud, step, &image, &mut servers, &mut disks).await);
    }
    life.run(async |cloud| {
        check(cloud).await;
        let demo = cloud.as_("demo");
        for server in &servers {
            demo.delete(&format!("/servers/{server}")).await;
        }
        for server in &servers {
            cloud.as_(ADMIN).wait_gone(server).await;
        }
        check(cloud).await;
        // Nobody has any: all can be deleted, with their snapshots.
        for volume in volumes_at_rest(cloud).await {
            let path = format!("/volumes/{}?cascade=true", volume["id"].as_str().unwrap());
            cinder(&demo, "DELETE", &path, None).await.expect(202);
        }
        assert!(volumes(cloud).await.is_empty());
    });
}

async fn take(cloud: &Cloud, step: &Step, image: &str, servers: &mut Vec<String>, disks: &mut Vec<String>) {
    let demo = cloud.as_("demo");
    let pair = |n: usize, m: usize| Some((servers.get(n)?.clone(), disks.get(m)?.clone()));
    match *step {
        Step::CreateVolume if disks.len() < 4 => {
            let made =
                cinder(&demo, "POST", "/volumes", Some(json!({"volume": {"size": 1}}))).await.expect(202);
            disks.push(made["volume"]["id"].as_str().unwrap().to_owned());
        }
        Step::CreateServer if servers.len() < 3 => {
            let body = json!({"name": "s", "imageRef": image, "flavorRef": "42", "networks": "none"});
            servers.push(demo.server(body).await);
        }
        Step::BootFromVolume(deleted) if servers.len() < 3 => {
            let root = json!({
                "source_type": "image", "uuid": image, "destination_type": "volume", "volume_size": 1,
                "boot_index": 0, "delete_on_termination": deleted,
            });
            let body = json!({"name": "s", "flavorRef": "42", "networks": "none", "block_device_mapping_v2": [root]});
            servers.push(demo.server(body).await);
        }
        Step::Attach(n, m) => {
            let Some((server, volume)) = pair(n, m) else { return };
            let body = json!({"volumeAttachment": {"volumeId": volume}});
            let answer = demo.post(&format!("/servers/{server}/os-volume_attachments"), body).await;
            assert!([200, 400, 404, 409].contains(&answer.status), "{}", answer.body);
        }
        Step::Detach(n, m) => {
            let Some((server, volume)) = pair(n, m) else { return };
            let answer = demo.delete(&format!("/servers/{server}/os-volume_attachments/{volume}")).await;
            assert!([202, 400, 404, 409].contains(&answer.status), "{}", answer.body);
        }
        Step::Snapshot(m) => {
            let Some(volume) = disks.get(m) else { return };
            let body = json!({"snapshot": {"volume_id": volume, "force": true}});
            let status = cinder(&demo, "POST", "/snapshots", Some(body)).await.status;
            assert!([202, 400, 404].contains(&status), "{status}");
        }
        Step::Extend(m) => {
            let Some(volume) = disks.get(m) else { return };
            let path = format!("/volumes/{volume}/action");
            let body = json!({"os-extend": {"new_size": 2}});
            let status = cinder(&demo, "POST", &path, Some(body)).await.status;
            assert!([202, 400, 404, 409].contains(&status), "{status}");
        }
        Step::DeleteVolume(m) => {
            let Some(volume) = disks.get(m) else { return };
            let status = cinder(&demo, "DELETE", &format!("/volumes/{volume}"), None).await.status;
            assert!([202, 400, 404].contains(&status), "{status}");
        }
        Step::Act(n, action) => {
            let Some(server) = servers.get(n) else { return };
            let body = match action {
                "reboot" => json!({"reboot": {"type": "HARD"}}),
                "createImage" => json!({"createImage": {"name": "i"}}),
                action => json!({action: null}),
            };
            let answer = demo.action(server, body).await;
            assert!([200, 202, 400, 404, 409].contains(&answer.status), "{}", answer.body);
        }
        Step::DeleteServer(n) => {
            let Some(server) = servers.get(n) else { return };
            let status = demo.delete(&format!("/servers/{server}")).await.status;
            assert!([204, 404].contains(&status), "{status}");
        }
        Step::CreateVolume | Step::CreateServer | Step::BootFromVolume(_) | Step::Kill(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 40, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_volume_in_use_is_never_deleted_attached_twice_or_lost(steps in prop::collection::vec(step(), 1..26)) {
        play(&steps);
    }
}

#[test]
fn ten_kills_while_volumes_come_and_go() {
    let mut steps = vec![Step::CreateVolume, Step::CreateServer, Step::CreateServer, Step::Kill(30)];
    for n in 0..5 {
        steps.extend([Step::Attach(0, 0), Step::Kill(n * 2), Step::Detach(0, 0), Step::Kill(n * 2)]);
    }
    steps.extend([Step::Attach(1, 0), Step::Snapshot(0), Step::Kill(1)]);
    play(&steps);
}

/// Shelved while the machine may have it already: the daemon died in between.
#[test]
fn a_volume_on_its_way_when_the_daemon_died_goes_on_the_shelf_with_its_server() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let machines = Arc::new(FakeHypervisor::new(FakeOptions::default()).unwrap());
    let network = Arc::new(FakeNetwork::new(Duration::ZERO));
    let mut life = Life::start(&dir, &machines, &network);
    let server = life.run(async |cloud| {
        let demo = cloud.as_("demo");
        let image = cloud.image("demo").await;
        let body = json!({"name": "s", "imageRef": image, "flavorRef": "42", "networks": "none"});
        let server = demo.server(body).await;
        demo.wait(&server, "ACTIVE").await;
        for name in ["there", "coming"] {
            if name == "coming" {
                machines.faults().set_delay(Operation::Plug, Duration::from_secs(60));
            }
            let body = json!({"volume": {"size": 1, "name": name}});
            let made = cinder(&demo, "POST", "/volumes", Some(body)).await.expect(202);
            become_all(cloud, "available", if name == "there" { "available" } else { "in-use" }).await;
            let path = format!("/servers/{server}/os-volume_attachments");
            let body = json!({"volumeAttachment": {"volumeId": made["volume"]["id"]}});
            demo.post(&path, body).await.expect(200);
            become_all(cloud, if name == "there" { "in-use" } else { "attaching" }, "in-use").await;
        }
        demo.action(&server, json!({"shelve": null})).await.expect(202);
        server
    });
    drop(life);
    machines.faults().clear();
    life = Life::start(&dir, &machines, &network);
    life.run(async |cloud| {
        let demo = cloud.as_("demo");
        demo.wait(&server, "SHELVED_OFFLOADED").await;
        become_all(cloud, "reserved", "reserved").await;
        demo.action(&server, json!({"unshelve": null})).await.expect(202);
        demo.wait(&server, "ACTIVE").await;
        become_all(cloud, "in-use", "in-use").await;
        assert_eq!(machines.plan(&server).unwrap().disks.len(), 2);
    });
}

/// Each volume is in one of two states.
async fn become_all(cloud: &Cloud, one: &str, other: &str) {
    let end = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        let states: Vec<Value> = volumes(cloud).await.iter_mut().map(|v| v["status"].take()).collect();
        if states.iter().all(|state| state == one || state == other) {
            return;
        }
        assert!(std::time::Instant::now() < end, "{states:?} and not {one}, {other}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
