use std::collections::BTreeMap;

use camino::Utf8Path;

use super::argv::{self, Inherited, Settings};
use super::shared::disk_size;
use super::slots::{self, Slots};
use super::volume::{self, Access};
use super::*;
use crate::LayerFormat;
use crate::plan::{Bus, DiskLayer, DiskLimits, DiskPlan, Drive, NicPlan, RescuePlan, RootDisk};
use crate::probe::Accelerator;

const ID: &str = "6f1f2b0e-52a7-4a2b-9d0f-0a63b6c4a001";

fn plan() -> VmPlan {
    VmPlan {
        id: ID.into(),
        name: "web, one".into(),
        vcpus: 2,
        memory_mib: 3072,
        root: Some(RootDisk { image: "/images/a".into(), image_format: "qcow2".into(), size_gib: 20 }),
        nics: vec![NicPlan {
            port_id: "aaaaaaaa-52a7-4a2b-9d0f-0a63b6c4a002".into(),
            network_id: "bbbbbbbb-52a7-4a2b-9d0f-0a63b6c4a003".into(),
            mac: "fa:16:3e:00:00:01".into(),
            mtu: 1450,
        }],
        config_drive: Some(BTreeMap::new()),
        ..VmPlan::default()
    }
}

fn inherited() -> Inherited {
    Inherited {
        monitor: 10,
        serial: 11,
        agent: 12,
        console: 13,
        root: Some((14, 15)),
        rescue: None,
        blank: Vec::new(),
        config_drive: Some(16),
        volumes: Vec::new(),
        keys: Vec::new(),
        taps: vec![17],
        state: None,
    }
}

fn slots(vm: &VmPlan) -> Slots {
    Slots::default().arrange(&slots::devices(vm), 16, false)
}

/// Of files with these names.
fn disk_of(files: &[&str]) -> DiskPlan {
    let layer = |name: &&str| DiskLayer {
        file: format!("/volumes/{name}").into(),
        format: LayerFormat::parse(name.split_once('.').unwrap().1).unwrap(),
        encrypted: false,
    };
    DiskPlan {
        id: "cccccccc-52a7-4a2b-9d0f-0a63b6c4a004".into(),
        layers: files.iter().map(layer).collect(),
        ..DiskPlan::default()
    }
}

/// One option and its value a line.
fn shown(arguments: &[String]) -> String {
    let text = arguments.join(" ");
    text.replace(" -", "\n-")
}

#[test]
fn the_command_line_of_an_emulated_machine() {
    let settings = Settings { accelerator: Accelerator::Tcg, unsafe_disk_cache: false, translation_mib: 512 };
    insta::assert_snapshot!(shown(&argv::arguments(&plan(), &inherited(), settings, &slots(&plan()))));
}

#[test]
fn translated_code_has_room_by_guest_and_host() {
    let mib = argv::translation_mib;
    assert_eq!(mib(128, 8192), 128);
    assert_eq!(mib(3072, 4096), 512);
    assert_eq!(mib(3072, 24 << 10), 1536);
    assert_eq!(mib(8192, 24 << 10), 1536);
}

#[test]
fn the_command_line_of_a_small_machine_on_kvm() {
    let mut vm = plan();
    vm.memory_mib = 256;
    vm.vcpus = 1;
    vm.nics.clear();
    vm.config_drive = None;
    vm.root.as_mut().unwrap().image_format = "raw".into();
    let inherited = Inherited { config_drive: None, taps: Vec::new(), ..inherited() };
    let settings = Settings { accelerator: Accelerator::Kvm, unsafe_disk_cache: true, translation_mib: 512 };
    insta::assert_snapshot!(shown(&argv::arguments(&vm, &inherited, settings, &slots(&vm))));
}

#[test]
fn the_command_line_of_a_machine_in_rescue_that_goes_on() {
    let mut vm = plan();
    let image = RootDisk { image: "/images/rescue".into(), image_format: "raw".into(), size_gib: 0 };
    vm.rescue = Some(RescuePlan { disk: image, place: RescuePlace::First });
    vm.disks = vec![DiskPlan { read_only: true, ..disk_of(&["c.raw"]) }];
    (vm.ephemeral_mib, vm.swap_mib) = (1024, 64);
    let inherited = Inherited {
        rescue: Some((20, 21)),
        volumes: vec![vec![(22, Access::default())]],
        state: Some(23),
        blank: vec![24, 25],
        ..inherited()
    };
    let settings = Settings { accelerator: Accelerator::Kvm, unsafe_disk_cache: false, translation_mib: 512 };
    insta::assert_snapshot!(shown(&argv::arguments(&vm, &inherited, settings, &slots(&vm))));
}

