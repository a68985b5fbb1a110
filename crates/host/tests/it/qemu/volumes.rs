//! Volumes as disks: made of layers, plugged in and out, switched and grown under a machine that runs.

use camino::Utf8PathBuf;
use host::plan::{DiskLayer, DiskPlan, VmPlan};
use host::{Error, Hypervisor, LayerFormat, VmState};

use super::{House, ID, guest, is_alive, up};

pub const VOLUME: &str = "9d1c2d3e-52a7-4a2b-9d0f-0a63b6c4a009";

pub fn layer(file: Utf8PathBuf) -> DiskLayer {
    let format = LayerFormat::parse(file.extension().unwrap()).unwrap();
    DiskLayer { file, format, encrypted: false }
}

pub fn qcow2(path: &Utf8PathBuf, bytes: u64) {
    let status = std::process::Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", path.as_str(), &bytes.to_string()])
        .status();
    assert!(status.unwrap().success());
}

/// A volume of `count` layers, the lowest of which a guest can boot.
fn volume(house: &House, count: usize) -> DiskPlan {
    named(house, "layer", count)
}

fn named(house: &House, name: &str, count: usize) -> DiskPlan {
    let names = (0..count).map(|at| match at {
        0 => format!("{name}0.raw"),
        _ => format!("{name}{at}.qcow2"),
    });
    let layers: Vec<_> = names.map(|name| layer(house.path(&name))).collect();
    guest::write_image(&layers[0].file);
    layers.iter().skip(1).for_each(|layer| qcow2(&layer.file, 1 << 20));
    DiskPlan { id: VOLUME.into(), layers, ..DiskPlan::default() }
}

#[tokio::test]
async fn volumes_come_while_it_runs_and_are_there_at_the_next_start() {
    let Some(house) = House::new() else { return };
    let (host, mut vm) = (house.host().await, house.vm());
    host.start(&vm).await.unwrap();
    up(&host, 1).await;
    let disk = volume(&house, 3);
    host.plug_disk(ID, &disk).await.unwrap();
    host.plug_disk(ID, &disk).await.unwrap();
    let counters = host.diagnostics(&vm).await.unwrap();
    assert_eq!(counters.disks.len(), 3, "root, config drive, volume: {counters:?}");
    assert!(counters.disks[0].read_requests > 0 && counters.uptime_seconds.is_some(), "{counters:?}");
    assert!(counters.cpu_times[0].is_some_and(|time| time > 0), "{counters:?}");
    vm.disks.push(disk.clone());
    host.reboot(&vm, true).await.unwrap();
    up(&host, 2).await;
    assert_eq!(host.diagnostics(&vm).await.unwrap().disks.len(), 3);
    host.interrupt(ID).await.unwrap();
    assert!(matches!(host.set_password(ID, "root", "secret").await, Err(Error::NoAgent)));
    // Suspended with it, and on again.
    host.suspend(ID).await.unwrap();
    host.start(&vm).await.unwrap();
    assert_eq!(host.state(ID).await.unwrap(), VmState::Running);
}

/// The guest counts its starts in its disk's first sector, so what it counted is what its layer holds.
#[tokio::test]
async fn a_machine_boots_from_a_volume_and_writes_the_last_layer() {
    let Some(house) = House::new() else { return };
    let host = house.host().await;
    let mut disk = volume(&house, 2);
    let bottom = std::fs::read(&disk.layers[0].file).unwrap();
    let vm = |disk: &DiskPlan| VmPlan { root: None, disks: vec![disk.clone()], ..house.vm() };
    host.start(&vm(&disk)).await.unwrap();
    up(&host, 1).await;
    assert!(matches!(host.snapshot(&vm(&disk), &house.path("copy")).await, Err(Error::Refused(_))));
    let nowhere = VmPlan { root: None, ..house.vm() };
    assert!(matches!(host.prepare(&nowhere).await, Err(Error::Refused(_))));

    // Two layers more, one of which the machine never heard of; the daemon is another one in between.
    for name in ["layer2.qcow2", "layer3.qcow2"] {
        qcow2(&house.path(name), 1 << 20);
        disk.layers.push(layer(house.path(name)));
    }
    host.switch_disk(ID, &disk).await.unwrap();
    drop(host);
    let host = house.host().await;
    host.switch_disk(ID, &disk).await.unwrap();
    let before: Vec<_> = disk.layers[..3].iter().map(|layer| std::fs::read(&layer.file).unwrap()).collect();
    house.type_in("r");
    up(&host, 2).await;
    for (layer, before) in disk.layers.iter().zip(&before) {
        assert!(std::fs::read(&layer.file).unwrap() == *before, "{} was written", layer.file);
    }
    assert_eq!(before[0], bottom);

    // A new start from all layers counts on; from the first two it goes back; from the lowest it begins.
    let pid = house.pid();
    host.reboot(&vm(&disk), true).await.unwrap();
    assert!(!is_alive(pid));
    up(&host, 3).await;
    host.stop(ID, None).await.unwrap();
    host.reset(ID).await.unwrap();
    assert!(
        disk.layers.iter().all(|layer| layer.file.exists()),
        "volumes are not the machine's to throw away"
    );
    for (count, start) in [(2, 2), (1, 1)] {
        std::fs::remove_file(house.vm_path("console.log")).unwrap();
        disk.layers.truncate(count);
        host.start(&vm(&disk)).await.unwrap();
        up(&host, start).await;
        host.stop(ID, None).await.unwrap();
    }
}

