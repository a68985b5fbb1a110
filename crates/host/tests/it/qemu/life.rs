//! A machine's life as its owner wants it.

use std::time::{Duration, Instant};

use host::plan::{RootDisk, VmPlan};
use host::{Error, Hypervisor, VmState};

use super::{House, ID, is_alive, until, up};

#[tokio::test]
async fn from_nothing_to_running_and_back() {
    let Some(house) = House::new() else { return };
    let (host, vm) = (house.host().await, house.vm());
    assert_eq!(host.state(ID).await.unwrap(), VmState::Absent);
    let start = Instant::now();
    host.prepare(&vm).await.unwrap();
    println!("inspection, overlay and config drive: {:?}", start.elapsed());
    assert_eq!(host.state(ID).await.unwrap(), VmState::Stopped);
    let image = std::fs::read(house.path("image")).unwrap();

    let start = Instant::now();
    host.start(&vm).await.unwrap();
    println!("start to a running monitor: {:?}", start.elapsed());
    host.start(&vm).await.unwrap();
    assert_eq!(host.state(ID).await.unwrap(), VmState::Running);
    assert_eq!(host.list().await.unwrap(), [ID]);
    up(&host, 1).await;
    println!("start to the guest's first word: {:?}", start.elapsed());

    host.pause(ID).await.unwrap();
    assert_eq!(host.state(ID).await.unwrap(), VmState::Paused);
    host.resume(ID).await.unwrap();
    assert_eq!(host.state(ID).await.unwrap(), VmState::Running);

    let pid = house.pid();
    host.stop(ID, None).await.unwrap();
    host.stop(ID, None).await.unwrap();
    assert!(!is_alive(pid));
    assert_eq!(host.state(ID).await.unwrap(), VmState::Stopped);
    assert!(matches!(host.pause(ID).await, Err(Error::Monitor(_))));

    // The disk is still there, and the image was never written.
    host.start(&vm).await.unwrap();
    up(&host, 2).await;
    assert_eq!(std::fs::read(house.path("image")).unwrap(), image);
    assert_eq!(host.console_log(ID, Some(1)).await.unwrap(), "guest is up, start 2\r\n");

    let pid = house.pid();
    host.destroy(ID).await.unwrap();
    host.destroy(ID).await.unwrap();
    assert!(!is_alive(pid));
    assert!(host.list().await.unwrap().is_empty());
    assert_eq!(host.state(ID).await.unwrap(), VmState::Absent);
    assert_eq!(std::fs::read_dir(house.path("data/vms")).unwrap().count(), 0);
}

#[tokio::test]
async fn the_power_button_stops_a_machine_and_reboots_start_it_again() {
    let Some(house) = House::new() else { return };
    let (host, vm) = (house.host().await, house.vm());
    let mut changes = host.changes();
    host.start(&vm).await.unwrap();
    up(&host, 1).await;

    host.reboot(&vm, false).await.unwrap();
    up(&host, 2).await;
    assert!(host.console_log(ID, None).await.unwrap().contains("power button"));
    host.reboot(&vm, true).await.unwrap();
    up(&host, 3).await;
    let pid = house.pid();
    house.type_in("r");
    up(&host, 4).await;
    assert_eq!(house.pid(), pid, "a guest's own reboot stays in its process");

    let start = Instant::now();
    host.stop(ID, Some(Duration::from_secs(60))).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(30), "it did not wait for the grace to end");
    assert_eq!(host.console_log(ID, None).await.unwrap().matches("power button").count(), 2);
    assert!(changes.try_recv().is_err(), "all of this was asked for");
}

#[tokio::test]
async fn a_guest_deaf_to_the_power_button_is_stopped_after_its_grace() {
    let Some(house) = House::new() else { return };
    let (host, vm) = (house.host().await, house.vm());
    host.start(&vm).await.unwrap();
    // Firmware listens to no button, and a paused machine to nothing.
    host.pause(ID).await.unwrap();
    let pid = house.pid();
    let start = Instant::now();
    host.stop(ID, Some(Duration::from_millis(300))).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(300) && !is_alive(pid));
}

