//! What can go wrong between us and a cloud, in words a person can act on.

use openstack_sdk::api::ApiError;
use openstack_sdk::{OpenStackError, RestError};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{message}")]
    Config { message: String },

    #[error(
        "cannot log in to cloud `{cloud}`: {message}; check auth_url and the credentials in clouds.yaml or OS_*"
    )]
    Login { cloud: String, message: String },

    /// The service answered, and the answer is an error.
    #[error("{call}: {service_says} (HTTP {status}{})", request_id.as_deref().map(|id| format!(", {id}")).unwrap_or_default())]
    Http { call: String, status: u16, service_says: String, request_id: Option<String> },

    /// No answer: refused, reset, timed out, bad certificate.
    #[error(
        "{call}: the cloud does not answer: {message}; is it running, and does the address in clouds.yaml lead to it?"
    )]
    Connection { call: String, message: String, sent: bool },

    #[error(
        "{call}: this cloud has no {service} service in its catalog for the chosen region and interface: {message}"
    )]
    NoService { call: String, service: String, message: String },

    #[error("{call}: the answer is not what the API promises: {message}")]
    Answer { call: String, message: String },

    #[error("server {name} ({id}) went to ERROR: {fault}")]
    ServerError { id: String, name: String, fault: String },

    #[error("{what} did not happen within {seconds} s; last seen: {last_seen}")]
    Timeout { what: String, seconds: u64, last_seen: String },

    #[error("cannot read {path}: {source}")]
    File { path: String, source: std::io::Error },
}

impl Error {
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Error::Http { status, .. } => Some(*status),
            _ => None,
        }
    }
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.status() == Some(409)
    }
    /// Worth another try at the same call, provided that the call may be repeated. 501 is an answer, not a fault.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Http { status, .. } => *status == 429 || (*status >= 500 && *status != 501),
            Error::Connection { .. } => true,
            _ => false,
        }
    }
    /// The service surely did nothing, so that even a POST may be repeated.
    #[must_use]
    pub fn surely_not_done(&self) -> bool {
        match self {
            Error::Http { status, .. } => matches!(status, 429 | 503),
            Error::Connection { sent, .. } => !sent,
            _ => false,
        }
    }

    pub(crate) fn from_api(call: &str, service: &str, error: ApiError<RestError>) -> Self {
        let call = call.to_owned();
        match error {
            ApiError::OpenStack { status, msg, req_id, .. } => {
                let words =
                    serde_json::from_str(&msg).map_or(msg.clone(), |value| words(&value).unwrap_or(msg));
                Self::http(call, status.as_u16(), words, req_id)
            }
            ApiError::OpenStackService { status, data, req_id, .. } => {
                Self::http(call, status.as_u16(), data.chars().take(300).collect(), req_id)
            }
            ApiError::OpenStackUnrecognized { status, obj, req_id, .. } => {
                let said = words(&obj).unwrap_or_else(|| obj.to_string());
                Self::http(call, status.as_u16(), said, req_id)
            }
            ApiError::Client { source: RestError::Communication { source } } => {
                let sent = !source.is_connect();
                Error::Connection { call, message: chain(&source), sent }
            }
            ApiError::Catalog { source } => {
                Error::NoService { call, service: service.to_owned(), message: source.to_string() }
            }
            other => Error::Answer { call, message: other.to_string() },
        }
    }

    fn http(call: String, status: u16, said: String, request_id: Option<String>) -> Self {
        let service_says = if said.trim().is_empty() { "no reason given".to_owned() } else { said };
        Error::Http { call, status, service_says, request_id }
    }

    pub(crate) fn from_login(cloud: &str, error: &OpenStackError) -> Self {
        Error::Login { cloud: cloud.to_owned(), message: chain(error) }
    }
}

/// The sentence inside an OpenStack error body, whichever of the services' shapes it has:
/// `{"NeutronError": {"message"}}`, `{"badRequest": {"message"}}`, `{"error": {"message"}}`, `{"message"}`,
/// `{"faultstring"}`, and Keystone's or Nova's object without its wrapper.
fn words(value: &serde_json::Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(text.to_owned());
    }
    let object = value.as_object()?;
    for key in ["message", "faultstring", "detail", "title"] {
        if let Some(text) = object.get(key).and_then(|text| text.as_str())
            && !text.is_empty()
        {
            return Some(text.to_owned());
        }
    }
    object.values().find_map(|inner| inner.is_object().then(|| words(inner)).flatten())
}

/// The error and all its causes in one line. The SDK repeats the cause inside its own message: say each once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::words;
    use serde_json::json;

    #[test]
    fn finds_the_sentence_in_every_services_fault() {
        for body in [
            json!({"NeutronError": {"type": "IpAddressGenerationFailure", "message": "no room", "detail": ""}}),
            json!({"badRequest": {"code": 400, "message": "no room"}}),
            json!({"error": {"code": 401, "message": "no room", "title": "Unauthorized"}}),
            json!({"message": "no room"}),
            json!({"faultstring": "no room", "faultcode": "Client"}),
            json!("no room"),
        ] {
            assert_eq!(words(&body).as_deref(), Some("no room"), "{body}");
        }
        assert_eq!(words(&json!({"code": 1})), None);
    }
}
