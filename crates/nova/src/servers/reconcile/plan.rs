//! The machine that a row describes, as the driver wants to hear it.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use cinder::Disk;
use host::fake::HINT_PREFIX;
use host::plan::{Bus, Drive, Limits, NicPlan, RescuePlace, RescuePlan, RootDisk, VmPlan};
use neutron::PortView;

use crate::Config;
use crate::block_devices::{BlockDevice, guests};
use crate::metadata::Guest;
use crate::servers::{RescueBus, Server, Spec, TaskState, VmState};

/// `ports` in the order of the NICs, `disks` in that of the devices.
pub(super) fn plan(
    server: &Server,
    spec: &Spec,
    ports: &[PortView],
    disks: &[(BlockDevice, Disk)],
    zone: &str,
    config: &Config,
) -> VmPlan {
    let flavor = &server.flavor;
    let devices: Vec<BlockDevice> = disks.iter().map(|(device, _)| device.clone()).collect();
    let guest = Guest { server, spec, ports, devices: &devices, zone, config };
    let config_drive = server.config_drive.then(|| guest.config_drive());
    // What it boots from is the first one.
    let (root, others): (Vec<_>, Vec<_>) = disks.iter().partition(|(device, _)| device.is_root());
    let ordered = root.into_iter().chain(others);
    VmPlan {
        id: server.id.clone(),
        name: server.name.clone(),
        vcpus: u32::try_from(flavor.vcpus).unwrap_or(u32::MAX),
        memory_mib: u64::try_from(flavor.memory_mib).unwrap_or(0),
        root: server.image_id.as_ref().map(|_| RootDisk {
            image: Utf8PathBuf::from(spec.image_file.clone().unwrap_or_default()),
            image_format: spec.image_format.clone().unwrap_or_default(),
            size_gib: u64::try_from(flavor.root_gib).unwrap_or(0),
        }),
        disks: ordered.map(|(device, disk)| guests::plan(Some(device), disk)).collect(),
        ephemeral_mib: u64::try_from(flavor.ephemeral_gib).unwrap_or(0).saturating_mul(1024),
        swap_mib: u64::try_from(flavor.swap_mib).unwrap_or(0),
        rescue: rescue(server, spec),
        nics: ports.iter().map(nic).collect(),
        config_drive,
        hints: server
            .metadata
            .iter()
            .filter(|(key, _)| key.starts_with(HINT_PREFIX))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        limits: limits(&flavor.extra_specs),
    }
}

pub(super) fn nic(port: &PortView) -> NicPlan {
    NicPlan {
        port_id: port.id.clone(),
        network_id: port.network_id.clone(),
        mac: port.mac.clone(),
        mtu: port.mtu,
    }
}

/// As large as its image: it is thrown away when the server comes out of rescue.
fn rescue(server: &Server, spec: &Spec) -> Option<RescuePlan> {
    let inside = match server.task_state {
        Some(TaskState::Rescuing) => true,
        Some(TaskState::Unrescuing) => false,
        _ => server.vm_state == VmState::Rescued,
    };
    let rescue = spec.work.rescue.as_ref().filter(|_| inside)?;
    let disk = RootDisk {
        image: Utf8PathBuf::from(rescue.file.clone()?),
        image_format: rescue.format.clone()?,
        size_gib: 0,
    };
    let place = rescue.drive.map_or(RescuePlace::First, |drive| {
        let bus = match drive.bus {
            RescueBus::Virtio => Bus::Virtio,
            RescueBus::Scsi => Bus::Scsi,
            RescueBus::Usb => Bus::Usb,
            RescueBus::Sata => Bus::Sata,
        };
        RescuePlace::Last(Drive { bus, cdrom: drive.cdrom })
    });
    Some(RescuePlan { disk, place })
}

/// Nova's own names for them.
fn limits(specs: &BTreeMap<String, String>) -> Limits {
    let number = |key: &str| specs.get(key).and_then(|text| text.trim().parse().ok());
    Limits {
        cpu_shares: number("quota:cpu_shares"),
        cpu_quota: number("quota:cpu_quota"),
        cpu_period: number("quota:cpu_period"),
    }
}

pub(super) fn networks(ports: &[PortView]) -> Vec<String> {
    let mut ids: Vec<String> = ports.iter().map(|p| p.network_id.clone()).collect();
    ids.sort();
    ids.dedup();
    ids
}

pub(super) fn ids(ports: &[PortView]) -> Vec<String> {
    ports.iter().map(|p| p.id.clone()).collect()
}
