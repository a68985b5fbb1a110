//! What this host has for machines, and which QEMU runs them.

use std::time::Duration;

use super::shared::Shared;
use super::{GIB, PACKAGE};
use crate::process::{Confinement, file_error, run};
use crate::{Capacity, Error, Result};

pub(super) async fn of(shared: &Shared) -> Result<Capacity> {
    let options = &shared.options;
    let disk = rustix::fs::statvfs(options.data_dir.as_std_path())
        .map_err(|error| file_error("measuring", &options.data_dir, error.into()))?;
    let host = rustix::system::uname();
    Ok(Capacity {
        hostname: host.nodename().to_string_lossy().into_owned(),
        vcpus: std::thread::available_parallelism().map_or(1, |count| count.get() as u32),
        memory_mib: memory_mib(),
        disk_gib: disk.f_blocks * disk.f_frsize / GIB,
        free_disk_gib: disk.f_bavail * disk.f_frsize / GIB,
        hypervisor_type: "QEMU".into(),
        hypervisor_version: version_number(&shared.version),
        accelerator: shared.verdict().await.accelerator.name().into(),
    })
}

/// Of the host.
pub(super) fn memory_mib() -> u64 {
    let memory = rustix::system::sysinfo();
    (memory.totalram as u64 * u64::from(memory.mem_unit)) >> 20
}

/// E.g. "10.0.2".
pub(super) async fn version(binary: &str) -> Result<String> {
    let arguments = ["--version".to_owned()];
    let output = run(binary, PACKAGE, &arguments, Confinement::default(), Duration::from_secs(10)).await?;
    let word = output.stdout.split_whitespace().nth(3);
    word.map(str::to_owned).ok_or_else(|| Error::Command {
        command: format!("{binary} --version"),
        status: output.status,
        stderr: output.stderr,
    })
}

/// As libvirt counts: 10.0.2 is 10000002.
pub(super) fn version_number(version: &str) -> u32 {
    let parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    parts.chain([0, 0]).take(3).fold(0, |number, part| number * 1000 + part)
}
