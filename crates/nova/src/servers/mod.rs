//! Servers: the machines.
//!
//! ```text
//!  POST /servers                     (task_state)
//!   BUILDING ── scheduling ──► networking ──► (block_device_mapping ──►) spawning ──► ACTIVE
//!      └─ a step fails for good ──► ERROR ◄── any other task fails for good
//!
//!   ACTIVE ── powering-off ──► STOPPED ── powering-on ──► ACTIVE ── the guest powers itself off ──► STOPPED
//!   ACTIVE ── rebooting ──► ACTIVE ◄── rebooting_hard ── ACTIVE, STOPPED, PAUSED, SUSPENDED, ERROR
//!   ACTIVE ── pausing ──► PAUSED ── unpausing ──► ACTIVE
//!   ACTIVE ── suspending ──► SUSPENDED ── resuming ──► ACTIVE
//!   ACTIVE, STOPPED, ERROR ── rescuing ──► RESCUED ── unrescuing ──► ACTIVE
//!   ACTIVE, STOPPED, ERROR ── rebuilding ──► rebuild_spawning ──► ACTIVE, STOPPED
//!   ACTIVE, STOPPED ── resize_prep ──► resize_migrating ──► resize_finish ──► RESIZED
//!                        └─ no room ──► as before        RESIZED ── resize_confirming ──► ACTIVE, STOPPED
//!                                                        RESIZED ── resize_reverting ──► as before
//!   ACTIVE, STOPPED, PAUSED, SUSPENDED ── shelving ──► shelving_image_uploading ──► shelving_offloading
//!                                          ──► SHELVED_OFFLOADED ── unshelving ──► spawning ──► ACTIVE
//!   ACTIVE, STOPPED, PAUSED, SUSPENDED ── image_snapshot_pending, image_backup ──► image_uploading ──► as before
//!   any state, any task ── deleting ──► DELETED
//!   where deletion is soft: built ── soft-deleting ──► SOFT_DELETED ── restoring ──► ACTIVE
//!                                                       └─ its time is over: deleting ──► DELETED
//! ```
//!
//! A task_state is the wish: the API writes it with the request and wakes the reconciler `nova.servers`, which makes it
//! true and clears it. One wish at a time, except that a deletion replaces any. A row whose task_state is empty rests:
//! then its vm_state is compared with the machine (after events, a restart of the daemon or a boot of the host).
//!
//! The row keeps what clients see; what the machine is made from (user data, networks, key) is in [`Spec`], and what
//! the task under way needs in its [`Work`].

pub(crate) mod actions;
pub(crate) mod api;
pub(crate) mod create;
pub(crate) mod diagnostics_api;
pub(crate) mod interfaces_api;
pub(crate) mod list;
pub(crate) mod network_api;
pub(crate) mod policy;
pub(crate) mod properties_api;
pub(crate) mod reconcile;
pub(crate) mod rules;
mod spec;
pub(crate) mod store;
pub(crate) mod view;

use std::collections::BTreeMap;

use neutron::OfServer;
use serde::{Deserialize, Serialize};

use crate::flavors::Flavor;
pub(crate) use spec::{Nic, Rescue, RescueBus, RescueDrive, Resize, Snapshot, Spec, Work};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Server {
    pub id: String,
    pub project_id: String,
    pub user_id: String,
    pub name: String,
    pub description: Option<String>,
    pub hostname: String,
    pub reservation_id: String,
    pub launch_index: i64,
    /// As it was when the server was made.
    pub flavor: Flavor,
    /// None: the server boots from a volume.
    pub image_id: Option<String>,
    /// The image's own properties when the server was made of it: a JSON object, read only where it is shown.
    pub image_properties: String,
    /// As given, a JSON object too.
    pub scheduler_hints: String,
    pub key_name: Option<String>,
    pub config_drive: bool,
    pub metadata: BTreeMap<String, String>,
    /// Sorted.
    pub tags: Vec<String>,
    /// Whose signatures are good for the image; nothing is verified here, as in a Nova whose operator did not ask for it.
    pub trusted_certificates: Option<Vec<String>>,
    /// The availability zone that was asked for.
    pub pinned_zone: Option<String>,
    /// None until it is scheduled.
    pub host: Option<String>,
    pub group_id: Option<String>,
    /// `owner` or `admin`
    pub locked_by: Option<String>,
    pub locked_reason: Option<String>,
    pub access_ipv4: Option<String>,
    pub access_ipv6: Option<String>,
    /// `AUTO` or `MANUAL`
    pub disk_config: String,
    pub vm_state: VmState,
    pub task_state: Option<TaskState>,
    pub power_state: PowerState,
    /// Failed activations of the present task.
    pub attempts: i64,
    pub fault: Option<Fault>,
    /// `cumulet down` stopped it; it shall run again.
    pub resume: bool,
    /// The host's boot during which it was last seen running.
    pub boot_id: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
    pub launched_at: Option<i64>,
    pub terminated_at: Option<i64>,
    pub deleted_at: Option<i64>,
    /// Of one in state `SoftDeleted`, which `store::save` sees to.
    pub soft_deleted_at: Option<i64>,
    pub generation: i64,
}

