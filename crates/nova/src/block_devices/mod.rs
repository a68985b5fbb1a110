//! Block devices: the volumes of servers. A server's own disks are its flavor's and have no rows.
//!
//! ```text
//!   POST /servers with a snapshot, an image or nothing as source       POST os-volume_attachments, or source volume
//!        wanted ── the volume is made ──────────────► attaching ◄── reserved with the row, in one transaction
//!                                                        │ the machine has it, or will find it when it starts
//!                                                        ▼
//!        leaving ◄── the server is deleted ────────── attached ◄── the guest does not let go ── detaching
//!           │ what is deleted with its server is                                                    │
//!           ▼                                                                                       ▼
//!        no row                                                                                   no row
//! ```
//!
//! A row and Cinder's attachment are written together, so a kill leaves neither without the other. What a machine has is
//! asked of Cinder whenever it starts: a volume's layers change with its snapshots. [`guests`] is how Cinder tells running
//! machines of that.

pub(crate) mod api;
pub(crate) mod asked;
pub(crate) mod guests;
pub(crate) mod names;
pub(crate) mod rules;
pub(crate) mod store;
pub(crate) mod turns;
pub(crate) mod view;

use base::{Policy, Rule};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Its volume is still to be made.
    Wanted,
    /// Reserved; perhaps a machine has it already.
    Attaching,
    Attached,
    /// Perhaps a machine still has it.
    Detaching,
    /// No machine has it any more, and the server is going.
    Leaving,
}

impl State {
    const ALL: [Self; 5] = [Self::Wanted, Self::Attaching, Self::Attached, Self::Detaching, Self::Leaving];

    pub fn as_str(self) -> &'static str {
        match self {
            State::Wanted => "wanted",
            State::Attaching => "attaching",
            State::Attached => "attached",
            State::Detaching => "detaching",
            State::Leaving => "leaving",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BlockDevice {
    pub id: String,
    pub server_id: String,
    /// Order among the server's devices.
    pub position: i64,
    pub state: State,
    /// `volume`, `snapshot`, `image`, `blank`
    pub source_type: String,
    /// Of a snapshot or an image.
    pub source_id: Option<String>,
    /// Chosen before the volume is made.
    pub volume_id: String,
    /// None as long as nothing is reserved.
    pub attachment_id: Option<String>,
    pub size_gib: Option<i64>,
    pub volume_type: Option<String>,
    /// 0: the server boots from it.
    pub boot_index: Option<i64>,
    /// None where no host has it yet.
    pub device_name: Option<String>,
    pub disk_bus: Option<String>,
    pub device_type: Option<String>,
    pub guest_format: Option<String>,
    pub tag: Option<String>,
    pub delete_on_termination: bool,
    /// The request whose action ends when the state is reached.
    pub request_id: Option<String>,
    /// Failed attempts to reach the state.
    pub attempts: i64,
    pub created_at: i64,
}

impl BlockDevice {
    pub fn is_root(&self) -> bool {
        self.boot_index == Some(0)
    }

    /// A machine that starts has it.
    pub fn belongs_to_machine(&self) -> bool {
        matches!(self.state, State::Attaching | State::Attached)
    }

    /// Clients see it.
    pub fn is_shown(&self) -> bool {
        !matches!(self.state, State::Wanted | State::Leaving)
    }
}

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const LIST: Policy = Policy::new("os_compute_api:os-volumes-attachments:index", Rule::ProjectReader);
    pub const SHOW: Policy = Policy::new("os_compute_api:os-volumes-attachments:show", Rule::ProjectReader);
    pub const CREATE: Policy =
        Policy::new("os_compute_api:os-volumes-attachments:create", Rule::ProjectMember);
    pub const UPDATE: Policy =
        Policy::new("os_compute_api:os-volumes-attachments:update", Rule::ProjectMember);
    /// Of the route: which of the two it is, only the body says.
    pub const CHANGE: Policy =
        Policy::new("os_compute_api:os-volumes-attachments:update", Rule::ProjectMemberOrService);
    pub const SWAP: Policy = Policy::new("os_compute_api:os-volumes-attachments:swap", Rule::Service);
    pub const DELETE: Policy =
        Policy::new("os_compute_api:os-volumes-attachments:delete", Rule::ProjectMember);
    pub const CREATE_SERVER: Policy =
        Policy::new("os_compute_api:servers:create:attach_volume", Rule::ProjectMember);
    pub const CREATE_IMAGE: Policy =
        Policy::new("os_compute_api:servers:create_image:allow_volume_backed", Rule::ProjectMember);
}
