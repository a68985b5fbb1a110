//! What a host is asked to do with its machines, and does in memory.

use std::time::Duration;

use async_trait::async_trait;
use camino::Utf8Path;
use tokio::sync::broadcast;

use super::Operation;
use super::machines::{FakeHypervisor, boot};
use super::store::State;
use crate::plan::{DiskPlan, NicPlan, VmPlan};
use crate::process::file_error;
use crate::{
    Capacity, Console, Diagnostics, DiskCounters, DiskImage, Error, Hypervisor, NicCounters, Result, VmState,
};

const EMPTY_DISK: usize = 1 << 20;

#[async_trait]
impl Hypervisor for FakeHypervisor {
    async fn prepare(&self, vm: &VmPlan) -> Result<()> {
        self.pass(Operation::Prepare, vm).await?;
        self.keep(vm)
    }

    async fn start(&self, vm: &VmPlan) -> Result<()> {
        self.keep(vm)?;
        self.pass(Operation::Start, vm).await?;
        self.update(&vm.id, |record| boot(record, vm))
    }

    async fn stop(&self, id: &str, _grace: Option<Duration>) -> Result<()> {
        self.pass_id(Operation::Stop, id).await?;
        if !self.inner().machines.contains_key(id) {
            return Ok(());
        }
        self.update(id, |record| {
            record.state = State::Stopped;
            record.saved = false;
        })
    }

    async fn reboot(&self, vm: &VmPlan, _hard: bool) -> Result<()> {
        self.keep(vm)?;
        self.pass(Operation::Reboot, vm).await?;
        self.update(&vm.id, |record| {
            record.state = State::Stopped;
            record.saved = false;
            boot(record, vm);
        })
    }

    async fn pause(&self, id: &str) -> Result<()> {
        self.pass_id(Operation::Pause, id).await?;
        self.set_running(id, State::Running, State::Paused)
    }

    async fn resume(&self, id: &str) -> Result<()> {
        self.pass_id(Operation::Resume, id).await?;
        self.set_running(id, State::Paused, State::Running)
    }

    async fn destroy(&self, id: &str) -> Result<()> {
        self.pass_id(Operation::Destroy, id).await?;
        let inner = &mut *self.inner();
        inner.store.remove(id)?;
        inner.machines.remove(id);
        inner.plans.remove(id);
        inner.grown.retain(|(machine, _), _| machine != id);
        Ok(())
    }

    async fn state(&self, id: &str) -> Result<VmState> {
        Ok(match self.inner().machines.get(id).map(|record| record.state) {
            Some(State::Running) => VmState::Running,
            Some(State::Paused) => VmState::Paused,
            Some(State::Stopped) => VmState::Stopped,
            None => VmState::Absent,
        })
    }

    /// These machines have no process.
    fn fell(&self, _id: &str) -> bool {
        false
    }

    async fn list(&self) -> Result<Vec<String>> {
        let mut ids: Vec<_> = self.inner().machines.keys().cloned().collect();
        ids.sort();
        Ok(ids)
    }

    async fn console_log(&self, id: &str, lines: Option<usize>) -> Result<String> {
        let inner = self.inner();
        let text = inner.machines.get(id).map_or("", |record| &record.console);
        let kept: Vec<_> = text.split_inclusive('\n').collect();
        let first = lines.map_or(0, |lines| kept.len().saturating_sub(lines));
        Ok(kept[first..].concat())
    }

    async fn resize(&self, vm: &VmPlan) -> Result<()> {
        self.pass(Operation::Resize, vm).await
    }

    async fn settle_resize(&self, id: &str, _revert: bool) -> Result<()> {
        self.pass_id(Operation::Resize, id).await
    }

    async fn reset(&self, id: &str) -> Result<()> {
        self.pass_id(Operation::Reset, id).await?;
        match self.state(id).await? {
            VmState::Absent => Ok(()),
            _ => self.update(id, |record| record.console.clear()),
        }
    }

    async fn suspend(&self, id: &str) -> Result<()> {
        self.pass_id(Operation::Suspend, id).await?;
        if self.inner().machines.get(id).is_some_and(|record| record.saved) {
            return Ok(());
        }
        self.set_running(id, State::Running, State::Stopped)?;
        self.update(id, |record| record.saved = true)
    }

    /// What a guest writes is nowhere, so its disk is its image; and nothing much when that was deleted meanwhile.
    async fn snapshot(&self, vm: &VmPlan, to: &Utf8Path) -> Result<DiskImage> {
        self.pass(Operation::Snapshot, vm).await?;
        let root = vm.root.as_ref().ok_or_else(crate::driver::no_root)?;
        let failed = |error| file_error("copying the disk to", to, error);
        match tokio::fs::copy(&root.image, to).await {
            Ok(bytes) => Ok(DiskImage { format: root.image_format.clone(), virtual_size: bytes }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                tokio::fs::write(to, vec![0; EMPTY_DISK]).await.map_err(failed)?;
                Ok(DiskImage { format: "raw".into(), virtual_size: EMPTY_DISK as u64 })
            }
            Err(error) => Err(failed(error)),
        }
    }

