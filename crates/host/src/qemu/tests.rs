use std::collections::BTreeMap;

use camino::Utf8Path;

use super::argv::{self, Inherited, Settings};
use super::shared::disk_size;
use super::slots::{self, Slots};
use super::*;
use crate::plan::{Bus, DiskPlan, Drive, NicPlan, RescuePlan, RootDisk};
use crate::probe::Accelerator;

const ID: &str = "6f1f2b0e-52a7-4a2b-9d0f-0a63b6c4a001";

fn plan() -> VmPlan {
    VmPlan {
        id: ID.into(),
        name: "web, one".into(),
        vcpus: 2,
        memory_mib: 3072,
        root: RootDisk { image: "/images/a".into(), image_format: "qcow2".into(), size_gib: 20 },
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
        disk: 14,
        image: 15,
        rescue: None,
        blank: Vec::new(),
        config_drive: Some(16),
        volumes: Vec::new(),
        taps: vec![17],
        state: None,
    }
}

fn slots(vm: &VmPlan) -> Slots {
    Slots::default().arrange(&slots::devices(vm), false)
}

/// One option and its value a line.
fn shown(arguments: &[String]) -> String {
    let text = arguments.join(" ");
    text.replace(" -", "\n-")
}

#[test]
fn the_command_line_of_an_emulated_machine() {
    let settings = Settings { accelerator: Accelerator::Tcg, unsafe_disk_cache: false };
    insta::assert_snapshot!(shown(&argv::arguments(&plan(), &inherited(), settings, &slots(&plan()))));
}

#[test]
fn the_command_line_of_a_small_machine_on_kvm() {
    let mut vm = plan();
    vm.memory_mib = 256;
    vm.vcpus = 1;
    vm.nics.clear();
    vm.config_drive = None;
    vm.root.image_format = "raw".into();
    let inherited = Inherited { config_drive: None, taps: Vec::new(), ..inherited() };
    let settings = Settings { accelerator: Accelerator::Kvm, unsafe_disk_cache: true };
    insta::assert_snapshot!(shown(&argv::arguments(&vm, &inherited, settings, &slots(&vm))));
}

#[test]
fn the_command_line_of_a_machine_in_rescue_that_goes_on() {
    let mut vm = plan();
    let image = RootDisk { image: "/images/rescue".into(), image_format: "raw".into(), size_gib: 0 };
    vm.rescue = Some(RescuePlan { disk: image, place: RescuePlace::First });
    let id = "cccccccc-52a7-4a2b-9d0f-0a63b6c4a004".into();
    vm.disks = vec![DiskPlan { id, file: "/volumes/c".into(), format: "raw".into(), read_only: true }];
    (vm.ephemeral_mib, vm.swap_mib) = (1024, 64);
    let inherited = Inherited {
        rescue: Some((20, 21)),
        volumes: vec![22],
        state: Some(23),
        blank: vec![24, 25],
        ..inherited()
    };
    let settings = Settings { accelerator: Accelerator::Kvm, unsafe_disk_cache: false };
    insta::assert_snapshot!(shown(&argv::arguments(&vm, &inherited, settings, &slots(&vm))));
}

#[test]
fn a_rescue_disk_behind_the_others_leaves_them_their_places() {
    let before = slots(&plan());
    let settings = Settings { accelerator: Accelerator::Kvm, unsafe_disk_cache: false };
    let inherited = Inherited { rescue: Some((20, 21)), ..inherited() };
    let line = |bus, cdrom| {
        let disk = RootDisk { image: "/images/rescue".into(), image_format: "raw".into(), size_gib: 0 };
        let rescue = RescuePlan { disk, place: RescuePlace::Last(Drive { bus, cdrom }) };
        let vm = VmPlan { rescue: Some(rescue), ..plan() };
        let slots = before.arrange(&slots::devices(&vm), false);
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
