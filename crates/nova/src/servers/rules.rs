//! What may be done to a server in its state, and how its parts are named. No SQL, no HTTP.

use std::collections::BTreeMap;

use base::{Ctx, Error, Policy, Result};

use super::{RescueBus, RescueDrive, Server, TaskState, VmState};

/// The word that clients see.
pub(crate) fn status(server: &Server) -> &'static str {
    if server.deleted_at.is_some() {
        return "DELETED";
    }
    shown_status(server.vm_state, server.task_state)
}

/// The same of a living one's states alone.
pub(crate) fn shown_status(state: VmState, task: Option<TaskState>) -> &'static str {
    use TaskState as Task;
    match (state, task) {
        (VmState::Active, Some(Task::Rebooting)) => "REBOOT",
        (VmState::Active, Some(Task::RebootingHard)) => "HARD_REBOOT",
        (VmState::Active, Some(Task::UpdatingPassword)) => "PASSWORD",
        (
            VmState::Active | VmState::Stopped | VmState::Error,
            Some(Task::Rebuilding | Task::RebuildSpawning),
        ) => "REBUILD",
        (VmState::Active | VmState::Paused, Some(Task::Migrating)) => "MIGRATING",
        (
            VmState::Active | VmState::Stopped,
            Some(Task::ResizePrep | Task::ResizeMigrating | Task::ResizeFinish),
        ) => "RESIZE",
        (VmState::Active, _) => "ACTIVE",
        (VmState::Building, _) => "BUILD",
        (VmState::Stopped, _) => "SHUTOFF",
        (VmState::Paused, _) => "PAUSED",
        (VmState::Suspended, _) => "SUSPENDED",
        (VmState::Rescued, _) => "RESCUE",
        (VmState::Resized, Some(Task::ResizeReverting)) => "REVERT_RESIZE",
        (VmState::Resized, _) => "VERIFY_RESIZE",
        (VmState::Shelved, _) => "SHELVED",
        (VmState::ShelvedOffloaded, _) => "SHELVED_OFFLOADED",
        (VmState::SoftDeleted, _) => "SOFT_DELETED",
        (VmState::Error, _) => "ERROR",
        (VmState::Deleted, _) => "DELETED",
    }
}

/// Every status that a server of Nova can have; those that ours never reach match no server.
pub(crate) const STATUSES: &[&str] = &[
    "ACTIVE",
    "BUILD",
    "DELETED",
    "ERROR",
    "HARD_REBOOT",
    "MIGRATING",
    "PASSWORD",
    "PAUSED",
    "REBOOT",
    "REBUILD",
    "RESCUE",
    "RESIZE",
    "REVERT_RESIZE",
    "SHELVED",
    "SHELVED_OFFLOADED",
    "SHUTOFF",
    "SOFT_DELETED",
    "SUSPENDED",
    "VERIFY_RESIZE",
];

/// 409 unless the server is in one of these states, with no task under way and, as Nova wants it, was built once.
pub(crate) fn check_state(server: &Server, action: &str, states: &[VmState]) -> Result<()> {
    check_vm_state(server, action, states)?;
    if let Some(task) = server.task_state {
        return Err(wrong(server, action, "task_state", task.as_str()));
    }
    if server.launched_at.is_none() {
        return Err(Error::conflict(format!("Instance {} is in an invalid state for '{action}'", server.id)));
    }
    Ok(())
}

/// 409 unless the server is being moved to another host while it runs.
pub(crate) fn check_migrating(server: &Server, action: &str, states: &[VmState]) -> Result<()> {
    check_vm_state(server, action, states)?;
    match server.task_state {
        Some(TaskState::Migrating) => Ok(()),
        task => Err(wrong(server, action, "task_state", task.map_or("None", TaskState::as_str))),
    }
}

pub(crate) fn check_vm_state(server: &Server, action: &str, states: &[VmState]) -> Result<()> {
    if states.contains(&server.vm_state) {
        Ok(())
    } else {
        Err(wrong(server, action, "vm_state", server.vm_state.as_str()))
    }
}

pub(crate) fn wrong(server: &Server, action: &str, attribute: &str, state: &str) -> Error {
    Error::conflict(format!("Cannot '{action}' instance {} while it is in {attribute} {state}", server.id))
}

/// 409 for a locked server unless the caller is an admin.
pub(crate) fn check_lock(ctx: &Ctx, server: &Server) -> Result<()> {
    if server.locked_by.is_some() && !ctx.is_admin() {
        return Err(Error::conflict(format!("Instance {} is locked", server.id)));
    }
    Ok(())
}

/// A hard reboot may also cut short another reboot.
pub(crate) fn check_hard_reboot(server: &Server) -> Result<()> {
    let states = [VmState::Active, VmState::Stopped, VmState::Paused, VmState::Suspended, VmState::Error];
    let mut resting = server.clone();
    if matches!(server.task_state, Some(TaskState::Rebooting | TaskState::RebootingHard)) {
        resting.task_state = None;
    }
    check_state(&resting, "reboot", &states)
}

pub(crate) fn disk_smaller_than_minimum(flavor_gib: i64, least_gib: i64) -> String {
    format!(
        "Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is {} bytes, minimum \
         size is {} bytes.",
        flavor_gib << 30,
        least_gib << 30
    )
}

/// Pins a server to the zone that it is in, or to none; `zone` is its host's.
pub(crate) fn pin(server: &mut Server, wanted: Option<String>, zone: &str) -> Result<()> {
    if let Some(wanted) = &wanted {
        if server.pinned_zone.as_ref().is_some_and(|pinned| pinned != wanted) {
            return Err(Error::conflict(format!(
                "Instance {} is pinned to another availability zone; unpin it first.",
                server.id
            )));
        }
        if server.pinned_zone.is_none() && wanted != zone {
            return Err(Error::conflict(format!(
                "Instance {} is not in availability zone {wanted}.",
                server.id
            )));
        }
    }
    server.pinned_zone = wanted;
    Ok(())
}

