//! Refusals in Cinder's words.

use base::{Error, Kind};

pub fn invalid_input(reason: impl std::fmt::Display) -> Error {
    Error::bad_request(format!("Invalid input received: {reason}"))
}

pub fn invalid_volume(reason: impl std::fmt::Display) -> Error {
    Error::bad_request(format!("Invalid volume: {reason}"))
}

pub fn invalid_snapshot(reason: impl std::fmt::Display) -> Error {
    Error::bad_request(format!("Invalid snapshot: {reason}"))
}

pub fn over_quota(text: String) -> Error {
    Error::too_large(text)
}

pub fn no_volume(id: &str) -> Error {
    Error::not_found(format!("Volume {id} could not be found."))
}

pub fn no_snapshot(id: &str) -> Error {
    Error::not_found(format!("Snapshot {id} could not be found."))
}

pub fn no_attachment(id: &str) -> Error {
    Error::not_found(format!("Volume attachment could not be found with filter: attachment_id = {id}."))
}

pub fn no_type(id: &str) -> Error {
    Error::not_found(format!("Volume type {id} could not be found."))
}

/// Somebody else changed the same row meanwhile; only where several writers share a database.
pub fn lost_race(what: &str) -> Error {
    Error::new(Kind::Conflict, format!("{what} was changed by another request; try again."))
}

/// `a or b or c`
pub fn any_of(words: &[&str]) -> String {
    words.join(" or ")
}
