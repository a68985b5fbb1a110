//! QEMU's command line for a plan: a pure function. Files come as numbers of open descriptors.

use std::os::fd::RawFd;

use serde_json::{Value, json};

use super::blank::{self, Blank};
use super::slots::{self, Slots};
use super::volume::{self, Access};
use crate::plan::{Bus, DiskPlan, Drive, NicPlan, RescuePlace, VmPlan};
use crate::probe::Accelerator;

/// QEMU's own name for the event of its orderly end: by its guest, by its monitor, by a signal that it can catch.
pub(super) const END: &str = "qemu_system_shutdown_request";

/// Numbers of the files QEMU inherits.
#[derive(Debug, Clone)]
pub(super) struct Inherited {
    /// Listening unix sockets.
    pub monitor: RawFd,
    pub serial: RawFd,
    pub agent: RawFd,
    pub console: RawFd,
    /// The root disk and its image.
    pub root: Option<(RawFd, RawFd)>,
    /// The rescue disk and its image.
    pub rescue: Option<(RawFd, RawFd)>,
    /// One for each of [`blank::of`].
    pub blank: Vec<RawFd>,
    pub config_drive: Option<RawFd>,
    /// One for each further disk of the plan, and of those one for each layer.
    pub volumes: Vec<Vec<(RawFd, Access)>>,
    /// One for each of these disks: the secret that opens it.
    pub keys: Vec<Option<RawFd>>,
    /// One for each network card of the plan.
    pub taps: Vec<RawFd>,
    /// The machine goes on from the state that comes through this socket.
    pub state: Option<RawFd>,
}

impl Inherited {
    fn key(&self, disk: usize) -> Option<RawFd> {
        self.keys.get(disk).copied().flatten()
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub accelerator: Accelerator,
    /// The guest's flushes are ignored: fast, and lost when the host crashes.
    pub unsafe_disk_cache: bool,
    /// MiB for translated code, where there is no KVM.
    pub translation_mib: u64,
}

/// Arguments after the program's name.
pub(super) fn arguments(
    vm: &VmPlan,
    inherited: &Inherited,
    settings: Settings,
    slots: &Slots,
) -> Vec<String> {
    let mut line = Line { arguments: Vec::new(), slots, next_set: 0 };
    line.machine(vm, settings);
    line.channels(inherited);
    line.ports(slots.count);
    line.disks(vm, inherited, settings.unsafe_disk_cache);
    for (at, files) in inherited.volumes.iter().enumerate().skip(usize::from(vm.root.is_none())) {
        line.volume(&vm.disks, at, files, inherited.key(at), false);
    }
    for (nic, tap) in vm.nics.iter().zip(&inherited.taps) {
        line.nic(nic, *tap);
    }
    if let Some(state) = inherited.state {
        line.add("-incoming", format!("fd:{state}"));
    }
    line.arguments
}

struct Line<'a> {
    arguments: Vec<String>,
    slots: &'a Slots,
    next_set: usize,
}

