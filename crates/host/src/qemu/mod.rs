//! Real machines: one QEMU process each, which outlives this one.
//!
//! ```text
//!   <data_dir>/vms/<id>/   vm.json (who it runs as, its slots)  image  disk.qcow2  config.img  console.log  qemu.log
//!                          ephemeral0.img, swap0.img: if the flavor has them
//!                          pid  *.sock; rescue*: while in rescue; disk-before.qcow2: until a resize is confirmed;
//!                          memory.img: while suspended; frozen: while its guest's file systems are
//!
//!   absent ──prepare──► stopped ──start──► running ◄──pause/resume──► paused
//!      ▲                  ▲ ▲                 │
//!      │                  │ └─── suspend ─────┤ (the next start goes on)
//!      └──────destroy─────┴── power-off, stop, kill ──┘
//! ```
//!
//! A machine is found again by its pid file, the id in its arguments and its monitor's socket; nothing else is
//! remembered. Its process runs as a user of its own, in an empty network namespace, under seccomp, and owns no
//! file: disks, taps and sockets come to it open.

mod agent;
mod argv;
mod blank;
mod capacity;
mod console;
mod diagnostics;
mod drive;
mod hotplug;
mod launch;
mod machine;
mod mend;
mod options;
mod paths;
mod quiesce;
mod rebase;
mod record;
mod resize;
mod shared;
mod slots;
mod snapshot;
mod suspend;
mod switch;
#[cfg(test)]
mod tests;
mod viewer;
mod volume;

pub use options::{Options, TapSource};

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use camino::Utf8Path;
use tokio::sync::{OnceCell, broadcast};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::blank::Blank;
use self::machine::Machine;
use self::paths::VmFiles;
use self::record::{Record, Users};
use self::shared::{Shared, forget_process, ids, lock, make_private_dir};
use self::slots::Slots;
use crate::driver::no_root;
use crate::files::remove;
use crate::ledger::Thing;
use crate::plan::{DiskPlan, NicPlan, RescuePlace, VmPlan};
use crate::probe::Verdict;
use crate::process::{Groups, file_error};
use crate::{Capacity, Console, Diagnostics, DiskImage, Error, Hypervisor, Result, VmState};

const PACKAGE: &str = "qemu-system-x86";
const GIB: u64 = 1 << 30;
/// From the start of the process to the monitor's greeting. 60 ms on an idle machine.
const GREETING_LIMIT: Duration = Duration::from_secs(60);

/// The driver of real machines. Dropping it leaves them running.
pub struct QemuHypervisor {
    shared: Arc<Shared>,
    taps: Arc<dyn TapSource>,
    _close: DropGuard,
}

impl QemuHypervisor {
    /// Adopts the machines that run already. The KVM test goes on in the background; the first start waits for it.
    ///
    /// # Errors
    /// QEMU is not installed, or the data directory cannot be written.
    pub async fn new(options: Options, taps: Arc<dyn TapSource>) -> Result<Self> {
        let vms = options.data_dir.join("vms");
        make_private_dir(&vms)?;
        let version = capacity::version(&options.binary).await?;
        let closing = CancellationToken::new();
        let shared = Arc::new(Shared {
            groups: Arc::new(Groups::new(&options.label)),
            users: Mutex::new(Users::scan(options.first_user, &vms)),
            running: Mutex::default(),
            images: Mutex::default(),
            fallen: Mutex::default(),
            verdict: OnceCell::new(),
            io_uring: OnceCell::new(),
            changes: broadcast::channel(1024).0,
            closing: closing.clone(),
            vms,
            version,
            options,
        });
        for id in ids(&shared.vms)? {
            match Machine::find(&id, VmFiles::new(&shared.vms, &id)?).await {
                Ok(Some(machine)) => drop(shared.adopt(machine)),
                Ok(None) => shared.look_at_remains(&id)?,
                Err(error) => tracing::warn!(machine = id, %error, "a machine could not be looked at"),
            }
        }
        let probe = Arc::clone(&shared);
        tokio::spawn(async move {
            let verdict = probe.verdict().await;
            tracing::info!(
                accelerator = verdict.accelerator.name(),
                reason = verdict.reason,
                "machines run by"
            );
        });
        Ok(Self { shared, taps, _close: closing.drop_guard() })
    }

    /// How machines run here, and why. Waits for the KVM test.
    pub async fn accelerator(&self) -> Verdict {
        self.shared.verdict().await.clone()
    }