#[tokio::test]
async fn a_process_has_nothing_it_does_not_need() {
    let Some(house) = House::new() else { return };
    let (host, vm) = (house.host().await, house.vm());
    host.start(&vm).await.unwrap();
    let proc = |name: &str| format!("/proc/{}/{name}", house.pid());
    let status = std::fs::read_to_string(proc("status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!((field("NoNewPrivs"), field("Seccomp")), (vec!["1".to_owned()], vec!["2".to_owned()]));
    if rustix::process::geteuid().is_root() {
        let user = house.options().first_user.to_string();
        assert_eq!(field("Uid"), vec![user.clone(); 4]);
        assert_eq!(field("Gid"), vec![user; 4]);
        assert!(field("Groups").is_empty());
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(field(set), ["0000000000000000"], "{set}");
        }
        let namespace = |path: &str| std::fs::read_link(path).unwrap();
        assert_ne!(namespace(&proc("ns/net")), namespace("/proc/self/ns/net"));
    } else {
        eprintln!("SKIPPED: the change of user, for this is not root");
    }
    let stat = std::fs::read_to_string(proc("stat")).unwrap();
    let session = stat.rsplit(") ").next().unwrap().split(' ').nth(3).unwrap().to_owned();
    assert_eq!(session, house.pid().to_string(), "a session of its own");

    // Of this test's files it has only those of the machine.
    for entry in std::fs::read_dir(proc("fd")).unwrap() {
        let Ok(target) = std::fs::read_link(entry.unwrap().path()) else { continue };
        let target = target.to_str().unwrap();
        let own = target.starts_with(house.path("").as_str())
            || ["/dev/null", "socket:", "anon_inode:", "/memfd:", "/dev/urandom", "pipe:"]
                .iter()
                .any(|p| target.starts_with(p));
        assert!(own, "{target}");
    }
    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(house.vm_path(name)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode(""), mode("config.img"), mode("console.log")), (0o700, 0o600, 0o600));
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_a_sentence() {
    let Some(house) = House::new() else { return };
    let (host, mut vm) = (house.host().await, house.vm());
    vm.root.as_mut().unwrap().image_format = "qcow2".into();
    let error = host.start(&vm).await.unwrap_err();
    assert_eq!(error.to_string(), "the image is declared as qcow2 but is not");
    vm.root = Some(RootDisk { image: house.path("nothing"), ..house.vm().root.unwrap() });
    assert!(matches!(host.start(&vm).await, Err(Error::File { operation: "opening the image", .. })));
    vm.root = house.vm().root;
    vm.memory_mib = 1 << 40;
    let error = host.start(&vm).await.unwrap_err().to_string();
    assert!(error.starts_with("the virtual machine's monitor: QEMU ended at its start: "), "{error}");
    assert_eq!(host.state(ID).await.unwrap(), VmState::Stopped);
    // And it is none the worse for it.
    host.start(&house.vm()).await.unwrap();
    up(&host, 1).await;
}

#[tokio::test]
async fn a_machine_stays_small_on_its_disk_and_knows_its_host() {
    let Some(house) = House::new() else { return };
    let (host, vm) = (house.host().await, house.vm());
    host.prepare(&vm).await.unwrap();
    let capacity = host.capacity().await.unwrap();
    assert_eq!((capacity.hypervisor_type.as_str(), capacity.accelerator.as_str()), ("QEMU", "tcg"));
    assert!(capacity.vcpus >= 1 && capacity.memory_mib > 500 && capacity.hypervisor_version > 5_000_000);
    let used: u64 = ["disk.qcow2", "config.img"]
        .iter()
        .map(|name| {
            std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(house.vm_path(name)).unwrap()) * 512
        })
        .sum();
    assert!(used < 1 << 20, "{used} bytes for a machine that never ran");
    until("the config drive is found by label", async || {
        let out =
            std::process::Command::new("blkid").args(["-p", house.vm_path("config.img").as_str()]).output();
        let text = String::from_utf8(out.unwrap().stdout).unwrap();
        text.contains("LABEL=\"config-2\"").then_some(())
    })
    .await;
}

#[tokio::test]
async fn machines_share_an_image_and_nothing_else() {
    let Some(house) = House::new() else { return };
    let host = house.host().await;
    let plans = [1, 2, 3].map(|number| VmPlan { id: format!("{}{number}", &ID[..35]), ..house.vm() });
    let started = futures::future::join_all(plans.iter().map(|vm| host.start(vm))).await;
    started.into_iter().for_each(Result::unwrap);
    let mut users = std::collections::BTreeSet::new();
    for vm in &plans {
        until("each has its own counter", async || {
            host.console_log(&vm.id, None).await.unwrap().contains("start 1").then_some(())
        })
        .await;
        let record = std::fs::read_to_string(house.path("data/vms").join(&vm.id).join("vm.json")).unwrap();
        assert!(users.insert(record), "every machine runs as a user of its own");
    }
    for vm in &plans {
        host.destroy(&vm.id).await.unwrap();
    }
}