/// Whether a soft deletion leaves something that can run again: what was built, has its disk on a host, and is not in the
/// middle of getting another one.
pub(crate) fn can_come_back(server: &Server) -> bool {
    use TaskState as Task;
    let whole = match server.task_state {
        None => true,
        Some(task) => matches!(
            task,
            Task::PoweringOff
                | Task::PoweringOn
                | Task::Rebooting
                | Task::RebootingHard
                | Task::Pausing
                | Task::Unpausing
                | Task::Suspending
                | Task::Resuming
                | Task::Rescuing
                | Task::Unrescuing
                | Task::ImageSnapshotPending
                | Task::ImageBackup
                | Task::ImageUploading
                | Task::Migrating
                | Task::UpdatingPassword
                | Task::SoftDeleting
                | Task::Restoring
        ),
    };
    whole && server.launched_at.is_some() && server.host.is_some()
}

/// What a rescue image's properties say of its drive. None: nothing, so it takes the first disk's place. 400: nothing that
/// this cloud can do.
pub(crate) fn rescue_drive(
    image: &str,
    properties: &BTreeMap<String, String>,
) -> Result<Option<RescueDrive>> {
    let told = |key: &str| properties.get(key).map(String::as_str);
    let (device, bus) = (told("hw_rescue_device"), told("hw_rescue_bus"));
    if device.is_none() && bus.is_none() {
        return Ok(None);
    }
    let cdrom = match device {
        None | Some("disk") => Some(false),
        Some("cdrom") => Some(true),
        Some(_) => None,
    };
    let drive = cdrom.and_then(|cdrom| {
        let bus = match bus {
            None if cdrom => RescueBus::Sata,
            None => RescueBus::Virtio,
            Some("virtio") if !cdrom => RescueBus::Virtio,
            Some("scsi") => RescueBus::Scsi,
            Some("usb") => RescueBus::Usb,
            // The machines have no older controller, and guests take the one for the other.
            Some("sata" | "ide") => RescueBus::Sata,
            Some(_) => return None,
        };
        Some(RescueDrive { bus, cdrom })
    });
    drive.map(Some).ok_or_else(|| unsupported_rescue(image))
}

pub(crate) fn unsupported_rescue(image: &str) -> Error {
    Error::bad_request(format!("Requested rescue image '{image}' is not supported"))
}

pub(crate) fn forbidden(policy: &Policy) -> Error {
    Error::forbidden(format!("Policy doesn't allow {} to be performed.", policy.name))
}

/// A DNS label from a display name, as Nova makes it; empty when nothing of the name is left.
pub(crate) fn hostname(name: &str) -> String {
    let latin = name.chars().filter(|c| u32::from(*c) < 256);
    let dashed: String = latin
        .take(63)
        .map(|c| if " _.".contains(c) { '-' } else { c })
        .filter(|c| c.is_alphanumeric() || *c == '-')
        .collect();
    dashed.to_lowercase().trim_matches(['.', '-']).to_owned()
}

/// The names of the `index`-th of `count` servers of one request: (name, hostname).
pub(crate) fn names(name: &str, asked: Option<&str>, id: &str, count: i64, index: i64) -> (String, String) {
    let numbered = if count > 1 { format!("{name}-{}", index + 1) } else { name.to_owned() };
    let host = match asked {
        Some(asked) => asked.to_owned(),
        None => match hostname(name) {
            host if host.is_empty() => format!("server-{id}"),
            host if count > 1 => {
                let suffix = format!("-{}", index + 1);
                let cut: String = host.chars().take(63 - suffix.len()).collect();
                format!("{cut}{suffix}")
            }
            host => host,
        },
    };
    (numbered, host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rescue_image_says_where_it_goes() {
        let drive = |device: &str, bus: &str| {
            let told = [("hw_rescue_device", device), ("hw_rescue_bus", bus)];
            let told = told.iter().filter(|(_, value)| !value.is_empty());
            rescue_drive("i", &told.map(|(key, value)| ((*key).into(), (*value).into())).collect())
        };
        let at = |bus, cdrom| Some(RescueDrive { bus, cdrom });
        assert_eq!(drive("", "").unwrap(), None);
        assert_eq!(drive("disk", "").unwrap(), at(RescueBus::Virtio, false));
        assert_eq!(drive("", "usb").unwrap(), at(RescueBus::Usb, false));
        assert_eq!(drive("cdrom", "").unwrap(), at(RescueBus::Sata, true));
        assert_eq!(drive("cdrom", "ide").unwrap(), at(RescueBus::Sata, true));
        assert_eq!(drive("cdrom", "scsi").unwrap(), at(RescueBus::Scsi, true));
        for (device, bus) in [("floppy", ""), ("cdrom", "virtio"), ("disk", "xen")] {
            let told = drive(device, bus).unwrap_err().message;
            assert_eq!(told, "Requested rescue image 'i' is not supported");
        }
    }

    #[test]
    fn hostnames_are_labels() {
        assert_eq!(hostname("My Server_1.example"), "my-server-1-example");
        assert_eq!(hostname("--a--"), "a");
        assert_eq!(hostname("界"), "");
        assert_eq!(hostname(&"x".repeat(80)).len(), 63);
        assert_eq!(names("界", None, "i", 1, 0), ("界".into(), "server-i".into()));
        assert_eq!(names("a b", None, "i", 2, 1), ("a b-2".into(), "a-b-2".into()));
        assert_eq!(names("a", Some("h"), "i", 1, 0), ("a".into(), "h".into()));
    }
}
