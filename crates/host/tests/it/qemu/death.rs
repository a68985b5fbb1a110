//! Ends that nobody asked for: of the guest, of its process, of the daemon.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use host::{Hypervisor, VmState};
use rustix::process::{Pid, Signal, kill_process};

use super::{House, ID, NoTaps, is_alive, until, up};

/// Set for the child of `machines_outlive_the_daemon`.
const DAEMON: &str = "CUMULET_TEST_DAEMON";

#[tokio::test]
async fn a_guest_that_powers_off_and_a_process_that_dies_are_noticed() {
    let Some(house) = House::new() else { return };
    let (host, vm) = (house.host().await, house.vm());
    let mut changes = host.changes();
    host.start(&vm).await.unwrap();
    up(&host, 1).await;
    house.type_in("o");
    let told = tokio::time::timeout(Duration::from_secs(20), changes.recv()).await;
    assert_eq!(told.unwrap().unwrap(), ID);
    assert_eq!(host.state(ID).await.unwrap(), VmState::Stopped);
    assert!(!house.vm_path("pid").exists() && !house.vm_path("qmp.sock").exists());

    host.start(&vm).await.unwrap();
    kill_process(Pid::from_raw(house.pid()).unwrap(), Signal::KILL).unwrap();
    let told = tokio::time::timeout(Duration::from_secs(20), changes.recv()).await;
    assert_eq!(told.unwrap().unwrap(), ID);
    assert_eq!(host.state(ID).await.unwrap(), VmState::Stopped);
    host.start(&vm).await.unwrap();
    assert_eq!(host.state(ID).await.unwrap(), VmState::Running);
}

/// The part of a daemon, in a process that will be killed: starts a machine and waits for its end.
#[tokio::test]
async fn daemon() {
    let Ok(data_dir) = std::env::var(DAEMON) else { return };
    let house = camino::Utf8PathBuf::from(data_dir);
    let mut options = host::qemu::Options::new(house.join("data"));
    options.label = super::label(&house);
    options.accelerator = host::AcceleratorChoice::Tcg;
    let host = host::qemu::QemuHypervisor::new(options, std::sync::Arc::new(NoTaps)).await.unwrap();
    let vm = host::plan::VmPlan {
        id: ID.into(),
        name: "test".into(),
        vcpus: 1,
        memory_mib: 64,
        root: Some(host::plan::RootDisk {
            image: house.join("image"),
            image_format: "raw".into(),
            size_gib: 1,
        }),
        nics: Vec::new(),
        ..host::plan::VmPlan::default()
    };
    host.start(&vm).await.unwrap();
    std::fs::write(house.join("started"), "").unwrap();
    std::future::pending::<()>().await;
}

fn spawn_daemon(house: &House) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "qemu::death::daemon", "--nocapture"])
        .env(DAEMON, house.path(""))
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Processes of QEMU that were started for a machine of this house.
fn processes(house: &House) -> Vec<i32> {
    // The kernel marks the name of a file that is removed while it is open.
    let image = house.vm_path("image");
    let pids = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        let files = std::fs::read_dir(format!("/proc/{pid}/fd"));
        is_alive(*pid)
            && *pid != i32::try_from(std::process::id()).unwrap()
            && files.is_ok_and(|files| {
                files.flatten().any(|file| {
                    let target = std::fs::read_link(file.path()).unwrap_or_default();
                    target.to_str().is_some_and(|target| target.starts_with(image.as_str()))
                })
            })
    })
    .collect()
}

#[tokio::test]
async fn a_daemon_killed_at_any_moment_of_a_start_leaves_nothing_unknown() {
    let Some(house) = House::new() else { return };
    for delay in [1, 8, 15, 22, 30, 40, 50, 65, 80, 120] {
        let mut daemon = spawn_daemon(&house);
        tokio::time::sleep(Duration::from_millis(delay)).await;
        daemon.kill().unwrap();
        daemon.wait().unwrap();

        let host = house.host().await;
        host.start(&house.vm()).await.unwrap();
        assert_eq!(host.state(ID).await.unwrap(), VmState::Running, "killed after {delay} ms");
        assert_eq!(processes(&house), [house.pid()], "killed after {delay} ms");
        host.destroy(ID).await.unwrap();
        assert!(processes(&house).is_empty() && host.list().await.unwrap().is_empty());
    }
}