    async fn launch(&self, vm: &VmPlan) -> Result<()> {
        let shared = &self.shared;
        let files = VmFiles::new(&shared.vms, &vm.id)?;
        let mut record = Record::read(&files)
            .ok_or_else(|| Error::Monitor(format!("machine {} has not been prepared", vm.id)))?;
        let saved = files.memory().exists();
        let displaced = vm.rescue.as_ref().is_some_and(|rescue| rescue.place == RescuePlace::First);
        let before = match saved || record.slots.displaced() == displaced {
            true => std::mem::take(&mut record.slots),
            false => Slots::default(),
        };
        let spare = slots::spare_ports(shared.verdict().await.accelerator);
        record.slots = before.arrange(&slots::devices(vm), spare, saved);
        record.write(&files)?;
        let mut taps = Vec::with_capacity(vm.nics.len());
        for nic in &vm.nics {
            taps.push(self.taps.open_tap(nic).await?);
        }
        let state = if saved { Some(suspend::send(&files.memory())?) } else { None };
        if !saved {
            remove(&files.frozen())?;
        }
        let process = launch::launch(shared, vm, &files, &record, taps, state).await?;
        let machine = Machine::new(&vm.id, files, process);
        let up = async {
            machine.monitor(GREETING_LIMIT).await?;
            match saved {
                // The guest knows the size that its disk had.
                true => machine.wake_up().await,
                // Its firmware has not looked at the disk yet.
                false => resize::grow(&machine, vm).await,
            }
        };
        let greeted = tokio::select! {
            greeted = up => greeted,
            () = machine.process.ended() => Err(launch::ended_early(&machine.files)),
        };
        match greeted {
            Ok(()) => {
                shared.adopt(machine);
                Ok(())
            }
            Err(error) => {
                machine.kill().await?;
                forget_process(&machine.files);
                // The broken connection is an effect; what QEMU said on its way out is the cause.
                let silent = std::fs::metadata(machine.files.log()).is_ok_and(|log| log.len() == 0);
                Err(if silent { error } else { launch::ended_early(&machine.files) })
            }
        }
    }

    /// Remembers which devices sit where, after one came or went.
    fn change_slots<T>(&self, id: &str, change: impl FnOnce(&mut Slots) -> Result<T>) -> Result<T> {
        let files = VmFiles::new(&self.shared.vms, id)?;
        let mut record = Record::read(&files)
            .ok_or_else(|| Error::Monitor(format!("what machine {id} is made of is not known any more")))?;
        let value = change(&mut record.slots)?;
        record.write(&files)?;
        Ok(value)
    }

    fn expect_running(&self, id: &str) -> Result<Arc<Machine>> {
        self.shared.running(id).ok_or_else(|| Error::Monitor(format!("machine {id} is not running")))
    }
}

#[async_trait]
impl Hypervisor for QemuHypervisor {
    async fn prepare(&self, vm: &VmPlan) -> Result<()> {
        self.shared.prepare(vm).await
    }

    async fn start(&self, vm: &VmPlan) -> Result<()> {
        if let Some(machine) = self.shared.running(&vm.id) {
            if machine.goes_on().await? {
                return resize::grow(&machine, vm).await;
            }
            // Its suspension or its way back was cut off: what counts is in the file.
            machine.silence();
            machine.kill().await?;
            self.shared.ended(&machine);
        }
        self.shared.prepare(vm).await?;
        self.launch(vm).await
    }

    async fn stop(&self, id: &str, grace: Option<Duration>) -> Result<()> {
        self.shared.stop(id, grace).await
    }

    /// Soft as Nova means it: the guest shuts down, then a new process starts.
    async fn reboot(&self, vm: &VmPlan, hard: bool) -> Result<()> {
        let grace = (!hard).then_some(self.shared.options.reboot_grace);
        self.shared.stop(&vm.id, grace).await?;
        self.start(vm).await
    }

    async fn pause(&self, id: &str) -> Result<()> {
        self.expect_running(id)?.execute("stop").await.map(drop)
    }

    async fn resume(&self, id: &str) -> Result<()> {
        self.expect_running(id)?.execute("cont").await.map(drop)
    }

