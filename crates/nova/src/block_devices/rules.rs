//! What a server's and a volume's state allow. No SQL, no HTTP.

use base::{Ctx, Error, Kind, Result};
use cinder::Volume;

use super::BlockDevice;
use crate::servers::{Server, VmState, rules};

/// States in which volumes come and go.
pub(super) const STATES: &[VmState] = &[
    VmState::Active,
    VmState::Paused,
    VmState::Stopped,
    VmState::Resized,
    VmState::SoftDeleted,
    VmState::Shelved,
    VmState::ShelvedOffloaded,
];

/// On a shelf volumes come and go since 2.20.
pub(super) fn check_shelved(ctx: &Ctx, server: &Server, action: &str) -> Result<()> {
    let shelved = matches!(server.vm_state, VmState::Shelved | VmState::ShelvedOffloaded);
    if shelved && !ctx.at_least(2, 20) {
        return Err(rules::wrong(server, action, "vm_state", server.vm_state.as_str()));
    }
    Ok(())
}

pub(super) fn check_server(ctx: &Ctx, server: &Server, action: &str) -> Result<()> {
    check_shelved(ctx, server, action)?;
    rules::check_lock(ctx, server)?;
    rules::check_state(server, action, STATES)
}

/// `devices`: of this volume, on any server.
pub(super) fn check_not_attached(server: &str, volume: &Volume, devices: &[BlockDevice]) -> Result<()> {
    if devices.is_empty() {
        return Ok(());
    }
    if !volume.multiattach {
        let servers: Vec<&str> = devices.iter().map(|device| device.server_id.as_str()).collect();
        return Err(invalid_volume(format!(
            "volume {} is already attached to instances: {}",
            volume.id,
            servers.join(" ")
        )));
    }
    if devices.iter().any(|device| device.server_id == server) {
        return Err(invalid_volume(format!("volume {} already attached", volume.id)));
    }
    Ok(())
}

pub(crate) fn check_multiattach(ctx: &Ctx, volume: &Volume) -> Result<()> {
    if volume.multiattach && !ctx.at_least(2, 60) {
        return Err(Error::bad_request(
            "Multiattach volumes are only supported starting with compute API version 2.60.",
        ));
    }
    Ok(())
}

/// No host can say whether it has what these need.
pub(super) fn check_offloaded(volume: &Volume, tag: Option<&str>) -> Result<()> {
    if tag.is_some() {
        return Err(Error::bad_request(
            "Tagged volume attachment is not supported for shelved-offloaded instances.",
        ));
    }
    if volume.multiattach {
        return Err(Error::bad_request(
            "Attaching multiattach volumes is not supported for shelved-offloaded instances.",
        ));
    }
    Ok(())
}

pub(crate) fn invalid_volume(reason: impl std::fmt::Display) -> Error {
    Error::bad_request(format!("Invalid volume: {reason}"))
}

/// What Cinder refuses is the client's mistake in Nova's words.
pub(crate) fn refused(error: Error) -> Error {
    match error.kind {
        Kind::BadRequest | Kind::Conflict => {
            let reason = error.message.strip_prefix("Invalid volume: ").unwrap_or(&error.message);
            invalid_volume(reason)
        }
        _ => error,
    }
}

pub(crate) fn not_attached(server: &str, volume: &str) -> Error {
    Error::not_found(format!("Instance {server} is not attached to volume {volume}"))
}