#[tokio::test]
async fn a_disk_grows_under_a_running_machine_and_goes_without_a_trace() {
    let Some(house) = House::new() else { return };
    let (host, vm) = (house.host().await, house.vm());
    host.prepare(&vm).await.unwrap();
    let disk = volume(&house, 2);
    assert!(!host.grow_disk(ID, &disk, 8 << 20).await.unwrap(), "it does not run");
    host.start(&vm).await.unwrap();
    up(&host, 1).await;
    assert!(!host.grow_disk(ID, &disk, 8 << 20).await.unwrap(), "it is not there");
    host.switch_disk(ID, &disk).await.unwrap();
    for limited in [false, true] {
        let limits = host::plan::DiskLimits { total_iops: limited.then_some(100), ..Default::default() };
        let id = VOLUME.replace("9d", if limited { "8d" } else { "9d" });
        let disk = DiskPlan { id, limits, ..volume(&house, 2) };
        host.plug_disk(ID, &disk).await.unwrap();
        assert!(host.grow_disk(ID, &disk, 8 << 20).await.unwrap());
        assert!(host.grow_disk(ID, &disk, 4 << 20).await.unwrap());
        assert_eq!(super::changes::virtual_size(&disk.layers[1].file), 8 << 20);
        assert_eq!(std::fs::metadata(&disk.layers[0].file).unwrap().len(), 1 << 20);
        // This guest would not let go of it, so it comes and goes with a start.
        let plugged = VmPlan { disks: vec![disk.clone()], ..vm.clone() };
        host.reboot(&plugged, true).await.unwrap();
        assert!(host.grow_disk(ID, &disk, 8 << 20).await.unwrap());
        assert_eq!(host.diagnostics(&plugged).await.unwrap().disks.len(), 3);
        host.reboot(&vm, true).await.unwrap();
        assert!(!host.grow_disk(ID, &disk, 8 << 20).await.unwrap());
    }
}

#[tokio::test]
async fn two_machines_write_one_disk_if_it_is_said_to_be_for_several() {
    let Some(house) = House::new() else { return };
    let host = house.host().await;
    let second = ID.replace("a001", "a002");
    let shared = DiskPlan { shared: true, ..volume(&house, 1) };
    let vm = |id: &str, disk: &DiskPlan| VmPlan { id: id.into(), disks: vec![disk.clone()], ..house.vm() };
    host.start(&vm(ID, &shared)).await.unwrap();
    host.start(&vm(&second, &shared)).await.unwrap();
    for id in [ID, &second] {
        assert!(host.grow_disk(id, &shared, 8 << 20).await.unwrap());
    }
    assert_eq!(std::fs::metadata(&shared.layers[0].file).unwrap().len(), 8 << 20);
    host.stop(&second, None).await.unwrap();

    // One that is not shared is locked, whoever asks for it.
    let own = DiskPlan { id: VOLUME.replace("9d", "8d"), ..named(&house, "own", 2) };
    host.plug_disk(ID, &own).await.unwrap();
    assert!(host.start(&vm(&second, &own)).await.is_err());
    host.start(&VmPlan { id: second.clone(), ..house.vm() }).await.unwrap();
    assert!(host.plug_disk(&second, &own).await.is_err());
    // What is below may be below several.
    let clone = layer(house.path("clone.qcow2"));
    qcow2(&clone.file, 1 << 20);
    let clone =
        DiskPlan { id: VOLUME.replace("9d", "7d"), layers: vec![own.layers[0].clone(), clone], ..own };
    host.plug_disk(&second, &clone).await.unwrap();
    host.plug_disk(ID, &clone).await.unwrap_err();
}
