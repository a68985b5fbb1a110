//! Keystone's own words for what goes wrong.

use base::{Error, Kind};

pub fn not_found(noun: &str, id: &str) -> Error {
    Error::not_found(format!("Could not find {noun}: {id}."))
}

/// The one answer to every failed authentication: why it failed is for the log.
pub fn unauthorized() -> Error {
    Error::unauthorized("The request you have made requires authentication.")
}

pub fn forbidden_action(action: &str) -> Error {
    Error::forbidden(format!("You are not authorized to perform the requested action: {action}."))
}

pub fn conflict(noun: &str, details: impl std::fmt::Display) -> Error {
    Error::conflict(format!("Conflict occurred attempting to store {noun} - {details}."))
}

/// A name that its domain has already.
pub fn duplicate(noun: &str, name: &str, domain_id: &str) -> Error {
    if domain_id.is_empty() {
        conflict(noun, format!("Duplicate entry found with name {name}"))
    } else {
        conflict(noun, format!("Duplicate entry found with name {name} at domain ID {domain_id}"))
    }
}

/// Something is missing from a request.
pub fn expecting(attribute: &str, target: &str) -> Error {
    Error::bad_request(format!(
        "Expecting to find {attribute} in {target}. The server could not comply with the request since it is \
         either malformed or otherwise incorrect. The client is assumed to be in error."
    ))
}

/// Turns a broken UNIQUE into the conflict that the caller describes.
pub fn unique(error: db::Error, describe: impl FnOnce() -> Error) -> Error {
    if db::is_unique(&error) { describe() } else { error.into() }
}

pub fn is_unauthorized(error: &Error) -> bool {
    error.kind == Kind::Unauthorized
}
