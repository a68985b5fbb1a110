//! Attachments: who uses a volume, or is about to.
//!
//! ```text
//!   reserved ──connector──► attaching ──complete──► attached ──► (no row)
//! ```
//! The volume's status follows from its attachments in the transaction that changes one of them.

pub mod api;
pub mod store;
pub mod view;

use std::cmp::Ordering;

use base::{Error, Result};

use crate::listing::Listed;
use crate::volumes::{Status, Volume};
use crate::words::invalid_volume;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    pub id: String,
    pub volume_id: String,
    /// The volume's.
    pub project_id: String,
    pub server_id: Option<String>,
    pub host: Option<String>,
    pub mountpoint: Option<String>,
    /// `reserved`, `attaching`, `attached`
    pub status: String,
    /// `rw`, `ro`
    pub mode: Option<String>,
    /// JSON text: what the one who connects says of itself. None: nobody was told where the volume is.
    pub connector: Option<String>,
    pub attached_at: Option<i64>,
    pub created_at: i64,
}

impl Attachment {
    pub fn new(volume: &Volume, server: Option<&str>, status: &str) -> Attachment {
        Attachment {
            id: base::id::uuid(),
            volume_id: volume.id.clone(),
            project_id: volume.project_id.clone(),
            server_id: server.map(Into::into),
            host: None,
            mountpoint: None,
            status: status.into(),
            mode: None,
            connector: None,
            attached_at: None,
            created_at: base::time::now(),
        }
    }

    pub fn is_attached(&self) -> bool {
        self.status == "attached"
    }

    /// By the older action, which has no connector and names a place in any case.
    pub fn is_by_action(&self) -> bool {
        self.connector.is_none() && self.mountpoint.is_some()
    }

    /// Somebody knows where the volume is and may have it open.
    pub fn is_connected(&self) -> bool {
        self.connector.is_some() || self.is_attached()
    }
}

impl Listed for Attachment {
    const KEYS: &'static [&'static str] =
        &["id", "created_at", "attach_status", "status", "volume_id", "instance_uuid"];

    fn id(&self) -> &str {
        &self.id
    }

    fn compare(&self, other: &Self, key: &str) -> Ordering {
        match key {
            "id" => self.id.cmp(&other.id),
            "created_at" => self.created_at.cmp(&other.created_at),
            "attach_status" | "status" => self.status.cmp(&other.status),
            "volume_id" => self.volume_id.cmp(&other.volume_id),
            "instance_uuid" => self.server_id.cmp(&other.server_id),
            _ => Ordering::Equal,
        }
    }
}

/// May `server` reserve it?
pub fn may_reserve(volume: &Volume, others: &[Attachment], server: Option<&str>) -> Result<()> {
    if volume.status.as_str().contains("error") {
        return Err(invalid_volume(format!(
            "Volume attachments can not be created if the volume is in an error state. The Volume {} currently has a \
             status of: {} ",
            volume.id,
            volume.status.as_str()
        )));
    }
    let allowed = match volume.status {
        Status::Available => true,
        Status::InUse if volume.multiattach => true,
        // A server that moves to another host has two for a while.
        Status::InUse | Status::Reserved => {
            server.is_some() && others.iter().any(|other| other.server_id.as_deref() == server)
        }
        _ => false,
    };
    if allowed {
        return Ok(());
    }
    let wanted =
        if volume.multiattach { "available or in-use or downloading" } else { "available or downloading" };
    Err(invalid_volume(format!(
        "Volume {} status must be {wanted} to reserve, but the current status is {}.",
        volume.id,
        volume.status.as_str()
    )))
}

/// May one of a volume's attachments be told where it is?
pub fn may_connect(volume: &Volume, others: &[Attachment], mode: &str) -> Result<()> {
    if volume.status.as_str().contains("error") {
        return Err(Error::conflict(format!(
            "Resource conflict: Volume attachments can not be updated if the volume is in an error state. The Volume {} \
             currently has a status of: {} ",
            volume.id,
            volume.status.as_str()
        )));
    }
    if !volume.multiattach && others.iter().any(Attachment::is_connected) {
        return Err(Error::conflict(format!(
            "Resource conflict: duplicate connectors detected on volume {}",
            volume.id
        )));
    }
    check_mode(volume, mode)
}

pub fn check_mode(volume: &Volume, mode: &str) -> Result<()> {
    match (volume.readonly, mode) {
        (Some(true), mode) if mode != "ro" => {
            Err(Error::bad_request(format!("Invalid attaching mode '{mode}' for volume {}.", volume.id)))
        }
        _ => Ok(()),
    }
}

/// The volume's status after its attachments have changed.
pub fn follow(volume: &mut Volume, attachments: &[Attachment]) {
    let has = |status: &str| attachments.iter().any(|a| a.status == status);
    let status = match () {
        () if has("attached") => Status::InUse,
        () if has("attaching") => Status::Attaching,
        () if has("reserved") => Status::Reserved,
        () => Status::Available,
    };
    let follows = |status: Status| {
        matches!(
            status,
            Status::Available | Status::InUse | Status::Attaching | Status::Reserved | Status::Detaching
        )
    };
    if follows(volume.status) {
        volume.status = status;
    } else if volume.previous_status.is_some_and(follows) {
        // What is under way ends there.
        volume.previous_status = Some(status);
    }
}
