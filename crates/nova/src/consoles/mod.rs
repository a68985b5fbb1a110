//! Remote consoles: a machine's screen (VNC) and serial line in a browser or any WebSocket client.
//!
//! ```text
//!   POST /servers/{id}/remote-consoles ──► URL with a token that lives ten minutes
//!        browser ──► /console/vnc_lite.html?path=console/websockify?token=..     the viewer's page
//!                └─► ws /console/websockify?token=.. ──► the machine's screen or serial line, byte for byte
//! ```
//!
//! There is no second port and no proxy process: the same address serves the APIs and the consoles.

pub(crate) mod api;
mod pages;
pub(crate) mod proxy;
mod store;

use base::{Policy, Rule};

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const CREATE: Policy = Policy::new("os_compute_api:os-remote-consoles", Rule::ProjectMember);
    pub const TOKENS: Policy = Policy::new("os_compute_api:os-console-auth-tokens", Rule::Admin);
}

/// Where the binary mounts [`proxy`].
const MOUNT: &str = "/console";

/// As Nova's `[consoleauth] token_ttl`. It limits the opening of a console, not its use.
const TOKEN_MICROS: i64 = 600 * 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Vnc,
    Serial,
}

impl Kind {
    /// Nova's name for the console's type.
    fn as_str(self) -> &'static str {
        match self {
            Kind::Vnc => "novnc",
            Kind::Serial => "serial",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Kind::Vnc, Kind::Serial].into_iter().find(|kind| kind.as_str() == text)
    }

    fn url(self, origin: &str, token: &str) -> String {
        match self {
            Kind::Vnc => {
                format!("{origin}{MOUNT}/vnc_lite.html?path=console%2Fwebsockify%3Ftoken%3D{token}")
            }
            // http becomes ws, https becomes wss.
            Kind::Serial => format!("{}{MOUNT}/websockify?token={token}", origin.replacen("http", "ws", 1)),
        }
    }
}
