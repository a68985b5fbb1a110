//! What a volume's state allows.

use base::{Ctx, Error, Result};
use glance::Image;

use super::{Status, Volume, gib};
use crate::attachments::Attachment;
use crate::types::VolumeType;
use crate::words::{any_of, invalid_input, invalid_volume};

/// The property of an image that names the key of its data.
pub const IMAGE_KEY: &str = "cinder_encryption_key_id";
/// What becomes of that key when the image is deleted.
pub const IMAGE_KEY_POLICY: &str = "cinder_encryption_key_deletion_policy";
/// No header of LUKS, version 1, takes more.
const LUKS_HEADER: i64 = 4 << 20;

/// The state alone; snapshots and attachments are counted in the transaction that deletes.
pub fn may_delete(
    volume: &Volume,
    attachments: &[Attachment],
    snapshots: usize,
    force: bool,
    cascade: bool,
) -> Result<()> {
    const FREE: [&str; 5] = ["available", "error", "error_restoring", "error_extending", "error_managing"];
    let in_state = force || FREE.contains(&volume.status.as_str());
    // Whoever was told where the volume is may have it open.
    let in_use = attachments.iter().any(Attachment::is_connected);
    let migrating = !matches!(volume.migration_status.as_deref(), None | Some("success" | "error"));
    if in_state && !in_use && !migrating && volume.group_id.is_none() && (cascade || snapshots == 0) {
        return Ok(());
    }
    let status = if force { String::new() } else { format!("status must be {} and", any_of(&FREE)) };
    Err(invalid_volume(format!(
        "Volume {status} must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be \
         disassociated from snapshots after volume transfer."
    )))
}

/// The image's data fits, and machines can run from it.
pub fn image_fits(image: &Image, size: i64) -> Result<()> {
    if image.status != glance::Status::Active {
        return Err(invalid_input(format!("Image {} is not active.", image.id)));
    }
    // Of what is encrypted already, so much of the file is no data.
    let header = if image.properties.contains_key(IMAGE_KEY) { LUKS_HEADER } else { 0 };
    let file = image.size.unwrap_or(0).saturating_sub(header);
    let needs = file.saturating_add(gib(1) - 1) / gib(1);
    if needs > size {
        return Err(invalid_input(format!(
            "Size of specified image {needs}GB is larger than volume size {size}GB."
        )));
    }
    if size < image.min_disk {
        return Err(invalid_input(format!(
            "Volume size {size}GB cannot be smaller than the image minDisk size {}GB.",
            image.min_disk
        )));
    }
    let seen = image.virtual_size.unwrap_or(0).saturating_sub(header);
    if seen > gib(size) {
        let needs = seen.saturating_add(gib(1) - 1) / gib(1);
        return Err(Error::bad_request(format!(
            "Image {} is unacceptable: Image virtual size is {needs}GB and doesn't fit in a volume of size {size}GB.",
            image.id
        )));
    }
    Ok(())
}

/// The type may say how small and how large its volumes are, in GiB. What is no number says nothing.
pub fn size_fits(kind: &VolumeType, size: i64) -> Result<()> {
    let bound = |key| kind.extra_specs.get(key).and_then(|text| text.trim().parse::<i64>().ok());
    let (least, most) = (bound("provisioning:min_vol_size"), bound("provisioning:max_vol_size"));
    let (wrong, limit) = match (least, most) {
        (Some(least), _) if size < least => ("less than the minimum required", least),
        (_, Some(most)) if size > most => ("greater than the maximum allowable", most),
        _ => return Ok(()),
    };
    Err(invalid_input(format!(
        "Specified volume size of '{size}' is {wrong} size of '{limit}' for volume type '{}'.",
        kind.name
    )))
}

pub fn may_extend(volume: &Volume, new_size: i64, online: bool) -> Result<()> {
    if new_size <= volume.size {
        return Err(invalid_input(format!(
            "New size for extend must be greater than current size. (current: {}, extended: {new_size}).",
            volume.size
        )));
    }
    let expected = if online { Status::InUse } else { Status::Available };
    if volume.status != expected {
        return Err(invalid_volume(format!(
            "Volume {} status must be '{{'status': '{}'}}' to extend, currently {}.",
            volume.id,
            expected.as_str(),
            volume.status.as_str()
        )));
    }
    Ok(())
}

/// A volume that is about to be copied: by a snapshot or as a source.
pub fn may_snapshot(volume: &Volume, in_use: bool) -> Result<()> {
    match volume.status {
        Status::Maintenance => {
            Err(invalid_volume("The snapshot cannot be created when the volume is in maintenance mode."))
        }
        Status::Error => {
            Err(invalid_volume("The snapshot cannot be created when the volume is in error status."))
        }
        Status::Available => Ok(()),
        Status::InUse if in_use => Ok(()),
        other => Err(invalid_volume(format!(
            "Volume {} status must be {}, but current status is: {}.",
            volume.id,
            if in_use { "available, in-use" } else { "available" },
            other.as_str()
        ))),
    }
}

pub fn may_retype(volume: &Volume, new: &VolumeType, qos_changes: bool) -> Result<()> {
    size_fits(new, volume.size)?;
    if new.is_multiattach() && new.encryption.is_some() {
        return Err(invalid_input(
            "Retype requested both encryption and multi-attach, which is not supported.",
        ));
    }
    if volume.multiattach != new.is_multiattach() && volume.status != Status::Available {
        return Err(invalid_input(format!(
            "Invalid volume_type passed, retypes affecting multiattach are only allowed on available volumes, the \
             specified volume however currently has a status of: {}.",
            volume.status.as_str()
        )));
    }
    let in_state = match volume.status {
        Status::Available => true,
        Status::InUse => !qos_changes,
        _ => false,
    };
    if in_state && volume.group_id.is_none() && volume.type_id != new.id {
        return Ok(());
    }
    Err(invalid_volume(
        "Retype needs volume to be in available or in-use state, not be part of an active migration or a consistency \
         group, requested type has to be different that the one from the volume, and for in-use volumes front-end qos \
         specs cannot change.",
    ))
}

/// Metadata stands still while it is copied into an image.
pub fn may_change_metadata(volume: &Volume, verb: &str) -> Result<()> {
    match volume.status {
        Status::Maintenance | Status::Uploading => Err(invalid_volume(format!(
            "{verb} volume metadata is not allowed for volumes in {} status.",
            volume.status.as_str()
        ))),
        _ => Ok(()),
    }
}

/// Refused here, since the route asked only for a reader.
pub fn may(ctx: &Ctx, policy: &base::Policy, volume: &Volume) -> Result<()> {
    ctx.authorize(policy, Some(&volume.project_id))
}
