//! Copies of root disks: by QEMU while the machine runs, by qemu-img while it does not.

use std::fs::{File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use camino::Utf8Path;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::launch::image_of;
use super::machine::Machine;
use super::paths::VmFiles;
use crate::driver::no_root;
use crate::files::{self, flatten};
use crate::plan::VmPlan;
use crate::process::file_error;
use crate::qmp::Client;
use crate::{DiskImage, Error, Result};

/// Of the job, its block node and its files in QEMU.
const NAME: &str = "snapshot";
const LOOK: Duration = Duration::from_millis(20);

/// Of a stopped machine.
pub(super) async fn offline(vm: &VmPlan, files: &VmFiles, to: &Utf8Path) -> Result<DiskImage> {
    let root = vm.root.as_ref().ok_or_else(no_root)?;
    let image = image_of(root, files);
    let bytes = flatten(&files.disk(), &image, &root.image_format, to).await?;
    Ok(DiskImage { format: "qcow2".into(), virtual_size: bytes })
}

impl Machine {
    /// The disk as it was at one instant, while the machine runs on. Its file systems hold still at that instant if
    /// an agent in the guest can make them.
    pub(super) async fn copy_disk(&self, to: &Utf8Path) -> Result<DiskImage> {
        let monitor = self.monitor(super::GREETING_LIMIT).await?;
        abandon(&monitor).await;
        let bytes = files::virtual_size(&self.files.disk())?;
        files::create_empty(to, bytes).await?;
        let file = OpenOptions::new().read(true).write(true).mode(0o600).open(to);
        let file = file.map_err(|error| file_error("opening", to, error))?;
        let name = self.hand_over(&monitor, file.into(), NAME).await?;
        let node = json!({
            "driver": "qcow2", "node-name": NAME, "discard": "unmap",
            "file": {"driver": "file", "filename": name, "discard": "unmap"},
        });
        monitor.execute("blockdev-add", node).await?;
        let job = json!({
            "job-id": NAME, "device": "root", "target": NAME, "sync": "full", "auto-dismiss": false,
        });
        let begin = {
            let monitor = monitor.clone();
            async move { Ok(monitor.execute("blockdev-backup", job).await?) }
        };
        self.while_quiet(&monitor, begin).await?;
        let copied = ended(&monitor).await;
        abandon(&monitor).await;
        copied?;
        // QEMU closed the file with its node; the copy is to survive a crash of this machine as well.
        let synced = File::open(to).and_then(|file| file.sync_all());
        synced.map_err(|error| file_error("writing", to, error))?;
        Ok(DiskImage { format: "qcow2".into(), virtual_size: bytes })
    }

    /// Gives QEMU an open file; the answer is the name by which it opens it.
    pub(super) async fn hand_over(&self, monitor: &Client, file: OwnedFd, purpose: &str) -> Result<String> {
        let told = monitor.execute_with_files("add-fd", json!({"opaque": purpose}), vec![file]).await?;
        let set = told["fdset-id"].as_u64().ok_or_else(|| Error::Monitor("a file got no number".into()))?;
        Ok(format!("/dev/fdset/{set}"))
    }
}

/// Takes back the files that were handed over for this purpose.
pub(super) async fn take_back(monitor: &Client, purpose: &str) {
    let Ok(sets) = monitor.execute("query-fdsets", Value::Null).await else { return };
    for set in sets.as_array().into_iter().flatten() {
        let files = set["fds"].as_array();
        if files.is_some_and(|files| files.iter().any(|file| file["opaque"] == purpose)) {
            drop(monitor.execute("remove-fd", json!({"fdset-id": set["fdset-id"]})).await);
        }
    }
}

/// Removes what a snapshot leaves in QEMU, also one that was cut off.
async fn abandon(monitor: &Client) {
    if let Ok(Some(_)) = job(monitor).await {
        drop(monitor.execute("job-cancel", json!({"id": NAME})).await);
        drop(ended(monitor).await);
    }
    drop(monitor.execute("job-dismiss", json!({"id": NAME})).await);
    drop(monitor.execute("blockdev-del", json!({"node-name": NAME})).await);
    take_back(monitor, NAME).await;
}

async fn job(monitor: &Client) -> Result<Option<Value>> {
    let jobs = monitor.execute("query-jobs", Value::Null).await?;
    Ok(jobs.as_array().and_then(|jobs| jobs.iter().find(|job| job["id"] == NAME)).cloned())
}

async fn ended(monitor: &Client) -> Result<()> {
    loop {
        let Some(job) = job(monitor).await? else {
            return Err(Error::Monitor("the copy of the disk vanished".into()));
        };
        if job["status"] == "concluded" {
            return match job["error"].as_str() {
                Some(why) => Err(Error::Monitor(format!("the disk could not be copied: {why}"))),
                None => Ok(()),
            };
        }
        sleep(LOOK).await;
    }
}