/// A daemon that is killed between its fork and the child's exec leaves a process without a number for a moment.
#[tokio::test]
async fn a_process_that_is_not_qemu_yet_is_waited_for() {
    let Some(house) = House::new() else { return };
    let first = house.host().await;
    first.start(&house.vm()).await.unwrap();
    let (pid, number) = (house.pid(), std::fs::read(house.vm_path("pid")).unwrap());
    drop(first);
    std::fs::write(house.vm_path("pid"), "").unwrap();
    let file = house.vm_path("pid");
    let later = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        std::fs::write(file, number).unwrap();
    });
    let host = house.host().await;
    assert_eq!(host.state(ID).await.unwrap(), VmState::Running);
    later.join().unwrap();
    assert_eq!(house.pid(), pid);
    host.destroy(ID).await.unwrap();
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn machines_outlive_the_daemon_and_are_adopted() {
    let Some(house) = House::new() else { return };
    let mut daemon = spawn_daemon(&house);
    until("the machine starts", async || house.path("started").exists().then_some(())).await;
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    let pid = house.pid();
    assert!(is_alive(pid));

    let host = house.host().await;
    assert_eq!(host.state(ID).await.unwrap(), VmState::Running);
    up(&host, 1).await;
    let vm = house.vm();
    host.start(&vm).await.unwrap();
    assert_eq!(house.pid(), pid, "it is the same process still");

    // Its end is noticed although it is nobody's child.
    let mut changes = host.changes();
    house.type_in("o");
    let told = tokio::time::timeout(Duration::from_secs(20), changes.recv()).await;
    assert_eq!(told.unwrap().unwrap(), ID);
    assert_eq!(host.state(ID).await.unwrap(), VmState::Stopped);
}

#[tokio::test]
async fn an_end_while_nobody_watched_was_the_guests_own_or_a_fall() {
    let Some(house) = House::new() else { return };
    for killed in [false, true] {
        let (host, vm) = (house.host().await, house.vm());
        host.start(&vm).await.unwrap();
        assert!(!host.fell(ID));
        let line = if killed { "guest is up, start 2" } else { "guest is up, start 1" };
        until(line, async || host.console_log(ID, None).await.unwrap().contains(line).then_some(())).await;
        drop(host);
        let pid = house.pid();
        if killed {
            kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        } else {
            house.type_in("o");
        }
        until("the end of the process", async || (!is_alive(pid)).then_some(())).await;
        let host = house.host().await;
        assert_eq!(host.state(ID).await.unwrap(), VmState::Stopped);
        assert_eq!(host.fell(ID), killed);
        host.stop(ID, None).await.unwrap();
        assert!(!host.fell(ID));
    }
}

#[tokio::test]
async fn a_driver_lets_go_of_its_machines_and_the_next_one_takes_them() {
    let Some(house) = House::new() else { return };
    let vm = house.vm();
    let first = house.host().await;
    first.start(&vm).await.unwrap();
    let pid = house.pid();
    drop(first);
    let second = house.host().await;
    assert_eq!(second.state(ID).await.unwrap(), VmState::Running);
    assert_eq!(house.pid(), pid);
    second.destroy(ID).await.unwrap();
    assert!(!is_alive(pid));
}

/// After a reboot of the host, say.
#[tokio::test]
async fn a_pid_file_that_means_somebody_else_is_not_believed() {
    let Some(house) = House::new() else { return };
    let (host, vm) = (house.host().await, house.vm());
    host.prepare(&vm).await.unwrap();
    drop(host);
    std::fs::write(house.vm_path("pid"), std::process::id().to_string()).unwrap();
    let host = house.host().await;
    assert_eq!(host.state(ID).await.unwrap(), VmState::Stopped);
    host.destroy(ID).await.unwrap();
}
