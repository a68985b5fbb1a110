//! QEMU's command line for a plan: a pure function. Files come as numbers of open descriptors.

use std::os::fd::RawFd;

use serde_json::{Value, json};

use crate::plan::{NicPlan, VmPlan};
use crate::probe::Accelerator;

/// Empty slots for network cards and volumes that come while the machine runs.
const SPARE_PORTS: usize = 8;

/// Numbers of the files QEMU inherits.
#[derive(Debug, Clone)]
pub(super) struct Inherited {
    /// Listening unix sockets.
    pub monitor: RawFd,
    pub serial: RawFd,
    pub agent: RawFd,
    pub console: RawFd,
    pub disk: RawFd,
    pub image: RawFd,
    pub config_drive: Option<RawFd>,
    /// One for each network card of the plan.
    pub taps: Vec<RawFd>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub accelerator: Accelerator,
    /// The guest's flushes are ignored: fast, and lost when the host crashes.
    pub unsafe_disk_cache: bool,
}

/// Arguments after the program's name.
pub(super) fn arguments(vm: &VmPlan, inherited: &Inherited, settings: Settings) -> Vec<String> {
    let mut line = Line::default();
    line.machine(vm, settings.accelerator);
    line.channels(inherited);
    line.ports(3 + usize::from(inherited.config_drive.is_some()) + vm.nics.len() + SPARE_PORTS);
    line.disks(vm, inherited, settings.unsafe_disk_cache);
    for (nic, tap) in vm.nics.iter().zip(&inherited.taps) {
        line.nic(nic, *tap);
    }
    line.arguments
}

#[derive(Default)]
struct Line {
    arguments: Vec<String>,
    next_port: usize,
    next_set: usize,
}

impl Line {
    fn add(&mut self, option: &str, value: impl Into<String>) {
        self.arguments.extend([option.to_owned(), value.into()]);
    }

    fn machine(&mut self, vm: &VmPlan, accelerator: Accelerator) {
        self.arguments.extend(["-nodefaults", "-no-user-config"].map(str::to_owned));
        self.add("-name", format!("guest={},debug-threads=on", vm.id));
        self.add("-uuid", &vm.id);
        // All that QEMU may not do from now on: start programs, gain privileges, change its own limits.
        self.add("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
        self.add("-machine", "q35");
        match accelerator {
            Accelerator::Kvm => {
                self.add("-accel", "kvm");
                self.add("-cpu", "host");
            }
            Accelerator::Tcg => {
                self.add("-accel", format!("tcg,thread=multi,tb-size={}", translation_mib(vm.memory_mib)));
                self.add("-cpu", "max");
            }
        }
        self.add("-smp", format!("cpus={0},sockets={0},cores=1,threads=1", vm.vcpus));
        self.add("-m", format!("size={}M", vm.memory_mib));
        // cloud-init knows an OpenStack cloud by the product's name.
        let smbios = "type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova,family=Virtual Machine";
        self.add("-smbios", format!("{smbios},version=Cumulet,serial={0},uuid={0}", vm.id));
        self.add("-rtc", "base=utc");
        self.add("-boot", "strict=on");
        // The guest's reboot stays in this process; its power-off ends it.
        self.add("-action", "reboot=reset,shutdown=poweroff");
        self.add("-display", "none");
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
        let image = self.set(inherited.image);
        let disk = self.set(inherited.disk);
        self.block(&json!({
            "driver": "file", "node-name": "image-file", "filename": image, "read-only": true,
        }));
        self.block(&json!({
            "driver": vm.root.image_format, "node-name": "image", "file": "image-file", "read-only": true,
        }));
        let cache = json!({ "no-flush": no_flush });
        self.block(&json!({
            "driver": "file", "node-name": "root-file", "filename": disk, "discard": "unmap", "cache": cache,
        }));
        // The backing file is named here, open: what the overlay's header says of it is never followed.
        self.block(&json!({
            "driver": "qcow2", "node-name": "root", "file": "root-file", "backing": "image", "discard": "unmap",
            "cache": cache,
        }));
        self.device(
            "virtio-blk-pci",
            &format!("id=disk-root,drive=root,serial={},bootindex=1", serial(&vm.id)),
        );
        if let Some(file) = inherited.config_drive {
            let file = self.set(file);
            self.block(&json!({
                "driver": "file", "node-name": "config-file", "filename": file, "read-only": true,
            }));
            self.block(&json!({
                "driver": "raw", "node-name": "config", "file": "config-file", "read-only": true,
            }));
            self.device("virtio-blk-pci", "id=disk-config,drive=config,serial=config-drive");
        }
        self.add("-object", "rng-builtin,id=entropy");
        self.device("virtio-rng-pci", "id=rng,rng=entropy");
        self.device("virtio-serial-pci", "id=serial");
        self.add("-device", "virtserialport,bus=serial.0,chardev=agent,name=org.qemu.guest_agent.0");
    }

    /// No boot ROM: machines boot from disk, and the ROMs are another package.
    fn nic(&mut self, nic: &NicPlan, tap: RawFd) {
        let id = &nic.port_id;
        self.add("-netdev", format!("tap,id=net-{id},fd={tap}"));
        let guest = format!("id=nic-{id},netdev=net-{id},mac={},host_mtu={},romfile=", nic.mac, nic.mtu);
        self.device("virtio-net-pci", &guest);
    }

    fn device(&mut self, driver: &str, properties: &str) {
        let port = self.next_port;
        self.next_port += 1;
        self.add("-device", format!("{driver},bus=port{port},{properties}"));
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
}

fn socket(id: &str, file: RawFd) -> String {
    format!("socket,id={id},fd={file},server=on,wait=off")
}

/// virtio-blk has room for 20 characters; Nova's guests know their root disk by the start of the id.
fn serial(id: &str) -> &str {
    id.get(..20).unwrap_or(id)
}

/// Cache of translated code. Small guests run little code; big ones drop and translate again when it is short.
fn translation_mib(memory_mib: u64) -> u64 {
    (memory_mib / 4).clamp(128, 512)
}