    async fn plug_nic(&self, id: &str, nic: &NicPlan) -> Result<()> {
        self.pass_id(Operation::Plug, id).await?;
        self.change_plan(id, |vm| {
            if !vm.nics.iter().any(|n| n.port_id == nic.port_id) {
                vm.nics.push(nic.clone());
            }
        });
        Ok(())
    }

    async fn unplug_nic(&self, id: &str, port_id: &str) -> Result<()> {
        self.pass_id(Operation::Unplug, id).await?;
        self.change_plan(id, |vm| vm.nics.retain(|n| n.port_id != port_id));
        Ok(())
    }

    async fn plug_disk(&self, id: &str, disk: &DiskPlan) -> Result<()> {
        self.pass_id(Operation::Plug, id).await?;
        self.change_plan(id, |vm| {
            if !vm.disks.iter().any(|d| d.id == disk.id) {
                vm.disks.push(disk.clone());
            }
        });
        Ok(())
    }

    async fn unplug_disk(&self, id: &str, disk_id: &str) -> Result<()> {
        self.pass_id(Operation::Unplug, id).await?;
        self.change_plan(id, |vm| vm.disks.retain(|d| d.id != disk_id));
        self.inner().grown.remove(&(id.to_owned(), disk_id.to_owned()));
        Ok(())
    }

    async fn switch_disk(&self, id: &str, disk: &DiskPlan) -> Result<()> {
        self.pass_id(Operation::SwitchDisk, id).await?;
        if self.has_open(id, &disk.id) {
            self.change_plan(id, |vm| {
                for there in vm.disks.iter_mut().filter(|there| there.id == disk.id) {
                    there.layers.clone_from(&disk.layers);
                }
            });
        }
        Ok(())
    }

    async fn rebase_disk(&self, id: &str, disk: &DiskPlan) -> Result<()> {
        self.pass_id(Operation::RebaseDisk, id).await?;
        if self.has_open(id, &disk.id) {
            self.change_plan(id, |vm| {
                for there in vm.disks.iter_mut().filter(|there| there.id == disk.id) {
                    there.layers.clone_from(&disk.layers);
                }
            });
        }
        Ok(())
    }

    async fn grow_disk(&self, id: &str, disk: &DiskPlan, bytes: u64) -> Result<bool> {
        self.pass_id(Operation::GrowDisk, id).await?;
        let open = self.has_open(id, &disk.id);
        if open {
            let mut inner = self.inner();
            let size = inner.grown.entry((id.to_owned(), disk.id.clone())).or_default();
            *size = bytes.max(*size);
        }
        Ok(open)
    }

    async fn interrupt(&self, id: &str) -> Result<()> {
        self.pass_id(Operation::Interrupt, id).await?;
        self.say(id, "Uhhuh. NMI received for unknown reason 30 on CPU 0.\n")
    }

    async fn set_password(&self, id: &str, user: &str, _password: &str) -> Result<()> {
        self.pass_id(Operation::Password, id).await?;
        self.say(id, &format!("The password of {user} was changed.\n"))
    }

    async fn diagnostics(&self, vm: &VmPlan) -> Result<Diagnostics> {
        let nics = vm.nics.iter().map(|nic| NicCounters {
            port_id: nic.port_id.clone(),
            mac: nic.mac.clone(),
            ..NicCounters::default()
        });
        let count = usize::from(vm.root.is_some()) + vm.disks.len();
        let disks = ('a'..='z').take(count).map(|letter| format!("vd{letter}"));
        Ok(Diagnostics {
            uptime_seconds: None,
            cpu_times: vec![None; usize::try_from(vm.vcpus).unwrap_or(0)],
            resident_mib: None,
            disks: disks.map(|name| DiskCounters { name, ..DiskCounters::default() }).collect(),
            nics: nics.collect(),
        })
    }

    async fn console(&self, id: &str, console: Console) -> Result<tokio::net::UnixStream> {
        let record = self.inner().machines.get(id).cloned();
        let record = record.filter(|record| record.state != State::Stopped);
        let record = record.ok_or_else(|| Error::Monitor(format!("machine {id} is not running")))?;
        super::console::connect(console, &record.name, record.console)
    }

    async fn capacity(&self) -> Result<Capacity> {
        Ok(Capacity {
            hostname: self.options.hostname.clone(),
            vcpus: self.options.vcpus,
            memory_mib: self.options.memory_mib,
            disk_gib: self.options.disk_gib,
            free_disk_gib: self.options.disk_gib,
            hypervisor_type: "fake".into(),
            hypervisor_version: 1_000_000,
            accelerator: "none".into(),
        })
    }

    fn changes(&self) -> broadcast::Receiver<String> {
        self.changes.subscribe()
    }
}
