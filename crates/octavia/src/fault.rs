//! Octavia's own refusals.

use base::{Error, Kind};

use crate::tree::Noun;

pub fn not_found(what: &str, id: &str) -> Error {
    Error::not_found(format!("{what} {id} not found."))
}

/// Something that the body speaks of is not there.
pub fn no_such(what: &str, id: &str) -> Error {
    Error::bad_request(format!("{what} {id} not found."))
}

pub fn invalid(detail: impl AsRef<str>) -> Error {
    Error::bad_request(format!("Validation failure: {}", detail.as_ref()))
}

pub fn invalid_option(value: &str, option: &str) -> Error {
    Error::bad_request(format!("{value} is not a valid option for {option}"))
}

pub fn disabled(option: &str, value: &str) -> Error {
    Error::bad_request(format!("The selected {option} is not allowed in this deployment: {value}"))
}

pub fn immutable(what: &str, id: &str) -> Error {
    Error::conflict(format!("{what} {id} is immutable and cannot be updated."))
}

pub fn quota(noun: Noun) -> Error {
    Error::forbidden(format!("Quota has been met for resources: {}", noun.title()))
}

/// The provider's driver cannot do it.
pub fn unsupported(provider: &str, words: &str) -> Error {
    Error::new(
        Kind::NotImplemented,
        format!("Provider '{provider}' does not support a requested option: {words}"),
    )
}

pub fn input(attribute: &str, value: &str, what: &str) -> Error {
    Error::bad_request(format!("Invalid input for field/attribute {attribute}. Value: '{value}'. {what}"))
}

pub fn certificate(refs: &[&str]) -> Error {
    let all: Vec<String> = refs.iter().map(|one| format!("'{one}'")).collect();
    Error::bad_request(format!("Could not retrieve certificate: [{}]", all.join(", ")))
}

pub fn policy() -> Error {
    Error::forbidden("Policy does not allow this request to be performed.")
}

pub fn pkcs12(error: &str) -> Error {
    Error::bad_request(format!(
        "The PKCS12 bundle is unreadable. Please check the PKCS12 bundle validity. In addition, make sure it does not \
         require a pass phrase. Error: {error}"
    ))
}

pub fn nameless() -> Error {
    Error::bad_request("No CN or DNSName(s) found in certificate. The certificate is invalid.")
}