const WRITTEN: Access = Access { direct: true, io_uring: true, no_flush: false, writable: true };
const READ: Access = Access { direct: false, writable: false, ..WRITTEN };

#[test]
fn the_command_line_of_a_machine_that_boots_from_a_volume() {
    let boot = DiskPlan {
        limits: DiskLimits { read_iops: Some(100), total_bytes: Some(1 << 20), ..DiskLimits::default() },
        ..disk_of(&[
            "dddddddd-52a7-4a2b-9d0f-0a63b6c4a005.raw",
            "eeeeeeee-52a7-4a2b-9d0f-0a63b6c4a006.qcow2",
            "ffffffff-52a7-4a2b-9d0f-0a63b6c4a007.qcow2",
        ])
    };
    let id = "bbbbbbbb-52a7-4a2b-9d0f-0a63b6c4a008".to_owned();
    let shared = DiskPlan { id, shared: true, ..disk_of(&["b.raw"]) };
    let vm = VmPlan { root: None, disks: vec![boot, shared], config_drive: None, ..plan() };
    let inherited = Inherited {
        root: None,
        config_drive: None,
        volumes: vec![vec![(20, READ), (21, READ), (22, WRITTEN)], vec![(23, WRITTEN)]],
        ..inherited()
    };
    let settings = Settings { accelerator: Accelerator::Kvm, unsafe_disk_cache: false, translation_mib: 512 };
    let line = argv::arguments(&vm, &inherited, settings, &slots(&vm));
    let of_volumes =
        |pair: &String| ["fdset/", "-blockdev", "volume-", "throttle"].iter().any(|text| pair.contains(text));
    let line: Vec<String> = line.chunks(2).map(|pair| pair.join(" ")).filter(of_volumes).collect();
    insta::assert_snapshot!(line.join("\n"));
}

#[test]
fn a_boot_volume_is_the_first_disk_and_makes_way_for_rescue() {
    let vm = VmPlan { root: None, disks: vec![disk_of(&["a.raw"])], ..plan() };
    let first = format!("volume-{}", vm.disks[0].id);
    assert_eq!(slots(&vm).of(&first), Some(0));
    let disk = RootDisk { image: "/images/rescue".into(), image_format: "raw".into(), size_gib: 0 };
    let rescued = VmPlan { rescue: Some(RescuePlan { disk, place: RescuePlace::First }), ..vm.clone() };
    let inherited =
        Inherited { root: None, rescue: Some((20, 21)), volumes: vec![vec![(22, WRITTEN)]], ..inherited() };
    let settings = Settings { accelerator: Accelerator::Kvm, unsafe_disk_cache: false, translation_mib: 512 };
    let line = argv::arguments(&rescued, &inherited, settings, &slots(&rescued));
    let boots: Vec<_> = line.iter().filter(|argument| argument.contains("bootindex")).collect();
    assert_eq!(boots, ["virtio-blk-pci,bus=port0,id=disk-rescue,drive=rescue,serial=rescue,bootindex=1"]);
    assert_eq!(slots(&rescued).of(&first), Some(1));
}

#[test]
fn a_volume_sits_on_the_bus_that_is_asked_for() {
    let on = |bus| {
        let disk = DiskPlan { bus, ..disk_of(&["a.raw"]) };
        volume::devices(&disk, 5, 1, false).iter().map(volume::shown).collect::<Vec<_>>()
    };
    let name = "volume-cccccccc-52a7-4a2b-9d0f-0a63b6c4a004";
    let drive = "drive=vcccccccc52a7-a,serial=cccccccc-52a7-4a2b-9d0f-0a63b6c4a004";
    let scsi = format!("{drive},device_id=cccccccc-52a7-4a2b-9d0f-0a63b6c4a004");
    assert_eq!(
        on(Bus::Scsi),
        [
            format!("virtio-scsi-pci,bus=port5,id={name}"),
            format!("scsi-hd,bus={name}.0,id=disk-{name},{scsi}")
        ]
    );
    assert_eq!(
        on(Bus::Usb),
        [
            format!("qemu-xhci,bus=port5,id={name}"),
            format!("usb-bot,bus={name}.0,id=usb-{name}"),
            format!("scsi-hd,bus=usb-{name}.0,id=disk-{name},{scsi}"),
        ]
    );
    assert_eq!(on(Bus::Sata), [format!("ide-hd,bus=ide.2,id={name},{drive}")]);
}

