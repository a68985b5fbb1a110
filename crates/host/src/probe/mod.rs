//! Whether KVM can be used here. That `/dev/kvm` opens says little: a nested host may make machines and processors
//! and then run nothing but firmware on them. So a guest that does what kernels do is run, once per boot of the host.

mod payload;
#[cfg(test)]
mod tests;

use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::str::FromStr;
use std::time::Duration;

use camino::Utf8Path;
use rustix::fs::MemfdFlags;
use serde::{Deserialize, Serialize};

use crate::process::{self, Confinement};

/// The guest needs 20 ms where KVM works. The rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(3);
/// How QEMU ends when the guest wrote 0x2a to its exit port.
const SUCCESS: i32 = (0x2a << 1) | 1;
pub(crate) const KVM: &str = "/dev/kvm";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    Kvm,
    Tcg,
}

impl Accelerator {
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }
}

/// What the operator wants: the environment variable CUMULET_ACCEL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AcceleratorChoice {
    #[default]
    Auto,
    Kvm,
    Tcg,
}

impl std::fmt::Display for AcceleratorChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        })
    }
}

impl FromStr for AcceleratorChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" | "auto" => Ok(Self::Auto),
            "kvm" => Ok(Self::Kvm),
            "tcg" => Ok(Self::Tcg),
            other => Err(format!("accelerator `{other}` is not known: use kvm, tcg or auto")),
        }
    }
}

/// How machines run here, and why so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub accelerator: Accelerator,
    pub reason: String,
}

/// A verdict holds as long as the kernel runs and QEMU is the same.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    boot_id: String,
    qemu: String,
    verdict: Verdict,
}

/// Asks the choice, then the file `memory`, then KVM itself. Takes no longer than [`LIMIT`] by much.
pub(crate) async fn decide(
    choice: AcceleratorChoice,
    memory: &Utf8Path,
    binary: &str,
    version: &str,
    user: Option<u32>,
) -> Verdict {
    let chosen = |accelerator| Verdict { accelerator, reason: "chosen by the operator".into() };
    match choice {
        AcceleratorChoice::Kvm => return chosen(Accelerator::Kvm),
        AcceleratorChoice::Tcg => return chosen(Accelerator::Tcg),
        AcceleratorChoice::Auto => {}
    }
    let boot_id = tokio::fs::read_to_string("/proc/sys/kernel/random/boot_id").await.unwrap_or_default();
    if let Ok(bytes) = tokio::fs::read(memory).await
        && let Ok(known) = serde_json::from_slice::<Remembered>(&bytes)
        && known.boot_id == boot_id
        && known.qemu == version
    {
        return known.verdict;
    }
    let verdict = match try_kvm(binary, user).await {
        Ok(()) => Verdict { accelerator: Accelerator::Kvm, reason: "a test guest ran on KVM".into() },
        Err(reason) => Verdict { accelerator: Accelerator::Tcg, reason },
    };
    let remembered = Remembered { boot_id, qemu: version.into(), verdict: verdict.clone() };
    if let Ok(bytes) = serde_json::to_vec_pretty(&remembered)
        && let Err(error) = tokio::fs::write(memory, bytes).await
    {
        tracing::warn!(%error, path = %memory, "the accelerator's verdict could not be kept");
    }
    verdict
}

async fn try_kvm(binary: &str, user: Option<u32>) -> Result<(), String> {
    if !cfg!(target_arch = "x86_64") {
        return Err("there is no KVM test for this architecture".into());
    }
    if let Err(error) = std::fs::metadata(KVM) {
        return Err(format!("{KVM} cannot be used: {error}"));
    }
    run_guest(binary, user, "kvm", "host").await
}

/// As [`decide`] finds out by itself, without remembering it.
pub(crate) async fn kvm() -> crate::survey::Kvm {
    use crate::survey::Kvm;
    match std::fs::OpenOptions::new().read(true).write(true).open(KVM) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Kvm::NoDevice,
        Err(error) => return Kvm::NoAccess(error.to_string()),
        Ok(_) => {}
    }
    let others = std::fs::metadata(KVM).map_or(0, |device| device.mode()) & 0o006;
    if crate::daemon::is_root() && kvm_groups().is_empty() && others != 0o006 {
        return Kvm::NoAccess("only root may open it, and virtual machines do not run as root".to_owned());
    }
    // A user that no machine has: the number before the first one's.
    let user = crate::daemon::is_root().then_some(0x62_ffff);
    match try_kvm("qemu-system-x86_64", user).await {
        Ok(()) => Kvm::Works,
        Err(reason) => Kvm::Fails(reason),
    }
}

/// Groups a machine's process needs to open /dev/kvm.
pub(crate) fn kvm_groups() -> Vec<u32> {
    match std::fs::metadata(KVM) {
        Ok(device) if device.gid() != 0 && device.mode() & 0o060 == 0o060 => vec![device.gid()],
        _ => Vec::new(),
    }
}

async fn run_guest(binary: &str, user: Option<u32>, accelerator: &str, cpu: &str) -> Result<(), String> {
    let guest = rustix::fs::memfd_create("cumulet-probe", MemfdFlags::CLOEXEC)
        .and_then(|file| rustix::io::write(&file, payload::bytes()).map(|_| file))
        .map_err(|error| format!("the test guest could not be written: {error}"))?;
    let mut confinement = Confinement { user, groups: kvm_groups(), ..Confinement::default() };
    confinement.keep(&guest);
    let kernel = format!("/proc/self/fd/{}", guest.as_raw_fd());
    let arguments = [
        "-nodefaults -no-user-config -display none -machine q35 -m 32 -no-reboot",
        "-device isa-debug-exit,iobase=0xf4,iosize=1",
        "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    ];
    let mut arguments: Vec<String> =
        arguments.iter().flat_map(|part| part.split(' ')).map(str::to_owned).collect();
    for (option, value) in [("-accel", accelerator), ("-cpu", cpu), ("-kernel", &kernel)] {
        arguments.extend([option.to_owned(), value.to_owned()]);
    }
    let ran = process::run(binary, "qemu-system-x86", &arguments, confinement, LIMIT).await;
    let output = ran.map_err(|error| match error {
        crate::Error::Command { status, .. } => format!("the test guest on KVM: {status}"),
        other => other.to_string(),
    })?;
    if output.code == Some(SUCCESS) {
        return Ok(());
    }
    let why = output.stderr.lines().next().unwrap_or("no message").to_owned();
    Err(format!("the test guest on KVM failed with {}: {why}", output.status))
}
