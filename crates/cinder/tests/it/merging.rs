//! Layers come and go, and what is on volumes, snapshots and backups is what was written, whatever merges meanwhile, fails or
//! is killed.

use std::collections::BTreeMap;

use host::LayerPlan;
use host::fake::Operation;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::cloud::Cloud;

type Data = BTreeMap<u64, u64>;

async fn layers(cloud: &Cloud, volume: &str) -> Vec<LayerPlan> {
    cloud.cinder.connection(volume).await.unwrap().disk.layers
}

/// Until a volume has so few layers.
async fn fewer(cloud: &Cloud, volume: &str, wanted: usize) {
    for _ in 0..6000 {
        if layers(cloud, volume).await.len() <= wanted {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("{volume} has {} layers", layers(cloud, volume).await.len());
}

#[tokio::test]
async fn rotating_snapshots_leave_no_trail() {
    let cloud = Cloud::start().await;
    let id = cloud.volume("member@p1", json!({})).await;
    let mut kept = Vec::new();
    let mut expected = Data::new();
    for turn in 0..80 {
        let head = layers(&cloud, &id).await.pop().unwrap().id;
        cloud.driver.write(&head, turn % 7, turn);
        expected.insert(turn % 7, turn);
        kept.push(cloud.snapshot("member@p1", &id).await);
        if kept.len() > 3 {
            let oldest = kept.remove(0);
            cloud.delete("member@p1", &format!("/v3/snapshots/{oldest}")).await.is(202);
        }
    }
    fewer(&cloud, &id, 4).await;
    cloud.files(4).await;
    assert_eq!(cloud.driver.shows(&layers(&cloud, &id).await), expected);
    for snapshot in kept {
        cloud.delete("member@p1", &format!("/v3/snapshots/{snapshot}")).await.is(202);
    }
    fewer(&cloud, &id, 2).await;
    cloud.files(2).await;
    assert_eq!(cloud.driver.shows(&layers(&cloud, &id).await), expected);
}

#[tokio::test]
async fn an_image_is_never_written_and_what_cannot_be_merged_stays() {
    let cloud = Cloud::start().await;
    let image = cloud.image("member@p1").await;
    let id = cloud.volume("member@p1", json!({"imageRef": image, "size": 1})).await;
    let below = layers(&cloud, &id).await[0].id.clone();
    cloud.driver.faults().fail_next(Operation::MergeVolume, "no");
    for turn in 0..5 {
        cloud.driver.write(&layers(&cloud, &id).await.pop().unwrap().id, turn, 1);
        let snapshot = cloud.snapshot("member@p1", &id).await;
        cloud.delete("member@p1", &format!("/v3/snapshots/{snapshot}")).await.is(202);
    }
    fewer(&cloud, &id, 3).await;
    assert!(cloud.driver.shows(&layers(&cloud, &id).await[..1]).is_empty());
    assert_eq!(layers(&cloud, &id).await[0].id, below);
    assert_eq!(cloud.driver.shows(&layers(&cloud, &id).await).len(), 5);
}

#[derive(Debug, Clone)]
enum Step {
    Write(usize, u64),
    Clone(usize),
    Snapshot(usize),
    FromSnapshot(usize),
    DeleteSnapshot(usize),
    DeleteVolume(usize),
    Revert(usize),
    Backup(usize, bool),
    Restore(usize),
    DeleteBackup(usize),
    Fail,
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    let at = || 0..6_usize;
    prop_oneof![
        4 => (at(), 0..5_u64).prop_map(|(at, place)| Step::Write(at, place)),
        1 => at().prop_map(Step::Clone),
        4 => at().prop_map(Step::Snapshot),
        1 => at().prop_map(Step::FromSnapshot),
        4 => at().prop_map(Step::DeleteSnapshot),
        1 => at().prop_map(Step::DeleteVolume),
        1 => at().prop_map(Step::Revert),
        2 => (at(), any::<bool>()).prop_map(|(at, more)| Step::Backup(at, more)),
        1 => at().prop_map(Step::Restore),
        2 => at().prop_map(Step::DeleteBackup),
        1 => Just(Step::Fail),
        1 => Just(Step::Kill),
    ]
}

/// What each of them shows, in the order of their making.
#[derive(Default)]
struct Model {
    volumes: Vec<(String, Data)>,
    snapshots: Vec<(String, String, Data)>,
    backups: Vec<(String, Data)>,
    written: u64,
}

const WHO: &str = "admin@p1";

impl Model {
    async fn new_volume(&mut self, cloud: &Cloud, body: Value, data: Data) {
        let made = cloud.post(WHO, "/v3/volumes", json!({ "volume": body })).await;
        if made.status == 202 {
            self.volumes.push((made.id(), data));
        }
    }

    /// Calls wait for nothing but what has to be done before the next one; merges come when they come.
    async fn take(&mut self, cloud: &Cloud, step: &Step) {
        let at = |at: usize, of: usize| at.checked_rem(of);
        match step {
            Step::Write(n, place) => {
                let Some(n) = at(*n, self.volumes.len()) else { return };
                self.written += 1;
                let (id, data) = &mut self.volumes[n];
                cloud.until(id, "available").await;
                cloud.driver.write(&layers(cloud, id).await.pop().unwrap().id, *place, self.written);
                data.insert(*place, self.written);
            }
            Step::Clone(n) => {
                let Some(n) = at(*n, self.volumes.len()) else { return };
                let (id, data) = self.volumes[n].clone();
                self.new_volume(cloud, json!({"source_volid": id}), data).await;
            }
            Step::Snapshot(n) => {
                let Some(n) = at(*n, self.volumes.len()) else { return };
                let (id, data) = self.volumes[n].clone();
                let made = cloud.post(WHO, "/v3/snapshots", json!({"snapshot": {"volume_id": id}})).await;
                if made.status == 202 {
                    let made = made.id();
                    cloud.settled(&format!("/v3/snapshots/{made}"), "/snapshot/status", "available").await;
                    self.snapshots.push((made, id, data));
                }
            }
            Step::FromSnapshot(n) => {
                let Some(n) = at(*n, self.snapshots.len()) else { return };
                let (id, _, data) = self.snapshots[n].clone();
                self.new_volume(cloud, json!({"snapshot_id": id}), data).await;
            }
            Step::DeleteSnapshot(n) => {
                let Some(n) = at(*n, self.snapshots.len()) else { return };
                if cloud.delete(WHO, &format!("/v3/snapshots/{}", self.snapshots[n].0)).await.status == 202 {
                    self.snapshots.remove(n);
                }
            }
            Step::DeleteVolume(n) => {
                let Some(n) = at(*n, self.volumes.len()) else { return };
                if cloud.delete(WHO, &format!("/v3/volumes/{}", self.volumes[n].0)).await.status == 202 {
                    self.volumes.remove(n);
                }
            }
            Step::Revert(n) => {
                let Some(n) = at(*n, self.snapshots.len()) else { return };
                let (id, volume, data) = self.snapshots[n].clone();
                if cloud.act(WHO, &volume, json!({"revert": {"snapshot_id": id}})).await.status == 202 {
                    self.volumes.iter_mut().find(|(id, _)| *id == volume).unwrap().1 = data;
                    cloud.until(&volume, "available").await;
                }
            }
            Step::Backup(n, incremental) => {
                let Some(n) = at(*n, self.volumes.len()) else { return };
                let (id, data) = self.volumes[n].clone();
                let body = json!({"backup": {"volume_id": id, "incremental": incremental}});
                let made = cloud.post(WHO, "/v3/backups", body).await;
                if made.status == 202 {
                    self.backups.push((made.id(), data));
                }
            }
            Step::Restore(n) => {
                let Some(n) = at(*n, self.backups.len()) else { return };
                let (id, data) = self.backups[n].clone();
                self.new_volume(cloud, json!({"backup_id": id}), data).await;
            }
            Step::DeleteBackup(n) => {
                let Some(n) = at(*n, self.backups.len()) else { return };
                if cloud.delete(WHO, &format!("/v3/backups/{}", self.backups[n].0)).await.status == 202 {
                    self.backups.remove(n);
                }
            }
            Step::Fail => {
                // One at a time: what fails over and over is tried after ever longer pauses.
                cloud.driver.faults().clear();
                cloud.driver.faults().fail_next(Operation::MergeVolume, "no");
                cloud.driver.faults().fail_next(Operation::RemoveVolume, "no");
            }
            Step::Kill => {}
        }
    }

    async fn check(&self, cloud: &Cloud, step: &Step) {
        for (id, data) in &self.volumes {
            let disk = layers(cloud, id).await;
            assert_eq!(cloud.driver.shows(&disk), *data, "after {step:?} volume {id}");
        }
    }

    /// Snapshots and backups become volumes, and then everything goes.
    async fn end(mut self, cloud: &Cloud) {
        for (id, _, data) in self.snapshots.clone() {
            self.new_volume(cloud, json!({"snapshot_id": id}), data).await;
        }
        for (id, data) in self.backups.clone() {
            cloud.settled(&format!("/v3/backups/{id}"), "/backup/status", "available").await;
            self.new_volume(cloud, json!({"backup_id": id}), data).await;
        }
        for (id, _) in &self.volumes {
            cloud.until(id, "available").await;
        }
        self.check(cloud, &Step::Kill).await;
        for (id, ..) in self.snapshots.drain(..) {
            cloud.delete(WHO, &format!("/v3/snapshots/{id}")).await.is(202);
        }
        for (id, _) in self.backups.drain(..).rev() {
            cloud.delete(WHO, &format!("/v3/backups/{id}")).await.is(202);
        }
        for (id, _) in &self.volumes {
            fewer(cloud, id, 3 + self.volumes.len()).await;
        }
        self.check(cloud, &Step::Kill).await;
        for (id, _) in self.volumes {
            cloud.delete(WHO, &format!("/v3/volumes/{id}")).await.is(202);
        }
        cloud.files(0).await;
    }
}

async fn play(steps: Vec<Step>) {
    let mut cloud = Cloud::start().await;
    let limits = json!({"quota_set": {"volumes": -1, "snapshots": -1, "backups": -1, "gigabytes": -1, "backup_gigabytes": -1}});
    cloud.ask("admin", "PUT", "/v3/os-quota-sets/p1", limits).await.is(200);
    let mut model = Model::default();
    model.new_volume(&cloud, json!({"size": 1}), Data::new()).await;
    for step in &steps {
        if matches!(step, Step::Kill) {
            cloud = cloud.again().await;
        }
        model.take(&cloud, step).await;
        model.check(&cloud, step).await;
    }
    model.end(&cloud).await;
}

#[test]
fn whatever_merges_data_is_what_was_written() {
    let cases = std::env::var("VOLUME_CASES").map_or(16, |text| text.parse().unwrap());
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runner
        .run(&proptest::collection::vec(step(), 10..60), |steps| {
            runtime.block_on(play(steps));
            Ok(())
        })
        .unwrap();
}
