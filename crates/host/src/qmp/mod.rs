//! QEMU's machine protocol: one JSON object a line over a unix socket, answers matched by id, events in between.
//!
//! A monitor accepts one client at a time, so whoever owns a machine owns its one [`Client`] and shares clones.

mod client;
mod wire;

pub use client::{Client, Greeting};
pub use wire::Event;

#[cfg(test)]
mod tests;

use std::time::Duration;

/// Why a command got no useful answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// QEMU understood and refused: its class and description.
    #[error("`{command}` was refused: {description} ({class})")]
    Refused { command: String, class: String, description: String },
    #[error("no answer to `{command}` within {limit:?}")]
    Timeout { command: String, limit: Duration },
    /// The machine's process ended or closed the connection.
    #[error("the connection is closed")]
    Closed,
    #[error("an answer that is not QMP: {0}")]
    Protocol(String),
}

impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        Self::Monitor(error.to_string())
    }
}