impl Line<'_> {
    fn add(&mut self, option: &str, value: impl Into<String>) {
        self.arguments.extend([option.to_owned(), value.into()]);
    }

    fn machine(&mut self, vm: &VmPlan, settings: Settings) {
        self.arguments.extend(["-nodefaults", "-no-user-config"].map(str::to_owned));
        self.add("-name", format!("guest={},debug-threads=on", vm.id));
        self.add("-uuid", &vm.id);
        // All that QEMU may not do from now on: start programs, gain privileges, change its own limits.
        self.add("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
        self.add("-machine", "q35");
        // As Nova does: a socket for each CPU. Where they are emulated Linux takes the clocks of several sockets for not in
        // step, and every look at the time is a slow call into QEMU then; of one socket's it uses the CPU's own counter.
        let cpus = vm.vcpus;
        let topology = match settings.accelerator {
            Accelerator::Kvm => {
                self.add("-accel", "kvm");
                self.add("-cpu", "host");
                format!("cpus={cpus},sockets={cpus},cores=1,threads=1")
            }
            Accelerator::Tcg => {
                self.add("-accel", format!("tcg,thread=multi,tb-size={}", settings.translation_mib));
                self.add("-cpu", "max");
                format!("cpus={cpus},sockets=1,cores={cpus},threads=1")
            }
        };
        self.add("-smp", topology);
        self.add("-m", format!("size={}M", vm.memory_mib));
        // cloud-init knows an OpenStack cloud by the product's name.
        let smbios = "type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova,family=Virtual Machine";
        self.add("-smbios", format!("{smbios},version=Cumulet,serial={0},uuid={0}", vm.id));
        self.add("-rtc", "base=utc");
        self.add("-boot", "strict=on");
        // The guest's reboot stays in this process; its power-off ends it.
        self.add("-action", "reboot=reset,shutdown=poweroff");
        // Told on standard error, which is the machine's log.
        self.add("-trace", END);
        // A screen that nobody can connect to by an address: viewers are handed over by the monitor, one by one.
        self.add("-vnc", "none");
        self.add("-device", "VGA,bus=pcie.0,addr=0x1");
    }

    fn channels(&mut self, inherited: &Inherited) {
        self.add("-chardev", socket("monitor", inherited.monitor));
        self.add("-mon", "chardev=monitor,mode=control");
        // Written to the log also while nobody is connected.
        let log = self.set(inherited.console);
        self.add("-chardev", format!("{},logfile={log},logappend=on", socket("serial0", inherited.serial)));
        self.add("-device", "isa-serial,chardev=serial0");
        self.add("-chardev", socket("agent", inherited.agent));
    }

    /// Root ports, eight to a slot of the host bridge, which has too few slots for one each.
    fn ports(&mut self, count: usize) {
        for port in 0..count {
            let (slot, function) = (2 + port / 8, port % 8);
            let first = if function == 0 { ",multifunction=on" } else { "" };
            let chassis = port + 1;
            self.add(
                "-device",
                format!(
                    "pcie-root-port,id=port{port},bus=pcie.0,chassis={chassis},addr={slot:#x}.{function:#x}{first}"
                ),
            );
        }
    }

    fn disks(&mut self, vm: &VmPlan, inherited: &Inherited, no_flush: bool) {
        let boots = vm.rescue.is_none();
        if let (Some(rescue), Some(files)) = (&vm.rescue, inherited.rescue) {
            self.overlay("rescue", files, &rescue.disk.image_format, no_flush);
            self.rescue(rescue.place);
        }
        if let (Some(root), Some(files)) = (&vm.root, inherited.root) {
            self.overlay("root", files, &root.image_format, no_flush);
            let (serial, boot) = (serial(&vm.id), if boots { ",bootindex=1" } else { "" });
            self.device("virtio-blk-pci", slots::ROOT, &format!("drive=root,serial={serial}{boot}"));
        } else if let Some(files) = inherited.volumes.first() {
            self.volume(&vm.disks, 0, files, inherited.key(0), boots);
        }
        for ((blank, _), file) in blank::of(vm).zip(&inherited.blank) {
            self.blank(blank, *file, no_flush);
        }
        if let Some(file) = inherited.config_drive {
            let file = self.set(file);
            self.block(&json!({
                "driver": "file", "node-name": "config-file", "filename": file, "read-only": true,
            }));
            self.block(&json!({
                "driver": "raw", "node-name": "config", "file": "config-file", "read-only": true,
            }));
            self.device("virtio-blk-pci", "disk-config", "drive=config,serial=config-drive");
        }
        self.add("-object", "rng-builtin,id=entropy");
        self.device("virtio-rng-pci", "rng", "rng=entropy");
        self.device("virtio-serial-pci", "serial", "");
        self.add("-device", "virtserialport,bus=serial.0,chardev=agent,name=org.qemu.guest_agent.0");
    }

    fn rescue(&mut self, place: RescuePlace) {
        const DRIVE: &str = "drive=rescue,serial=rescue,bootindex=1";
        let drive = match place {
            RescuePlace::First => Drive { bus: Bus::Virtio, cdrom: false },
            RescuePlace::Last(drive) => drive,
        };
        let kind = if drive.cdrom { "cd" } else { "hd" };
        match drive.bus {
            Bus::Virtio => self.device("virtio-blk-pci", slots::RESCUE, DRIVE),
            Bus::Scsi => {
                self.device("virtio-scsi-pci", slots::RESCUE, "");
                self.add("-device", format!("scsi-{kind},bus={}.0,{DRIVE}", slots::RESCUE));
            }
            Bus::Usb => {
                self.device("qemu-xhci", slots::RESCUE, "");
                self.add("-device", format!("usb-bot,id=rescue-usb,bus={}.0", slots::RESCUE));
                self.add("-device", format!("scsi-{kind},bus=rescue-usb.0,{DRIVE}"));
            }
            Bus::Sata => self.add("-device", format!("ide-{kind},bus=ide.0,{DRIVE}")),
        }
    }

    fn blank(&mut self, blank: Blank, file: RawFd, no_flush: bool) {
        let name = blank.name();
        let (file, cache) = (self.set(file), json!({ "no-flush": no_flush }));
        self.block(&json!({
            "driver": "file", "node-name": format!("{name}-file"), "filename": file, "discard": "unmap",
            "cache": cache,
        }));
        self.block(&json!({
            "driver": "raw", "node-name": name, "file": format!("{name}-file"), "discard": "unmap", "cache": cache,
        }));
        self.device("virtio-blk-pci", &slots::disk(blank), &format!("drive={name},serial={name}"));
    }

    /// A qcow2 file over an image. The backing file is named here, open: what the overlay's header says of it is never
    /// followed.
    fn overlay(&mut self, node: &str, (disk, image): (RawFd, RawFd), image_format: &str, no_flush: bool) {
        // The root disk's image has its short name since the first release, for machines that run across one.
        let below = if node == "root" { "image".to_owned() } else { format!("{node}-image") };
        let (image, disk) = (self.set(image), self.set(disk));
        self.block(&json!({
            "driver": "file", "node-name": format!("{below}-file"), "filename": image, "read-only": true,
        }));
        self.block(&json!({
            "driver": image_format, "node-name": below, "file": format!("{below}-file"), "read-only": true,
        }));
        let cache = json!({ "no-flush": no_flush });
        self.block(&json!({
            "driver": "file", "node-name": format!("{node}-file"), "filename": disk, "discard": "unmap",
            "cache": cache,
        }));
        self.block(&json!({
            "driver": "qcow2", "node-name": node, "file": format!("{node}-file"), "backing": below,
            "discard": "unmap", "cache": cache,
        }));
    }

    fn volume(
        &mut self,
        disks: &[DiskPlan],
        at: usize,
        files: &[(RawFd, Access)],
        key: Option<RawFd>,
        boots: bool,
    ) {
        let Some(disk) = disks.get(at) else { return };
        let opened: Vec<(String, Access)> = files
            .iter()
            .map(|(file, access)| (self.set_for(*file, &slots::volume(&disk.id)), *access))
            .collect();
        if let Some(group) = volume::throttle_group(disk) {
            self.add("-object", group.to_string());
        }
        if let Some(key) = key {
            self.add("-object", volume::inherited_key(disk, key).to_string());
        }
        for node in volume::nodes(disk, &opened) {
            self.block(&node);
        }
        let port = self.slots.of(&slots::volume(&disk.id)).unwrap_or_default();
        let sata = disks[..at].iter().filter(|disk| disk.bus == Bus::Sata).count();
        for device in volume::devices(disk, port, sata, boots) {
            self.add("-device", volume::shown(&device));
        }
    }

    /// No boot ROM: machines boot from disk, and the ROMs are another package.
    fn nic(&mut self, nic: &NicPlan, tap: RawFd) {
        let id = &nic.port_id;
        self.add("-netdev", format!("tap,id=net-{id},fd={tap}"));
        let guest = format!("netdev=net-{id},mac={},host_mtu={},romfile=", nic.mac, nic.mtu);
        self.device("virtio-net-pci", &slots::nic(id), &guest);
    }

    /// One of [`slots::devices`].
    fn device(&mut self, driver: &str, id: &str, properties: &str) {
        let port = self.slots.of(id).unwrap_or_default();
        let comma = if properties.is_empty() { "" } else { "," };
        self.add("-device", format!("{driver},bus=port{port},id={id}{comma}{properties}"));
    }

    fn block(&mut self, node: &Value) {
        self.add("-blockdev", node.to_string());
    }

    /// The name by which QEMU opens an inherited file.
    fn set(&mut self, file: RawFd) -> String {
        self.next_set += 1;
        self.add("-add-fd", format!("fd={file},set={}", self.next_set));
        format!("/dev/fdset/{}", self.next_set)
    }

    /// The same for a file that is taken back one day, by its purpose.
    fn set_for(&mut self, file: RawFd, purpose: &str) -> String {
        self.next_set += 1;
        self.add("-add-fd", format!("fd={file},set={},opaque={purpose}", self.next_set));
        format!("/dev/fdset/{}", self.next_set)
    }
}

fn socket(id: &str, file: RawFd) -> String {
    format!("socket,id={id},fd={file},server=on,wait=off")
}

/// virtio-blk has room for 20 characters; Nova's guests know their root disk by the start of the id.
pub(super) fn serial(id: &str) -> &str {
    id.get(..20).unwrap_or(id)
}

/// Cache of translated code. When it is full all of it is dropped and translated again, and a Kubernetes node fills half a GiB
/// within minutes: as much as half the guest's memory, of a sixteenth of the host's.
pub(super) fn translation_mib(guest_mib: u64, host_mib: u64) -> u64 {
    (guest_mib / 2).clamp(128, (host_mib / 16).max(512))
}
