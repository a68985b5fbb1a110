//! Random requests, guests that power off, and a daemon that is killed at random moments: whatever happened, in the
//! end every row rests and agrees with its machine, and nothing is held by nobody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use host::fake::{FakeHypervisor, FakeNetwork, FakeOptions, Operation};
use host::{Hypervisor as _, VmState};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::cloud::{ADMIN, Cloud};

#[derive(Debug, Clone, Copy)]
enum Step {
    Create,
    /// On the n-th server ever made, if it is still there.
    Act(usize, &'static str),
    Delete(usize),
    GuestPowersOff(usize),
    /// After so many milliseconds the daemon is gone, in the middle of whatever it does.
    Kill(u64),
}

const ACTIONS: &[&str] = &[
    "os-stop",
    "os-start",
    "reboot",
    "pause",
    "unpause",
    "suspend",
    "resume",
    "rescue",
    "unrescue",
    "shelve",
    "unshelve",
    "resize",
    "confirmResize",
    "revertResize",
    "rebuild",
    "createImage",
];

fn body(action: &'static str, image: &str) -> Value {
    match action {
        "reboot" => json!({"reboot": {"type": "HARD"}}),
        "resize" => json!({"resize": {"flavorRef": "84"}}),
        "rebuild" => json!({"rebuild": {"imageRef": image}}),
        "createImage" => json!({"createImage": {"name": "i"}}),
        action => json!({action: null}),
    }
}

fn step() -> impl Strategy<Value = Step> {
    let action = prop::sample::select(ACTIONS);
    prop_oneof![
        3 => Just(Step::Create),
        8 => (0..4usize, action).prop_map(|(n, a)| Step::Act(n, a)),
        1 => (0..4usize).prop_map(Step::Delete),
        1 => (0..4usize).prop_map(Step::GuestPowersOff),
        3 => (0..25u64).prop_map(Step::Kill),
    ]
}

/// One life of the daemon; dropping it is a `kill -9`.
pub struct Life {
    runtime: Option<Runtime>,
    cloud: Option<Cloud>,
}

impl Life {
    pub fn start(
        dir: &Arc<tempfile::TempDir>,
        machines: &Arc<FakeHypervisor>,
        network: &Arc<FakeNetwork>,
    ) -> Life {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let cloud = runtime.block_on(Cloud::start_on(dir.clone(), machines.clone(), network.clone()));
        Life { runtime: Some(runtime), cloud: Some(cloud) }
    }

