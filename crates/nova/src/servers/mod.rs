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
pub(crate) mod properties_api;
pub(crate) mod reconcile;
pub(crate) mod rules;
pub(crate) mod store;
pub(crate) mod view;

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::{Policy, Rule};
use serde::{Deserialize, Serialize};

use crate::flavors::Flavor;

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

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const LIST: Policy = Policy::new("os_compute_api:servers:index", Rule::ProjectReader);
    pub const DETAIL: Policy = Policy::new("os_compute_api:servers:detail", Rule::ProjectReader);
    pub const LIST_ALL: Policy = Policy::new("os_compute_api:servers:index:get_all_tenants", Rule::Admin);
    pub const SHOW: Policy = Policy::new("os_compute_api:servers:show", Rule::ProjectReader);
    pub const CREATE: Policy = Policy::new("os_compute_api:servers:create", Rule::ProjectMember);
    pub const FORCED_HOST: Policy = Policy::new("os_compute_api:servers:create:forced_host", Rule::Admin);
    pub const ZERO_DISK: Policy = Policy::new("os_compute_api:servers:create:zero_disk_flavor", Rule::Admin);
    pub const UPDATE: Policy = Policy::new("os_compute_api:servers:update", Rule::ProjectMember);
    pub const DELETE: Policy = Policy::new("os_compute_api:servers:delete", Rule::ProjectMember);
    /// Every action asks for its own policy too.
    pub const ACTION: Policy = Policy::new("os_compute_api:servers:action", Rule::ProjectMember);
    pub const START: Policy = Policy::new("os_compute_api:servers:start", Rule::ProjectMember);
    pub const STOP: Policy = Policy::new("os_compute_api:servers:stop", Rule::ProjectMember);
    pub const REBOOT: Policy = Policy::new("os_compute_api:servers:reboot", Rule::ProjectMember);
    pub const PAUSE: Policy = Policy::new("os_compute_api:os-pause-server:pause", Rule::ProjectMember);
    pub const UNPAUSE: Policy = Policy::new("os_compute_api:os-pause-server:unpause", Rule::ProjectMember);
    pub const LOCK: Policy = Policy::new("os_compute_api:os-lock-server:lock", Rule::ProjectMember);
    pub const UNLOCK: Policy = Policy::new("os_compute_api:os-lock-server:unlock", Rule::ProjectMember);
    pub const UNLOCK_OVERRIDE: Policy =
        Policy::new("os_compute_api:os-lock-server:unlock:unlock_override", Rule::Admin);
    pub const RESET_STATE: Policy = Policy::new("os_compute_api:os-admin-actions:reset_state", Rule::Admin);
    pub const CONSOLE: Policy = Policy::new("os_compute_api:os-console-output", Rule::ProjectMember);
    pub const FORCE_DELETE: Policy =
        Policy::new("os_compute_api:os-deferred-delete:force", Rule::ProjectMember);
    pub const RESTORE: Policy = Policy::new("os_compute_api:os-deferred-delete:restore", Rule::ProjectMember);
    pub const REBUILD: Policy = Policy::new("os_compute_api:servers:rebuild", Rule::ProjectMember);
    pub const RESIZE: Policy = Policy::new("os_compute_api:servers:resize", Rule::ProjectMember);
    pub const CONFIRM_RESIZE: Policy =
        Policy::new("os_compute_api:servers:confirm_resize", Rule::ProjectMember);
    pub const REVERT_RESIZE: Policy =
        Policy::new("os_compute_api:servers:revert_resize", Rule::ProjectMember);
    pub const MIGRATE: Policy = Policy::new("os_compute_api:os-migrate-server:migrate", Rule::ProjectManager);
    pub const MIGRATE_TO_HOST: Policy =
        Policy::new("os_compute_api:os-migrate-server:migrate:host", Rule::Admin);
    pub const MIGRATE_LIVE: Policy =
        Policy::new("os_compute_api:os-migrate-server:migrate_live", Rule::ProjectManager);
    pub const MIGRATE_LIVE_TO_HOST: Policy =
        Policy::new("os_compute_api:os-migrate-server:migrate_live:host", Rule::Admin);
    pub const EVACUATE: Policy = Policy::new("os_compute_api:os-evacuate", Rule::Admin);
    pub const RESCUE: Policy = Policy::new("os_compute_api:os-rescue", Rule::ProjectMember);
    pub const UNRESCUE: Policy = Policy::new("os_compute_api:os-unrescue", Rule::ProjectMember);
    pub const SUSPEND: Policy = Policy::new("os_compute_api:os-suspend-server:suspend", Rule::ProjectMember);
    pub const RESUME: Policy = Policy::new("os_compute_api:os-suspend-server:resume", Rule::ProjectMember);
    pub const SHELVE: Policy = Policy::new("os_compute_api:os-shelve:shelve", Rule::ProjectMember);
    pub const SHELVE_OFFLOAD: Policy = Policy::new("os_compute_api:os-shelve:shelve_offload", Rule::Admin);
    pub const UNSHELVE: Policy = Policy::new("os_compute_api:os-shelve:unshelve", Rule::ProjectMember);
    pub const UNSHELVE_TO_HOST: Policy =
        Policy::new("os_compute_api:os-shelve:unshelve_to_host", Rule::Admin);
    pub const CREATE_IMAGE: Policy = Policy::new("os_compute_api:servers:create_image", Rule::ProjectMember);
    pub const CREATE_BACKUP: Policy = Policy::new("os_compute_api:os-create-backup", Rule::ProjectMember);
    pub const CHANGE_PASSWORD: Policy = Policy::new("os_compute_api:os-admin-password", Rule::ProjectMember);
    pub const CRASH_DUMP: Policy =
        Policy::new("os_compute_api:servers:trigger_crash_dump", Rule::ProjectMember);
    pub const INJECT_NETWORK: Policy =
        Policy::new("os_compute_api:os-admin-actions:inject_network_info", Rule::Admin);
    pub const DIAGNOSTICS: Policy = Policy::new("os_compute_api:os-server-diagnostics", Rule::Admin);
    pub const GROUPS: Policy = Policy::new("os_compute_api:os-security-groups:list", Rule::ProjectReader);
    pub const GROUPS_ADD: Policy = Policy::new("os_compute_api:os-security-groups:add", Rule::ProjectMember);
    pub const GROUPS_REMOVE: Policy =
        Policy::new("os_compute_api:os-security-groups:remove", Rule::ProjectMember);
    pub const METADATA: Policy = Policy::new("os_compute_api:server-metadata:index", Rule::ProjectReader);
    pub const METADATA_CHANGE: Policy =
        Policy::new("os_compute_api:server-metadata:update", Rule::ProjectMember);
    pub const METADATA_DELETE: Policy =
        Policy::new("os_compute_api:server-metadata:delete", Rule::ProjectMember);
    pub const TAGS: Policy = Policy::new("os_compute_api:os-server-tags:index", Rule::ProjectReader);
    pub const TAGS_CHANGE: Policy = Policy::new("os_compute_api:os-server-tags:update", Rule::ProjectMember);
    pub const TAGS_DELETE: Policy = Policy::new("os_compute_api:os-server-tags:delete", Rule::ProjectMember);
    pub const PASSWORD: Policy = Policy::new("os_compute_api:os-server-password:show", Rule::ProjectReader);
    pub const PASSWORD_CLEAR: Policy =
        Policy::new("os_compute_api:os-server-password:clear", Rule::ProjectMember);
    pub const INTERFACES: Policy =
        Policy::new("os_compute_api:os-attach-interfaces:list", Rule::ProjectReader);
    pub const INTERFACE_CREATE: Policy =
        Policy::new("os_compute_api:os-attach-interfaces:create", Rule::ProjectMember);
    pub const INTERFACE_DELETE: Policy =
        Policy::new("os_compute_api:os-attach-interfaces:delete", Rule::ProjectMember);
    pub const FIXED_IP_ADD: Policy = Policy::new("os_compute_api:os-multinic:add", Rule::ProjectMember);
    pub const FIXED_IP_REMOVE: Policy = Policy::new("os_compute_api:os-multinic:remove", Rule::ProjectMember);
    pub const TOPOLOGY: Policy = Policy::new("compute:server:topology:index", Rule::ProjectReader);
    pub const IPS: Policy = Policy::new("os_compute_api:ips:index", Rule::ProjectReader);
}
