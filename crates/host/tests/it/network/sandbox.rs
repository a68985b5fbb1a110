//! A host of the test's own.

use std::process::Command;
use std::time::{Duration, Instant};

use host::network::{LinuxNetwork, Options};
use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::thread::UnshareFlags;

pub struct Sandbox {
    pub network: LinuxNetwork,
}

impl Sandbox {
    /// Runs a test on a host of its own: network and mounts of this thread and all that it starts are private.
    pub fn run<F: AsyncFnOnce(Self)>(test: F) {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: real namespaces need root");
            return;
        }
        #[allow(unsafe_code)]
        // SAFETY: only namespaces of this thread change, before it starts any other.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET | UnshareFlags::NEWNS) }.unwrap();
        rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
            .unwrap();
        std::fs::create_dir_all("/run/netns").unwrap();
        rustix::mount::mount("tmpfs", "/run/netns", "tmpfs", MountFlags::empty(), None).unwrap();
        command("ip", &["link", "set", "lo", "up"]);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(test(Self { network: Self::driver() }));
    }

    /// A driver without memory, as after a restart of the daemon.
    pub fn driver() -> LinuxNetwork {
        LinuxNetwork::new(Options { prefix: "test".into(), host_nat: true, ledger: None }).unwrap()
    }
}

/// Waits until it is so.
pub async fn within(seconds: u64, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while !holds().await {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Runs a program in the thread's namespace; panics unless it succeeds.
pub fn command(program: &str, arguments: &[&str]) -> String {
    let (success, output) = try_command(program, arguments);
    assert!(success, "{program} {arguments:?}: {output}");
    output
}

/// Whether it succeeded, and all that it said.
pub fn try_command(program: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

pub fn have(program: &str, package: &str) -> bool {
    let there = Command::new(program).arg("--help").output().is_ok();
    if !there {
        eprintln!("SKIPPED: {program} is missing: install the Debian package {package}");
    }
    there
}
