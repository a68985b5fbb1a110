//! `kill -9` of a daemon in the middle of something that takes a moment: the next daemon finishes it.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use host::plan::VmPlan;
use host::{Hypervisor, VmState};

use super::changes::virtual_size;
use super::{House, ID, is_alive, until, up};

/// Set for the child of these tests: the house.
const HOUSE: &str = "CUMULET_TEST_HOUSE";
/// And how many GiB its machine's disk has.
const DISK: &str = "CUMULET_TEST_DISK";
/// After the request, in milliseconds: from before anything happened to after its end on a usual machine.
const DELAYS: [u64; 9] = [1, 10, 25, 45, 70, 100, 140, 200, 300];

/// The part of the daemon that is killed: starts the machine as it is asked to be.
#[tokio::test]
async fn starter() {
    let Some(dir) = std::env::var_os(HOUSE) else { return };
    let house = House::at(&dir);
    let vm = machine(&house, std::env::var(DISK).unwrap().parse().unwrap());
    let host = house.host().await;
    std::fs::write(house.path("begun"), "").unwrap();
    host.start(&vm).await.unwrap();
    std::future::pending::<()>().await;
}

fn machine(house: &House, size_gib: u64) -> VmPlan {
    let mut vm = house.vm();
    vm.root.as_mut().unwrap().size_gib = size_gib;
    vm
}

/// Begins to start the machine, and is killed.
async fn killed_after(house: &House, size_gib: u64, delay: u64) {
    let begun = house.path("begun");
    std::fs::remove_file(&begun).ok();
    let mut daemon: Child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "qemu::kills::starter", "--nocapture"])
        .env(HOUSE, house.path(""))
        .env(DISK, size_gib.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until("the start begins", async || begun.exists().then_some(())).await;
    tokio::time::sleep(Duration::from_millis(delay)).await;
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}

#[tokio::test]
async fn a_resume_goes_on_where_the_machine_was_suspended() {
    let Some(house) = House::new() else { return };
    let vm = machine(&house, 1);
    let host = house.host().await;
    host.start(&vm).await.unwrap();
    up(&host, 1).await;
    host.suspend(ID).await.unwrap();
    drop(host);
    for delay in DELAYS {
        killed_after(&house, 1, delay).await;
        let host = house.host().await;
        host.start(&vm).await.unwrap();
        assert_eq!(host.state(ID).await.unwrap(), VmState::Running, "killed after {delay} ms");
        assert!(!house.vm_path("memory.img").exists(), "killed after {delay} ms");
        host.suspend(ID).await.unwrap();
    }
    // Never did it boot instead: its disk counts that.
    let host = house.host().await;
    host.start(&vm).await.unwrap();
    house.type_in("r");
    up(&host, 2).await;
    assert!(!host.console_log(ID, None).await.unwrap().contains("start 3"));
}

/// The kill that comes after the machine was let run and before its file was forgotten.
#[tokio::test]
async fn a_machine_that_runs_already_is_not_taken_back_to_its_file() {
    let Some(house) = House::new() else { return };
    let (host, vm) = (house.host().await, house.vm());
    host.start(&vm).await.unwrap();
    up(&host, 1).await;
    host.suspend(ID).await.unwrap();
    let (memory, copy) = (house.vm_path("memory.img"), house.path("copy"));
    std::fs::copy(&memory, &copy).unwrap();
    host.start(&vm).await.unwrap();
    house.type_in("r");
    up(&host, 2).await;
    drop(host);
    std::fs::rename(&copy, &memory).unwrap();
    let pid = house.pid();
    let host = house.host().await;
    host.start(&vm).await.unwrap();
    assert!(is_alive(pid) && house.pid() == pid);
    assert!(!memory.exists());
    // One that waits at the file's end for a word, never let run, is read from the file once more.
    host.suspend(ID).await.unwrap();
    std::fs::copy(&memory, &copy).unwrap();
    host.start(&vm).await.unwrap();
    host.pause(ID).await.unwrap();
    std::fs::rename(&copy, &memory).unwrap();
    let pid = house.pid();
    host.start(&vm).await.unwrap();
    assert!(!is_alive(pid) && !memory.exists());
    assert_eq!(host.state(ID).await.unwrap(), VmState::Running);
}

#[tokio::test]
async fn a_disk_grows_as_far_as_it_was_asked_to() {
    let Some(house) = House::new() else { return };
    let host = house.host().await;
    host.start(&machine(&house, 1)).await.unwrap();
    up(&host, 1).await;
    host.stop(ID, None).await.unwrap();
    drop(host);
    for (delay, size) in DELAYS.into_iter().zip(2..) {
        let larger = machine(&house, size);
        let host = house.host().await;
        host.resize(&larger).await.unwrap();
        drop(host);
        killed_after(&house, size, delay).await;
        let host = house.host().await;
        host.start(&larger).await.unwrap();
        assert_eq!(host.state(ID).await.unwrap(), VmState::Running, "killed after {delay} ms");
        assert_eq!(virtual_size(&house.vm_path("disk.qcow2")), size << 30, "killed after {delay} ms");
        host.stop(ID, None).await.unwrap();
        host.settle_resize(ID, false).await.unwrap();
    }
    // A machine that the killed daemon had started, and not yet given its size.
    let host = house.host().await;
    host.start(&machine(&house, 10)).await.unwrap();
    let pid = house.pid();
    host.start(&machine(&house, 12)).await.unwrap();
    assert_eq!(house.pid(), pid);
    assert_eq!(virtual_size(&house.vm_path("disk.qcow2")), 12 << 30);
}