    async fn destroy(&self, id: &str) -> Result<()> {
        let files = VmFiles::new(&self.shared.vms, id)?;
        if let Some(machine) = self.shared.running(id) {
            machine.silence();
            machine.kill().await?;
            self.shared.ended(&machine);
        }
        self.shared.groups.leave(id);
        self.shared.groups.clear(id).await;
        let record = Record::read(&files);
        match tokio::fs::remove_dir_all(files.dir()).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(file_error("removing", files.dir(), error));
            }
            _ => {}
        }
        if let Some(record) = record {
            lock(&self.shared.users).give_back(record.user);
        }
        if let Some(ledger) = &self.shared.options.ledger {
            ledger.forget(&Thing::Machine { id: id.to_owned() })?;
        }
        Ok(())
    }

    async fn state(&self, id: &str) -> Result<VmState> {
        let files = VmFiles::new(&self.shared.vms, id)?;
        if let Some(machine) = self.shared.running(id) {
            match machine.state().await {
                // It ended while it was asked.
                Err(_) if machine.process.has_ended() => self.shared.ended(&machine),
                state => return state,
            }
        }
        Ok(if files.dir().exists() { VmState::Stopped } else { VmState::Absent })
    }

    fn fell(&self, id: &str) -> bool {
        lock(&self.shared.fallen).contains(id)
    }

    async fn list(&self) -> Result<Vec<String>> {
        ids(&self.shared.vms)
    }

    async fn console_log(&self, id: &str, lines: Option<usize>) -> Result<String> {
        let files = VmFiles::new(&self.shared.vms, id)?;
        console::read(&files.console(), lines, self.shared.options.console_limit)
    }

    async fn resize(&self, vm: &VmPlan) -> Result<()> {
        resize::keep(vm, &VmFiles::new(&self.shared.vms, &vm.id)?).await
    }

    async fn settle_resize(&self, id: &str, revert: bool) -> Result<()> {
        resize::settle(&VmFiles::new(&self.shared.vms, id)?, revert)
    }

    async fn reset(&self, id: &str) -> Result<()> {
        let files = VmFiles::new(&self.shared.vms, id)?;
        let all = [
            files.memory(),
            files.kept_disk(),
            files.rescue_disk(),
            files.rescue_image(),
            files.rescue_drive(),
            files.config_drive(),
            Blank::Ephemeral.file(&files),
            Blank::Swap.file(&files),
            files.disk(),
            files.image(),
        ];
        all.iter().try_for_each(|path| remove(path))
    }

    async fn suspend(&self, id: &str) -> Result<()> {
        let Some(machine) = self.shared.running(id) else {
            let files = VmFiles::new(&self.shared.vms, id)?;
            return match files.memory().exists() {
                true => Ok(()),
                false => Err(Error::Monitor(format!("machine {id} is not running"))),
            };
        };
        machine.save().await?;
        machine.silence();
        machine.quit().await?;
        self.shared.ended(&machine);
        Ok(())
    }

    async fn snapshot(&self, vm: &VmPlan, to: &Utf8Path) -> Result<DiskImage> {
        match self.shared.running(&vm.id) {
            Some(_) if vm.root.is_none() => Err(no_root()),
            Some(machine) => machine.copy_disk(to).await,
            None => snapshot::offline(vm, &VmFiles::new(&self.shared.vms, &vm.id)?, to).await,
        }
    }

    async fn plug_nic(&self, id: &str, nic: &NicPlan) -> Result<()> {
        let Some(machine) = self.shared.running(id) else { return Ok(()) };
        let device = slots::nic(&nic.port_id);
        if machine.has_device(&device).await? {
            return Ok(());
        }
        let port = self.change_slots(id, |slots| slots.take(&device))?;
        let tap = self.taps.open_tap(nic).await?;
        machine.add_nic(nic, tap, port).await
    }

    async fn unplug_nic(&self, id: &str, port_id: &str) -> Result<()> {
        let Some(machine) = self.shared.running(id) else { return Ok(()) };
        machine.remove_nic(port_id).await?;
        self.change_slots(id, |slots| {
            slots.give_back(&slots::nic(port_id));
            Ok(())
        })
    }

    async fn plug_disk(&self, id: &str, disk: &DiskPlan) -> Result<()> {
        let Some(machine) = self.shared.running(id) else { return Ok(()) };
        let device = slots::volume(&disk.id);
        if machine.has_device(&device).await? {
            return Ok(());
        }
        let port = self.change_slots(id, |slots| slots.take(&device))?;
        machine.add_disk(disk, port, self.shared.disk_access().await).await
    }

    async fn unplug_disk(&self, id: &str, disk_id: &str) -> Result<()> {
        let Some(machine) = self.shared.running(id) else { return Ok(()) };
        machine.remove_disk(disk_id).await?;
        self.change_slots(id, |slots| {
            slots.give_back(&slots::volume(disk_id));
            Ok(())
        })
    }

    async fn switch_disk(&self, id: &str, disk: &DiskPlan) -> Result<()> {
        let Some(machine) = self.shared.running(id) else { return Ok(()) };
        machine.switch_disk(disk, self.shared.disk_access().await).await
    }

    async fn rebase_disk(&self, id: &str, disk: &DiskPlan) -> Result<()> {
        let Some(machine) = self.shared.running(id) else { return Ok(()) };
        machine.rebase_disk(disk, self.shared.disk_access().await).await
    }

    async fn grow_disk(&self, id: &str, disk: &DiskPlan, bytes: u64) -> Result<bool> {
        let Some(machine) = self.shared.running(id) else { return Ok(false) };
        machine.grow_disk(disk, bytes).await
    }

    async fn interrupt(&self, id: &str) -> Result<()> {
        self.expect_running(id)?.execute("inject-nmi").await.map(drop)
    }

    async fn set_password(&self, id: &str, user: &str, password: &str) -> Result<()> {
        let machine = self.expect_running(id)?;
        let monitor = machine.monitor(GREETING_LIMIT).await?;
        agent::connect(&monitor, &machine.files).await?.set_password(user, password).await
    }

    async fn diagnostics(&self, vm: &VmPlan) -> Result<Diagnostics> {
        self.expect_running(&vm.id)?.counters(vm, &*self.taps).await
    }

    async fn console(&self, id: &str, console: Console) -> Result<tokio::net::UnixStream> {
        viewer::connect(&*self.expect_running(id)?, console).await
    }

    async fn capacity(&self) -> Result<Capacity> {
        capacity::of(&self.shared).await
    }

    fn changes(&self) -> broadcast::Receiver<String> {
        self.shared.changes.subscribe()
    }
}
