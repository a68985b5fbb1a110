//! Machines that are rows in a map.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use camino::Utf8PathBuf;
use tokio::sync::broadcast;

use super::store::{Record, State, Store};
use super::{Faults, Operation};
use crate::plan::VmPlan;
use crate::{Error, Result};

#[derive(Debug, Clone)]
pub struct FakeOptions {
    /// Machines are remembered here and are still as they were after a restart. None: memory only.
    pub data_dir: Option<Utf8PathBuf>,
    /// How long each call takes.
    pub delay: Duration,
    pub hostname: String,
    pub vcpus: u32,
    pub memory_mib: u64,
    pub disk_gib: u64,
}

impl Default for FakeOptions {
    /// A host for some thousand machines.
    fn default() -> Self {
        Self {
            data_dir: None,
            delay: Duration::ZERO,
            hostname: "simulated".into(),
            vcpus: 4096,
            memory_mib: 16 << 20,
            disk_gib: 1 << 20,
        }
    }
}

/// The fake driver of machines.
///
/// A machine whose name contains `fail-prepare`, `fail-start`, `fail-stop` or `fail-reboot` fails that call, always:
/// so failures can be tried out through nothing but the public API of a cloud.
#[derive(Debug)]
pub struct FakeHypervisor {
    pub(super) options: FakeOptions,
    faults: Faults,
    inner: Mutex<Inner>,
    pub(super) changes: broadcast::Sender<String>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) machines: HashMap<String, Record>,
    /// As last given. Not remembered over a restart.
    pub(super) plans: HashMap<String, VmPlan>,
    /// Bytes of disks that grew while their machines ran, by the machine's and the disk's id.
    pub(super) grown: HashMap<(String, String), u64>,
    pub(super) store: Store,
}

impl FakeHypervisor {
    /// # Errors
    /// The data directory cannot be used.
    pub fn new(options: FakeOptions) -> Result<Self> {
        let (store, machines) = Store::open(options.data_dir.as_deref())?;
        let inner = Inner { machines, plans: HashMap::new(), grown: HashMap::new(), store };
        let changes = broadcast::channel(8192).0;
        Ok(Self { faults: Faults::new(options.delay), options, inner: Mutex::new(inner), changes })
    }

    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The guest powers off, or its process dies: it is stopped and an event says so.
    pub fn end(&self, id: &str) -> Result<()> {
        self.update(id, |record| record.state = State::Stopped)?;
        // Nobody listening is fine.
        drop(self.changes.send(id.to_owned()));
        Ok(())
    }

    /// The guest writes to its serial console.
    pub fn say(&self, id: &str, text: &str) -> Result<()> {
        self.update(id, |record| record.console.push_str(text))
    }

    /// What the machine was last prepared, started or rebooted with.
    pub fn plan(&self, id: &str) -> Option<VmPlan> {
        self.inner().plans.get(id).cloned()
    }

    /// What the guest was last told of a disk's size; None: nothing since it was plugged in.
    pub fn grown(&self, id: &str, disk_id: &str) -> Option<u64> {
        self.inner().grown.get(&(id.to_owned(), disk_id.to_owned())).copied()
    }

    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, id: &str) -> (String, BTreeMap<String, String>) {
        let inner = self.inner();
        inner.machines.get(id).map(|r| (r.name.clone(), r.hints.clone())).unwrap_or_default()
    }

    pub(super) async fn pass(&self, operation: Operation, vm: &VmPlan) -> Result<()> {
        self.judge(operation, &vm.id, &vm.name, &vm.hints).await
    }

    /// For calls that name a machine only.
    pub(super) async fn pass_id(&self, operation: Operation, id: &str) -> Result<()> {
        let (name, hints) = self.known(id);
        self.judge(operation, id, &name, &hints).await
    }

    async fn judge(
        &self,
        operation: Operation,
        id: &str,
        name: &str,
        hints: &BTreeMap<String, String>,
    ) -> Result<()> {
        self.faults.pass(operation, id, hints).await?;
        if name.contains(&format!("fail-{}", operation.name())) {
            return Err(Error::Refused(format!(
                "{} failed, as the name `{name}` asks for",
                operation.name()
            )));
        }
        Ok(())
    }

    pub(super) fn update(&self, id: &str, change: impl FnOnce(&mut Record)) -> Result<()> {
        let inner = &mut *self.inner();
        let record = inner.machines.get_mut(id);
        let record = record.ok_or_else(|| Error::Monitor(format!("there is no machine {id}")))?;
        let before = record.clone();
        change(record);
        if *record == before { Ok(()) } else { inner.store.put(id, record) }
    }

    pub(super) fn change_plan(&self, id: &str, change: impl FnOnce(&mut VmPlan)) {
        if let Some(plan) = self.inner().plans.get_mut(id) {
            change(plan);
        }
    }

    /// Whether a running or paused machine has this disk.
    pub(super) fn has_open(&self, id: &str, disk_id: &str) -> bool {
        let inner = self.inner();
        let alive = inner.machines.get(id).is_some_and(|record| record.state != State::Stopped);
        alive && inner.plans.get(id).is_some_and(|plan| plan.disks.iter().any(|disk| disk.id == disk_id))
    }

    pub(super) fn keep(&self, vm: &VmPlan) -> Result<()> {
        let inner = &mut *self.inner();
        inner.plans.insert(vm.id.clone(), vm.clone());
        let known = inner.machines.get(&vm.id);
        if known.is_some_and(|record| record.hints == vm.hints && record.name == vm.name) {
            return Ok(());
        }
        let mut record = known.cloned().unwrap_or_default();
        record.name.clone_from(&vm.name);
        record.hints.clone_from(&vm.hints);
        inner.store.put(&vm.id, &record)?;
        inner.machines.insert(vm.id.clone(), record);
        Ok(())
    }

    /// Running machines only, as a real one's monitor would say.
    pub(super) fn set_running(&self, id: &str, from: State, to: State) -> Result<()> {
        let state = self.inner().machines.get(id).map(|record| record.state);
        match state {
            Some(state) if state == from || state == to => self.update(id, |record| record.state = to),
            _ => Err(Error::Monitor(format!("machine {id} is not running"))),
        }
    }
}

pub(super) fn boot(record: &mut Record, vm: &VmPlan) {
    let goes_on = std::mem::take(&mut record.saved);
    if record.state == State::Stopped && !goes_on {
        let VmPlan { id, name, vcpus, memory_mib, .. } = vm;
        let host = name.split('.').next().unwrap_or(name);
        record.console += &format!(
            "[    0.000000] Linux version 0.0.0-simulated\n\
             [    0.000000] DMI: OpenStack Foundation OpenStack Nova, {id}\n\
             [    0.010000] smpboot: {vcpus} CPUs, memory {memory_mib} MiB\n\
             [    1.000000] cloud-init: finished, {} network interfaces\n\n\
             {host} login: \n",
            vm.nics.len()
        );
    }
    record.state = State::Running;
}
