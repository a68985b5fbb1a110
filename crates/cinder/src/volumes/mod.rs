//! Volumes.
//!
//! ```text
//!              files made            reserve           connector         complete
//!   creating ────────────► available ───────► reserved ─────────► attaching ──────► in-use
//!      │                    ▲ │ │ └─ extending, reverting, uploading ─┐   (detached)  │
//!      ▼ could not be made  │ │ └──────────────── and back ◄──────────┘               │
//!    error ─────────────────┼─┴──► gone: the row at once, files after it              │
//!                           └─────────────────────────────────────────────────────────┘
//! ```
//! A volume with an attachment is never deleted; a volume that is not multiattach has one server at a time.

pub mod actions;
pub mod api;
pub mod create;
pub mod freeze;
pub mod list;
pub mod metadata_api;
pub mod reimage;
pub mod retype;
pub mod rules;
pub mod store;
pub mod upload;
pub mod view;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use base::{Ctx, Result};
use db::AnyConnection;

use crate::listing::Listed;
use crate::words;

macro_rules! statuses {
    ($($variant:ident = $text:literal),* $(,)?) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Status { $($variant),* }

        impl Status {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|status| status.as_str() == text)
            }
        }
    };
}

statuses! {
    Creating = "creating",
    Available = "available",
    Deleting = "deleting",
    Error = "error",
    ErrorDeleting = "error_deleting",
    ErrorManaging = "error_managing",
    Managing = "managing",
    Attaching = "attaching",
    InUse = "in-use",
    Detaching = "detaching",
    Maintenance = "maintenance",
    RestoringBackup = "restoring-backup",
    ErrorRestoring = "error_restoring",
    Reserved = "reserved",
    AwaitingTransfer = "awaiting-transfer",
    BackingUp = "backing-up",
    ErrorBackingUp = "error_backing-up",
    ErrorExtending = "error_extending",
    Downloading = "downloading",
    Uploading = "uploading",
    Retyping = "retyping",
    Extending = "extending",
    Reverting = "reverting",
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    pub id: String,
    pub project_id: String,
    pub user_id: String,
    pub name: Option<String>,
    pub description: Option<String>,
    /// GiB
    pub size: i64,
    /// GiB: what it is being extended to. Counts for quotas already.
    pub pending_size: Option<i64>,
    pub status: Status,
    pub previous_status: Option<Status>,
    pub migration_status: Option<String>,
    pub type_id: String,
    pub availability_zone: String,
    pub bootable: bool,
    pub multiattach: bool,
    /// None: nobody ever said.
    pub readonly: Option<bool>,
    pub snapshot_id: Option<String>,
    pub source_volid: Option<String>,
    pub image_id: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub image_metadata: BTreeMap<String, String>,
    /// The image that it is being uploaded to: `<id> <format>`, and `below` when what is below the head is.
    pub upload: Option<String>,
    /// The layer that is the volume.
    pub head: String,
    /// The layer that machines still write into, until they are told of `head`.
    pub writing: Option<String>,
    /// The layer that all others are being copied into.
    pub flat: Option<String>,
    /// In the key manager: what opens its layers. Some: it is encrypted.
    pub key_id: Option<String>,
    /// Of the layers that are made for it, as [`host::Cipher`] prints it.
    pub cipher: Option<String>,
    /// The type that it has when it is encrypted anew.
    pub pending_type: Option<String>,
    /// What opens `flat` then, if that is encrypted.
    pub flat_key_id: Option<String>,
    pub group_id: Option<String>,
    pub created_at: i64,
    pub updated_at: Option<i64>,
    pub generation: i64,
}

impl Volume {
    pub fn bytes(&self) -> i64 {
        gib(self.size)
    }
}

/// Bytes of so many GiB.
pub fn gib(size: i64) -> i64 {
    size.saturating_mul(1 << 30)
}

impl Listed for Volume {
    const KEYS: &'static [&'static str] = &[
        "id",
        "name",
        "display_name",
        "status",
        "size",
        "created_at",
        "updated_at",
        "availability_zone",
        "bootable",
        "volume_type_id",
        "project_id",
        "user_id",
        "host",
        "attach_status",
        "migration_status",
    ];

    fn id(&self) -> &str {
        &self.id
    }

    fn compare(&self, other: &Self, key: &str) -> Ordering {
        match key {
            "id" => self.id.cmp(&other.id),
            "name" | "display_name" => self.name.cmp(&other.name),
            "status" => self.status.as_str().cmp(other.status.as_str()),
            "size" => self.size.cmp(&other.size),
            "created_at" => self.created_at.cmp(&other.created_at),
            "updated_at" => self.updated_at.cmp(&other.updated_at),
            "availability_zone" => self.availability_zone.cmp(&other.availability_zone),
            "bootable" => self.bootable.cmp(&other.bootable),
            "volume_type_id" => self.type_id.cmp(&other.type_id),
            "project_id" => self.project_id.cmp(&other.project_id),
            "user_id" => self.user_id.cmp(&other.user_id),
            _ => Ordering::Equal,
        }
    }
}

/// 404 unless `ctx` may see it.
pub async fn load(conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<Volume> {
    let found = store::get(conn, id).await?;
    found.filter(|volume| ctx.owns(&volume.project_id)).ok_or_else(|| words::no_volume(id))
}