    pub fn run<T>(&self, work: impl AsyncFnOnce(&Cloud) -> T) -> T {
        self.runtime.as_ref().unwrap().block_on(work(self.cloud.as_ref().unwrap()))
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // Tasks end where they are; what they had not committed is rolled back with their connections.
        self.runtime.take().unwrap().shutdown_timeout(Duration::from_secs(5));
        self.cloud.take();
    }
}

/// Servers at rest, each with the machine that its row tells of: a guest's own end is noticed a moment later.
pub async fn settled(cloud: &Cloud) -> Vec<Value> {
    let mut unlike = Vec::new();
    for _ in 0..4000 {
        let list = cloud.as_(ADMIN).get("/servers/detail?all_tenants=1").await.expect(200);
        let servers = list["servers"].as_array().unwrap().clone();
        if servers.iter().all(|s| s["OS-EXT-STS:task_state"].is_null() && s["status"] != "BUILD") {
            unlike.clear();
            for server in &servers {
                let machine = cloud.hypervisor.state(server["id"].as_str().unwrap()).await.unwrap();
                if wanted(server).is_some_and(|(wanted, _)| !wanted.contains(&machine)) {
                    unlike.push(format!("{machine:?} of {server}"));
                }
            }
            if unlike.is_empty() {
                return servers;
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the servers do not come to rest: {:?}, {unlike:?}", cloud.nova.status());
}

/// What the machine may be, and how many claims of one processor it holds. None: an error, which has its reason.
fn wanted(server: &Value) -> Option<(&'static [VmState], usize)> {
    use host::VmState::{Absent, Paused, Running, Stopped};
    match server["status"].as_str().unwrap() {
        "ACTIVE" => Some((&[Running], 1)),
        "SHUTOFF" | "SUSPENDED" => Some((&[Stopped], 1)),
        "PAUSED" => Some((&[Paused], 1)),
        // A guest may have powered off in rescue.
        "RESCUE" => Some((&[Running, Stopped], 1)),
        "VERIFY_RESIZE" => Some((&[Running, Stopped], 2)),
        "SHELVED_OFFLOADED" => Some((&[Absent], 0)),
        "ERROR" => {
            assert!(server["fault"]["message"].is_string(), "an error without a reason: {server}");
            None
        }
        other => panic!("{other} is no state to rest in"),
    }
}

async fn ports(cloud: &Cloud) -> BTreeMap<String, usize> {
    let path = "/network/v2.0/ports?device_owner=compute:nova";
    let list = cloud.as_("demo").call("GET", path, None).await.expect(200);
    let mut count = BTreeMap::new();
    for port in list["ports"].as_array().unwrap() {
        *count.entry(port["device_id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    count
}

/// Only living servers hold anything.
async fn check(cloud: &Cloud, servers: &[Value]) {
    let mut holders = BTreeMap::new();
    let mut claimed = 0;
    for server in servers {
        let Some((_, claims)) = wanted(server) else { continue };
        claimed += claims;
        holders.insert(server["id"].as_str().unwrap().to_owned(), 1usize);
    }
    assert_eq!(ports(cloud).await, holders, "one port for each server and no other");
    let used = cloud.placement.usage().await.unwrap();
    assert_eq!(used.vcpus as usize, claimed, "{servers:?}");
    let images = cloud.as_("demo").call("GET", "/image/v2/images?limit=100", None).await.expect(200);
    let unfinished: Vec<&Value> =
        images["images"].as_array().unwrap().iter().filter(|i| i["status"] != "active").collect();
    assert!(unfinished.is_empty(), "{unfinished:?}");
    let mut machines = cloud.hypervisor.list().await.unwrap();
    machines.retain(|id| !holders.contains_key(id));
    assert_eq!(machines, Vec::<String>::new(), "machines without a server");
}

fn play(steps: &[Step]) {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let machines = Arc::new(FakeHypervisor::new(FakeOptions::default()).unwrap());
    let network = Arc::new(FakeNetwork::new(Duration::from_millis(1)));
    for operation in
        [Operation::Prepare, Operation::Start, Operation::Stop, Operation::Suspend, Operation::Destroy]
            .into_iter()
            .chain([Operation::Reboot, Operation::Reset, Operation::Resize, Operation::Snapshot])
    {
        machines.faults().set_delay(operation, Duration::from_millis(3));
    }
    let mut life = Life::start(&dir, &machines, &network);
    let (image, net) =
        life.run(async |cloud| (cloud.image("demo").await, cloud.network("demo", "net", 0).await));
    let mut made: Vec<String> = Vec::new();
    for step in steps {
        match *step {
            Step::Create if made.len() < 4 => {
                let body =
                    json!({"name": "s", "imageRef": image, "flavorRef": "42", "networks": [{"uuid": net}]});
                made.push(life.run(async |cloud| cloud.as_("demo").server(body).await));
            }
            Step::Create => {}
            Step::Act(n, action) => {
                let Some(id) = made.get(n) else { continue };
                let body = body(action, &image);
                let status = life.run(async |cloud| cloud.as_("demo").action(id, body).await.status);
                assert!([200, 202, 204, 400, 404, 409].contains(&status), "{action}: {status}");
            }
            Step::Delete(n) => {
                let Some(id) = made.get(n) else { continue };
                let path = format!("/servers/{id}");
                let status = life.run(async |cloud| cloud.as_("demo").delete(&path).await.status);
                assert!([204, 404].contains(&status), "{status}");
            }
            Step::GuestPowersOff(n) => {
                let Some(id) = made.get(n) else { continue };
                // A machine that is not there cannot power off.
                drop(machines.end(id));
            }
            Step::Kill(after) => {
                std::thread::sleep(Duration::from_millis(after));
                drop(life);
                life = Life::start(&dir, &machines, &network);
            }
        }
    }
    life.run(async |cloud| {
        let servers = settled(cloud).await;
        check(cloud, &servers).await;
        for server in &servers {
            let path = format!("/servers/{}", server["id"].as_str().unwrap());
            cloud.as_(ADMIN).delete(&path).await.expect(204);
        }
        for server in &servers {
            cloud.as_(ADMIN).wait_gone(server["id"].as_str().unwrap()).await;
        }
        check(cloud, &[]).await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 40, failure_persistence: None, ..Default::default() })]

    #[test]
    fn rows_and_machines_agree_in_the_end(steps in prop::collection::vec(step(), 1..22)) {
        play(&steps);
    }
}

/// The demand on the product: ten kills while servers are being made.
#[test]
fn ten_kills_during_creation() {
    let steps: Vec<Step> = (0..10).flat_map(|n| [Step::Create, Step::Kill(n * 2)]).collect();
    play(&steps);
}

/// Its port is the server's from the first step on, so the card must come as well.
#[test]
fn a_card_on_its_way_when_the_daemon_died_is_plugged_by_the_next() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let machines = Arc::new(FakeHypervisor::new(FakeOptions::default()).unwrap());
    let network = Arc::new(FakeNetwork::new(Duration::ZERO));
    let mut life = Life::start(&dir, &machines, &network);
    let server = life.run(async |cloud| {
        let (image, net) = (cloud.image("demo").await, cloud.network("demo", "net", 0).await);
        let body = json!({"name": "s", "imageRef": image, "flavorRef": "42", "networks": [{"uuid": net}]});
        let server = cloud.as_("demo").server(body).await;
        cloud.as_("demo").wait(&server, "ACTIVE").await;
        machines.faults().set_delay(Operation::Plug, Duration::from_secs(60));
        let path = format!("/servers/{server}/os-interface");
        let demo = cloud.as_("demo");
        let attach = demo.post(&path, json!({"interfaceAttachment": {"net_id": net}}));
        let cut_off = tokio::time::timeout(Duration::from_millis(500), attach).await;
        assert!(cut_off.is_err(), "the card is on its way");
        server
    });
    drop(life);
    machines.faults().set_delay(Operation::Plug, Duration::ZERO);
    life = Life::start(&dir, &machines, &network);
    life.run(async |cloud| {
        assert_eq!(ports(cloud).await[&server], 2);
        let end = std::time::Instant::now() + Duration::from_secs(20);
        while machines.plan(&server).unwrap().nics.len() < 2 {
            assert!(std::time::Instant::now() < end, "the machine has no card for its port");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let path = format!("/servers/{server}/os-instance-actions");
        let told = async || cloud.as_(ADMIN).get(&path).await.expect(200)["instanceActions"][0].take();
        while told().await["message"].is_null() {
            assert!(std::time::Instant::now() < end, "the action does not end: {}", told().await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(told().await["action"], "attach_interface");
    });
}

/// A task that only a request can end, and whose request a kill took away, ends by itself once no request can be left: at
/// once when its last change lies in the future, for then the clock has been set back.
#[test]
fn a_task_without_its_request_ends_whatever_the_clock_did() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let machines = Arc::new(FakeHypervisor::new(FakeOptions::default()).unwrap());
    let network = Arc::new(FakeNetwork::new(Duration::ZERO));
    let mut life = Life::start(&dir, &machines, &network);
    let (image, net) =
        life.run(async |cloud| (cloud.image("demo").await, cloud.network("demo", "net", 0).await));
    const HOUR: i64 = 3600 * 1_000_000;
    for ahead in [-HOUR, HOUR, 24 * HOUR] {
        let server = life.run(async |cloud| {
            let body =
                json!({"name": "s", "imageRef": image, "flavorRef": "42", "networks": [{"uuid": net}]});
            let server = cloud.as_("demo").server(body).await;
            cloud.as_("demo").wait(&server, "ACTIVE").await;
            server
        });
        drop(life);
        let runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            let path = camino::Utf8PathBuf::from_path_buf(dir.path().join("cloud.db")).unwrap();
            let db = db::Db::open_file(&path).await.unwrap();
            let changed: db::Result<u64> = db::write!(db, |tx| {
                db::sql("UPDATE servers SET task_state = 'updating_password', updated_at = $1 WHERE id = $2")
                    .bind(base::time::now() + ahead)
                    .bind(server.clone())
                    .run(tx)
                    .await
            });
            assert_eq!(changed.unwrap(), 1);
            db.close().await;
        });
        life = Life::start(&dir, &machines, &network);
        life.run(async |cloud| {
            let begin = std::time::Instant::now();
            let path = format!("/servers/{server}");
            let task = async || {
                cloud.as_("demo").get(&path).await.expect(200)["server"]["OS-EXT-STS:task_state"].take()
            };
            while !task().await.is_null() {
                assert!(begin.elapsed() < Duration::from_secs(20), "{ahead} ahead: the task does not end");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
    }
}