impl Server {
    /// As Neutron is asked for its ports.
    pub(crate) fn of_ports(&self) -> OfServer<'_> {
        OfServer { id: &self.id, project_id: &self.project_id }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name { $($variant),* }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.as_str() == text)
            }
        }
    };
}

words! {
    VmState {
        Building = "building",
        Active = "active",
        Stopped = "stopped",
        Paused = "paused",
        Suspended = "suspended",
        Rescued = "rescued",
        Resized = "resized",
        Shelved = "shelved",
        ShelvedOffloaded = "shelved_offloaded",
        SoftDeleted = "soft-delete",
        Error = "error",
        Deleted = "deleted",
    }
}

words! {
    TaskState {
        Scheduling = "scheduling",
        Networking = "networking",
        BlockDeviceMapping = "block_device_mapping",
        Spawning = "spawning",
        PoweringOff = "powering-off",
        PoweringOn = "powering-on",
        Rebooting = "rebooting",
        RebootingHard = "rebooting_hard",
        Pausing = "pausing",
        Unpausing = "unpausing",
        Suspending = "suspending",
        Resuming = "resuming",
        Rescuing = "rescuing",
        Unrescuing = "unrescuing",
        Rebuilding = "rebuilding",
        RebuildSpawning = "rebuild_spawning",
        ResizePrep = "resize_prep",
        ResizeMigrating = "resize_migrating",
        ResizeFinish = "resize_finish",
        ResizeConfirming = "resize_confirming",
        ResizeReverting = "resize_reverting",
        Migrating = "migrating",
        Shelving = "shelving",
        ShelvingImageUploading = "shelving_image_uploading",
        ShelvingOffloading = "shelving_offloading",
        Unshelving = "unshelving",
        ImageSnapshotPending = "image_snapshot_pending",
        ImageBackup = "image_backup",
        ImageUploading = "image_uploading",
        UpdatingPassword = "updating_password",
        Deleting = "deleting",
        SoftDeleting = "soft-deleting",
        Restoring = "restoring",
    }
}

impl TaskState {
    /// Before the new flavor is confirmed or reverted.
    pub fn is_resize(self) -> bool {
        matches!(self, Self::ResizePrep | Self::ResizeMigrating | Self::ResizeFinish)
    }

    pub fn is_image(self) -> bool {
        matches!(self, Self::ImageSnapshotPending | Self::ImageBackup | Self::ImageUploading)
    }

    pub fn is_shelve(self) -> bool {
        matches!(self, Self::Shelving | Self::ShelvingImageUploading | Self::ShelvingOffloading)
    }
}

/// Nova's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PowerState {
    NoState = 0,
    Running = 1,
    Paused = 3,
    Shutdown = 4,
}

impl PowerState {
    pub fn from_number(number: i64) -> Self {
        match number {
            1 => PowerState::Running,
            3 => PowerState::Paused,
            4 => PowerState::Shutdown,
            _ => PowerState::NoState,
        }
    }
}

impl From<host::VmState> for PowerState {
    fn from(state: host::VmState) -> Self {
        match state {
            host::VmState::Running => PowerState::Running,
            host::VmState::Paused => PowerState::Paused,
            host::VmState::Stopped => PowerState::Shutdown,
            host::VmState::Absent => PowerState::NoState,
        }
    }
}

/// Why a server is in ERROR.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fault {
    pub code: i64,
    pub message: String,
    /// For admins.
    pub details: String,
    pub created: i64,
}

/// What volumes of machines can be plugged in to.
pub(crate) const BUSES: [&str; 5] = ["virtio", "scsi", "usb", "sata", "ide"];

/// The ports as the request ordered its networks; later ones behind.
pub(crate) fn in_order(spec: &Spec, mut ports: Vec<neutron::PortView>) -> Vec<neutron::PortView> {
    let place = |port: &neutron::PortView| {
        spec.nics.iter().position(|n| n.port_id.as_ref() == Some(&port.id)).unwrap_or(usize::MAX)
    };
    ports.sort_by_key(place);
    ports
}
