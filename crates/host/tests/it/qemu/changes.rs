//! What happens to a machine's disk and memory: suspended, copied, grown, rescued, thrown away.

use host::plan::{Bus, Drive, RescuePlace, RescuePlan, RootDisk, VmPlan};
use host::{Error, Hypervisor, VmState};

use super::{House, ID, is_alive, until, up};

pub fn virtual_size(path: &camino::Utf8Path) -> u64 {
    let output = std::process::Command::new("qemu-img")
        .args(["info", "-U", "--output=json", "-f", "qcow2", path.as_str()])
        .output()
        .unwrap();
    let info: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(info["backing-filename"].is_null() || path.ends_with("disk.qcow2"), "{info}");
    info["virtual-size"].as_u64().unwrap()
}

#[tokio::test]
async fn a_suspended_machine_goes_on_where_it_was() {
    let Some(house) = House::new() else { return };
    let (host, vm) = (house.host().await, house.vm());
    host.start(&vm).await.unwrap();
    up(&host, 1).await;
    let pid = house.pid();
    host.suspend(ID).await.unwrap();
    host.suspend(ID).await.unwrap();
    assert!(!is_alive(pid));
    assert_eq!(host.state(ID).await.unwrap(), VmState::Stopped);
    assert!(house.vm_path("memory.img").exists());

    // Also over a restart of the daemon.
    drop(host);
    let host = house.host().await;
    host.start(&vm).await.unwrap();
    assert_eq!(host.state(ID).await.unwrap(), VmState::Running);
    assert!(!house.vm_path("memory.img").exists());
    house.type_in("r");
    up(&host, 2).await;
    assert!(!host.console_log(ID, None).await.unwrap().contains("start 3"), "it did not boot to go on");

    // A machine that is stopped forgets; a hard reboot boots.
    host.suspend(ID).await.unwrap();
    host.reboot(&vm, true).await.unwrap();
    up(&host, 3).await;
    host.suspend(ID).await.unwrap();
    host.stop(ID, None).await.unwrap();
    assert!(!house.vm_path("memory.img").exists());
    assert!(matches!(host.suspend(ID).await, Err(Error::Monitor(_))));
}

#[tokio::test]
async fn copies_of_a_disk_need_nothing_else() {
    let Some(house) = House::new() else { return };
    let (host, vm) = (house.host().await, house.vm());
    host.start(&vm).await.unwrap();
    up(&host, 1).await;
    let (live, cold) = (house.path("live"), house.path("cold"));
    let copy = host.snapshot(&vm, &live).await.unwrap();
    assert_eq!((copy.format.as_str(), copy.virtual_size), ("qcow2", 1 << 30));
    assert_eq!(host.state(ID).await.unwrap(), VmState::Running);
    host.pause(ID).await.unwrap();
    host.snapshot(&vm, &house.path("paused")).await.unwrap();
    assert_eq!(host.state(ID).await.unwrap(), VmState::Paused);
    host.stop(ID, None).await.unwrap();
    host.start(&vm).await.unwrap();
    up(&host, 2).await;
    host.stop(ID, None).await.unwrap();
    host.snapshot(&vm, &cold).await.unwrap();

    // Each goes on counting where it was copied; the image and the machine are gone by then.
    host.destroy(ID).await.unwrap();
    std::fs::remove_file(house.path("image")).unwrap();
    for (path, count) in [(live, 2), (cold, 3)] {
        assert_eq!(virtual_size(&path), 1 << 30);
        assert!(std::fs::metadata(&path).unwrap().len() < 8 << 20, "holes stay holes");
        let mut next = house.vm();
        next.root = Some(RootDisk { image: path, image_format: "qcow2".into(), size_gib: 1 });
        host.start(&next).await.unwrap();
        up(&host, count).await;
        host.destroy(ID).await.unwrap();
    }
}

#[tokio::test]
async fn an_image_may_go_while_its_machine_stays() {
    let Some(house) = House::new() else { return };
    let (host, vm) = (house.host().await, house.vm());
    host.start(&vm).await.unwrap();
    up(&host, 1).await;
    std::fs::remove_file(house.path("image")).unwrap();
    host.reboot(&vm, true).await.unwrap();
    up(&host, 2).await;
}

