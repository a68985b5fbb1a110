//! Where the machine underneath is short of something.

use std::sync::Arc;

use camino::Utf8PathBuf;
use host::plan::Limits;
use host::qemu::QemuHypervisor;
use host::{Error, Hypervisor, VmState};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::thread::UnshareFlags;

use super::{House, ID, NoTaps, until, up};

/// A socket's address has room for 108 bytes.
#[tokio::test]
async fn a_deep_data_directory_is_no_obstacle() {
    let Some(house) = House::new() else { return };
    let mut options = house.options();
    // Below the usual place, for the house to find and end what runs there.
    options.data_dir = house.path("data");
    let deep = house.path(&"d".repeat(200));
    std::os::unix::fs::symlink(house.path("data"), &deep).unwrap();
    std::fs::create_dir(house.path("data")).unwrap();
    options.data_dir = deep;
    let host = QemuHypervisor::new(options, Arc::new(NoTaps)).await.unwrap();
    host.start(&house.vm()).await.unwrap();
    up(&host, 1).await;
    host.destroy(ID).await.unwrap();
}

#[tokio::test]
async fn a_flavors_limits_are_the_processs() {
    let Some(house) = House::new() else { return };
    let cpu = Utf8PathBuf::from("/sys/fs/cgroup/cpu");
    if !rustix::process::geteuid().is_root() || !cpu.join("cgroup.procs").exists() {
        eprintln!("SKIPPED: no control groups of version 1 to look at");
        return;
    }
    let (host, mut vm) = (house.host().await, house.vm());
    vm.limits = Limits { cpu_shares: Some(512), cpu_quota: Some(90_000), cpu_period: Some(100_000) };
    host.start(&vm).await.unwrap();
    let read = |path: &str| std::fs::read_to_string(path).unwrap().trim().to_owned();
    let group = format!("/{}/{ID}", house.label());
    let joined = read(&format!("/proc/{}/cgroup", house.pid()));
    assert!(joined.lines().filter(|line| line.ends_with(&group)).count() >= 2, "{joined}");
    let own = format!("{cpu}{group}");
    assert_eq!(read(&format!("{own}/cpu.shares")), "512");
    assert_eq!(read(&format!("{own}/cpu.cfs_quota_us")), "90000");
    let memory = read(&format!("/sys/fs/cgroup/memory{group}/memory.limit_in_bytes"));
    assert_eq!(memory, ((64 + 128 + 1024_u64) << 20).to_string());
    host.destroy(ID).await.unwrap();
    until("the group goes with its machine", async || (!Utf8PathBuf::from(&own).exists()).then_some(()))
        .await;
}

/// A thread with a view of the file system of its own, where `path` holds `kib` and no more.
fn on_a_small_disk(path: Utf8PathBuf, kib: u32, work: impl FnOnce() + Send + 'static) {
    std::fs::create_dir(&path).unwrap();
    let thread = std::thread::spawn(move || {
        // SAFETY: only this thread's view of mounts changes, and it ends with this closure.
        #[allow(unsafe_code)]
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }.unwrap();
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
        let size = std::ffi::CString::new(format!("size={kib}k")).unwrap();
        mount("tmpfs", path.as_str(), "tmpfs", MountFlags::empty(), Some(size.as_c_str())).unwrap();
        work();
    });
    thread.join().unwrap();
}

#[test]
fn a_full_disk_is_told_as_such_and_nothing_half_made_stays() {
    let Some(house) = House::new() else { return };
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: a small disk can be made by root only");
        return;
    }
    // The overlay fails on the first, the config drive on the second.
    for (name, kib) in [("tiny", 64), ("small", 300)] {
        let (mut options, vm) = (house.options(), house.vm());
        options.data_dir = house.path(name);
        on_a_small_disk(house.path(name), kib, move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let host = QemuHypervisor::new(options.clone(), Arc::new(NoTaps)).await.unwrap();
                let error = host.start(&vm).await.unwrap_err();
                assert!(matches!(error, Error::DiskFull { .. }), "{error:?}");
                assert_eq!(host.state(ID).await.unwrap(), VmState::Stopped);
                let left = std::fs::read_dir(options.data_dir.join("vms").join(ID)).unwrap();
                let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
                assert!(left.iter().all(|name| !name.to_str().unwrap().ends_with(".part")), "{left:?}");
                host.destroy(ID).await.unwrap();
                assert!(host.list().await.unwrap().is_empty());
            });
        });
    }
}