#[test]
fn what_one_machine_alone_can_write_is_refused_to_several() {
    let dir = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(dir.path()).unwrap();
    let mut disk = DiskPlan { shared: true, ..disk_of(&["a.raw"]) };
    disk.layers[0].file = dir.join("a.raw");
    std::fs::write(dir.join("a.raw"), [0; 512]).unwrap();
    assert_eq!(volume::open(&disk, Access::default()).unwrap().len(), 1);
    let above = DiskLayer { file: dir.join("b.qcow2"), format: LayerFormat::Qcow2, encrypted: false };
    disk.layers.push(above);
    let error = volume::open(&disk, Access::default()).unwrap_err().to_string();
    assert!(error.contains("only one can write"), "{error}");
    disk.layers = vec![];
    assert!(volume::open(&disk, Access::default()).is_err());
}

#[test]
fn a_rescue_disk_behind_the_others_leaves_them_their_places() {
    let before = slots(&plan());
    let settings = Settings { accelerator: Accelerator::Kvm, unsafe_disk_cache: false, translation_mib: 512 };
    let inherited = Inherited { rescue: Some((20, 21)), ..inherited() };
    let line = |bus, cdrom| {
        let disk = RootDisk { image: "/images/rescue".into(), image_format: "raw".into(), size_gib: 0 };
        let rescue = RescuePlan { disk, place: RescuePlace::Last(Drive { bus, cdrom }) };
        let vm = VmPlan { rescue: Some(rescue), ..plan() };
        let slots = before.arrange(&slots::devices(&vm), 16, false);
        assert_eq!(slots.of("disk-root"), before.of("disk-root"));
        assert!(!slots.displaced());
        let line = argv::arguments(&vm, &inherited, settings, &slots);
        assert_eq!(line.iter().filter(|argument| argument.contains("bootindex")).count(), 1, "{line:?}");
        line.into_iter().filter(|a| a.contains("rescue") && a.contains("bus=")).collect::<Vec<_>>()
    };
    let drive = "drive=rescue,serial=rescue,bootindex=1";
    assert_eq!(line(Bus::Virtio, false), [format!("virtio-blk-pci,bus=port5,id=disk-rescue,{drive}")]);
    assert_eq!(
        line(Bus::Scsi, true),
        ["virtio-scsi-pci,bus=port5,id=disk-rescue".to_owned(), format!("scsi-cd,bus=disk-rescue.0,{drive}")]
    );
    assert_eq!(
        line(Bus::Usb, false),
        [
            "qemu-xhci,bus=port5,id=disk-rescue".to_owned(),
            "usb-bot,id=rescue-usb,bus=disk-rescue.0".to_owned(),
            format!("scsi-hd,bus=rescue-usb.0,{drive}"),
        ]
    );
    assert_eq!(line(Bus::Sata, true), [format!("ide-cd,bus=ide.0,{drive}")]);
}

#[test]
fn only_uuids_become_directories() {
    let vms = Utf8Path::new("/data/vms");
    assert_eq!(VmFiles::new(vms, ID).unwrap().dir(), vms.join(ID));
    for bad in ["", "..", "../../../../../../../../../../etc/passwd", "6F1F2B0E-52a7-4a2b-9d0f-0a63b6c4a001"]
    {
        assert!(matches!(VmFiles::new(vms, bad), Err(Error::Refused(_))), "{bad}");
    }
}

#[test]
fn a_disk_is_as_large_as_asked_and_never_smaller_than_its_image() {
    assert_eq!(disk_size(GIB, 0).unwrap(), GIB);
    assert_eq!(disk_size(GIB, 20).unwrap(), 20 * GIB);
    let error = disk_size(5 * GIB / 2, 2).unwrap_err().to_string();
    assert_eq!(error, "the image needs a disk of 3 GiB, the machine has 2: choose a larger flavor");
}

#[test]
fn versions_are_numbers() {
    assert_eq!(capacity::version_number("7.2.18"), 7_002_018);
    assert_eq!(capacity::version_number("10.0"), 10_000_000);
}