#[tokio::test]
async fn a_disk_grows_and_comes_back() {
    let Some(house) = House::new() else { return };
    let (host, small) = (house.host().await, house.vm());
    host.start(&small).await.unwrap();
    up(&host, 1).await;
    host.stop(ID, None).await.unwrap();
    let mut large = small.clone();
    large.root.as_mut().unwrap().size_gib = 3;
    large.memory_mib = 96;
    for revert in [true, false] {
        host.resize(&large).await.unwrap();
        host.resize(&large).await.unwrap();
        host.start(&large).await.unwrap();
        up(&host, 2).await;
        assert_eq!(virtual_size(&house.vm_path("disk.qcow2")), 3 << 30);
        if revert {
            host.stop(ID, None).await.unwrap();
            host.settle_resize(ID, true).await.unwrap();
            assert_eq!(virtual_size(&house.vm_path("disk.qcow2")), 1 << 30);
            host.start(&small).await.unwrap();
            // What happened since is forgotten: it counts to two once more.
            until("two second starts", async || {
                let log = host.console_log(ID, None).await.unwrap();
                (log.matches("guest is up, start 2").count() == 2).then_some(())
            })
            .await;
            host.stop(ID, None).await.unwrap();
            host.resize(&small).await.unwrap();
            // Its disk counted that start, so the next one counts to three.
            std::fs::remove_file(house.vm_path("console.log")).unwrap();
            host.reset(ID).await.unwrap();
            host.start(&small).await.unwrap();
            up(&host, 1).await;
            host.stop(ID, None).await.unwrap();
        } else {
            host.settle_resize(ID, false).await.unwrap();
            host.settle_resize(ID, true).await.unwrap();
            assert!(!house.vm_path("disk-before.qcow2").exists());
            host.stop(ID, None).await.unwrap();
            let told = host.resize(&small).await.unwrap_err().to_string();
            assert_eq!(told, "Unable to resize disk down.");
        }
    }
}

#[tokio::test]
async fn in_rescue_another_disk_boots_and_the_own_one_is_kept() {
    let Some(house) = House::new() else { return };
    let (host, vm) = (house.host().await, house.vm());
    host.start(&vm).await.unwrap();
    up(&host, 1).await;
    host.reboot(&vm, true).await.unwrap();
    up(&host, 2).await;
    host.stop(ID, None).await.unwrap();
    let mut rescue = vm.clone();
    let disk = RootDisk { size_gib: 0, ..vm.root.clone().unwrap() };
    rescue.rescue = Some(RescuePlan { disk, place: RescuePlace::First });
    rescue.config_drive = Some([("openstack/latest/password".to_owned(), b"new".to_vec())].into());
    std::fs::remove_file(house.vm_path("console.log")).unwrap();
    host.start(&rescue).await.unwrap();
    up(&host, 1).await;
    assert!(house.vm_path("rescue-config.img").exists());
    host.stop(ID, None).await.unwrap();
    host.start(&vm).await.unwrap();
    up(&host, 3).await;
    let left: Vec<String> = std::fs::read_dir(house.vm_path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("rescue"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_rescue_disk_boots_from_every_bus() {
    let Some(house) = House::new() else { return };
    let (host, vm) = (house.host().await, house.vm());
    host.start(&vm).await.unwrap();
    up(&host, 1).await;
    let rescue = |bus, cdrom| {
        let disk = RootDisk { size_gib: 0, ..vm.root.clone().unwrap() };
        let place = RescuePlace::Last(Drive { bus, cdrom });
        VmPlan { rescue: Some(RescuePlan { disk, place }), ..vm.clone() }
    };
    // It counts its starts by itself, and the own disk does not.
    for (count, bus) in (1..).zip([Bus::Virtio, Bus::Scsi, Bus::Usb, Bus::Sata]) {
        host.stop(ID, None).await.unwrap();
        std::fs::remove_file(house.vm_path("console.log")).unwrap();
        host.start(&rescue(bus, false)).await.unwrap();
        up(&host, count).await;
    }
    // The firmware boots from CD-ROMs of another make than this guest's.
    for bus in [Bus::Scsi, Bus::Usb, Bus::Sata] {
        host.stop(ID, None).await.unwrap();
        host.start(&rescue(bus, true)).await.unwrap();
        assert_eq!(host.state(ID).await.unwrap(), VmState::Running);
    }
    host.stop(ID, None).await.unwrap();
    host.start(&vm).await.unwrap();
    up(&host, 2).await;
}

#[tokio::test]
async fn a_reset_machine_is_made_anew() {
    let Some(house) = House::new() else { return };
    let (host, mut vm) = (house.host().await, house.vm());
    host.start(&vm).await.unwrap();
    up(&host, 1).await;
    host.stop(ID, None).await.unwrap();
    host.reset(ID).await.unwrap();
    host.reset(ID).await.unwrap();
    assert_eq!(host.state(ID).await.unwrap(), VmState::Stopped);
    std::fs::remove_file(house.vm_path("console.log")).unwrap();
    vm.root.as_mut().unwrap().size_gib = 2;
    host.start(&vm).await.unwrap();
    up(&host, 1).await;
    assert_eq!(virtual_size(&house.vm_path("disk.qcow2")), 2 << 30);
}
