//! What a server's machine is made from, and what the task under way needs.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::flavors::Flavor;

/// One of a server's NICs, as asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Nic {
    pub network_id: String,
    /// Given by the client, or known since it was allocated.
    pub port_id: Option<String>,
    pub fixed_ip: Option<IpAddr>,
    pub tag: Option<String>,
}

/// What the machine is made from.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Spec {
    /// Base64, as given.
    pub user_data: Option<String>,
    /// Injected files: (path, content in base64).
    pub files: Vec<(String, String)>,
    pub nics: Vec<Nic>,
    /// Ids for the ports that Nova makes; empty: the project's default group.
    pub security_groups: Vec<String>,
    pub key_type: Option<String>,
    pub public_key: Option<String>,
    /// Only until the machine was made: it goes into the config drive and nowhere else.
    pub admin_pass: Option<String>,
    /// Where the image's data was when the disk was made: the disk may be an overlay over it for ever.
    pub image_file: Option<String>,
    pub image_format: Option<String>,
    /// Written by `store::keep_guest_password` alone.
    pub guest_password: Option<String>,
    pub work: Work,
}

/// What the task under way needs, and what must be known until the server leaves its state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Work {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize: Option<Resize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rescue: Option<Rescue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// The image of a shelved server's disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shelved: Option<String>,
    /// The image that is to be put on the volume that the server boots from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reimage: Option<String>,
}

/// From the request until it is confirmed or reverted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Resize {
    pub old: Flavor,
    pub new: Flavor,
    /// It ran before, and shall run afterwards.
    pub ran: bool,
    /// Of the row in `server_migrations`.
    pub uuid: String,
    /// The same flavor on another host.
    pub is_move: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rescue {
    /// None: the image that the server was made from.
    pub image_id: Option<String>,
    /// Known since the rescue disk was made.
    pub file: Option<String>,
    pub format: Option<String>,
    /// Stable rescue: the server's own disks stay where they are, and the rescue disk comes behind them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drive: Option<RescueDrive>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RescueDrive {
    pub bus: RescueBus,
    pub cdrom: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RescueBus {
    Virtio,
    Scsi,
    Usb,
    Sata,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub image_id: String,
    /// Of a backup: its type, and how many of them to keep.
    pub backup: Option<(String, i64)>,
}