#[test]
fn users_are_given_once_and_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let vms = Utf8Path::from_path(dir.path()).unwrap();
    let mut users = Users::scan(1000, vms);
    assert_eq!((users.take().unwrap(), users.take().unwrap()), (1000, 1001));
    users.give_back(1000);
    assert_eq!(users.take().unwrap(), 1000);

    let files = VmFiles::new(vms, ID).unwrap();
    make_private_dir(files.dir()).unwrap();
    Record { user: 1000, ..Record::default() }.write(&files).unwrap();
    assert_eq!(Users::scan(1000, vms).take().unwrap(), 1001);
}

#[test]
fn an_encrypted_volume_is_opened_by_a_secret_that_is_no_argument() {
    let mut disk = disk_of(&["a.raw", "b.qcow2"]);
    disk.layers.iter_mut().for_each(|layer| layer.encrypted = true);
    disk.key = Some(crate::Passphrase::of_key(&[0xab; 4]));
    let vm = VmPlan { disks: vec![disk.clone()], ..plan() };
    let inherited = Inherited {
        volumes: vec![vec![(22, Access::default()), (23, WRITTEN)]],
        keys: vec![Some(24)],
        ..inherited()
    };
    let settings = Settings { accelerator: Accelerator::Kvm, unsafe_disk_cache: false, translation_mib: 512 };
    let all = argv::arguments(&vm, &inherited, settings, &slots(&vm));
    assert!(!all.join(" ").contains("abab"));
    let ours = all.iter().filter(|one| one.contains("key-cccccccc"));
    let ours: Vec<serde_json::Value> = ours.map(|one| serde_json::from_str(one).unwrap()).collect();
    let secret = "key-cccccccc52a7";
    let object = serde_json::json!({"qom-type": "secret", "id": secret, "file": "/proc/self/fd/24"});
    assert_eq!((ours.len(), &ours[0]), (3, &object));
    assert_eq!((ours[1]["driver"].as_str(), ours[1]["key-secret"].as_str()), (Some("luks"), Some(secret)));
    assert_eq!(ours[2]["encrypt"], serde_json::json!({"format": "luks", "key-secret": secret}));
    let told = volume::told_key(&disk).unwrap();
    assert_eq!(told["data"], "abababab");
    disk.key = None;
    assert!(volume::open(&disk, WRITTEN).unwrap_err().to_string().contains("its key is not known"));
}

#[test]
fn a_volume_in_ceph_is_one_node_of_qemus_own_driver() {
    let image = crate::RbdImage {
        pool: "volumes".into(),
        image: "layer.a".into(),
        user: "cumulet".into(),
        conf: "/etc/ceph/ceph.conf".into(),
        key: crate::Passphrase::of_text("AQBzZWNyZXQ="),
    };
    let limits = DiskLimits { total_iops: Some(100), ..DiskLimits::default() };
    let disk = DiskPlan { rbd: Some(image), layers: Vec::new(), limits, ..disk_of(&[]) };
    let vm = VmPlan { disks: vec![disk.clone()], ..plan() };
    let inherited = Inherited { volumes: vec![Vec::new()], keys: vec![Some(24)], ..inherited() };
    let settings = Settings { accelerator: Accelerator::Kvm, unsafe_disk_cache: false, translation_mib: 512 };
    let all = argv::arguments(&vm, &inherited, settings, &slots(&vm));
    assert!(!all.join(" ").contains("AQBz"));
    let nodes = all.iter().filter(|one| one.contains("node-name") && one.contains("vcccccccc52a7-"));
    let nodes: Vec<serde_json::Value> = nodes.map(|one| serde_json::from_str(one).unwrap()).collect();
    let drivers: Vec<&str> = nodes.iter().filter_map(|node| node["driver"].as_str()).collect();
    assert_eq!(drivers, ["rbd", "raw", "throttle"]);
    let file = serde_json::json!({
        "driver": "rbd", "node-name": "vcccccccc52a7-r-f", "pool": "volumes", "image": "layer.a", "user": "cumulet",
        "conf": "/etc/ceph/ceph.conf", "key-secret": "key-cccccccc52a7", "read-only": false, "discard": "unmap",
    });
    assert_eq!((&nodes[0], nodes[2]["file"].as_str()), (&file, Some("vcccccccc52a7-r")));
    let told = volume::told_key(&disk).unwrap();
    assert_eq!((&told["data"], &told["format"]), (&"AQBzZWNyZXQ=".into(), &"base64".into()));
    assert!(volume::open(&disk, WRITTEN).unwrap().is_empty());
}
