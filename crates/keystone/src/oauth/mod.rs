//! OAuth 1.0a: a consumer acts for a user who let it, without the user's password.
//!
//! ```text
//! consumer ──signs──► request token ──a user authorizes it──► verifier ──consumer signs──► access token ──signs──► token
//! ```

pub mod access_api;
pub mod api;
pub mod consumers_api;
pub mod rules;
mod signature;
pub mod store;

use serde_json::{Map, Value};
pub(crate) use signature::Signed;

#[derive(Debug, Clone)]
pub struct Consumer {
    pub id: String,
    pub encrypted_secret: String,
    pub description: Option<String>,
    pub extra: Map<String, Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Request,
    Access,
}

#[derive(Debug, Clone)]
pub struct OauthToken {
    pub id: String,
    pub kind: Kind,
    pub encrypted_secret: String,
    pub consumer_id: String,
    pub project_id: String,
    /// Of a request token that was authorized.
    pub verifier: Option<String>,
    pub authorizing_user_id: Option<String>,
    pub role_ids: Vec<String>,
    /// Microseconds since the epoch.
    pub expires_at: i64,
}
