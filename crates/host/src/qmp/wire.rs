//! What travels: commands out, and greeting, answers and events in.

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Serialize)]
pub(super) struct Command<'a> {
    pub execute: &'a str,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub arguments: Value,
    pub id: u64,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Message {
    Greeting {
        #[serde(rename = "QMP")]
        qmp: GreetingBody,
    },
    Event(Event),
    Success {
        #[serde(rename = "return")]
        value: Value,
        id: Option<u64>,
    },
    Failure {
        error: Failure,
        id: Option<u64>,
    },
}

#[derive(Debug, Deserialize)]
pub(super) struct GreetingBody {
    pub version: Version,
}

#[derive(Debug, Deserialize)]
pub(super) struct Version {
    pub qemu: Triple,
}

#[derive(Debug, Deserialize)]
pub(super) struct Triple {
    pub major: u32,
    pub minor: u32,
    pub micro: u32,
}

#[derive(Debug, Deserialize)]
pub(super) struct Failure {
    pub class: String,
    pub desc: String,
}

/// Something that happened to the machine.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
pub struct Event {
    /// SHUTDOWN, RESET, STOP, RESUME, ...
    #[serde(rename = "event")]
    pub name: String,
    #[serde(default)]
    pub data: Value,
}

impl Event {
    /// True when the guest itself asked for it (powered off, rebooted) rather than this host.
    pub fn by_guest(&self) -> bool {
        self.data.get("guest").and_then(Value::as_bool).unwrap_or(false)
    }
}
