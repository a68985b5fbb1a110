//! Credentials of other kinds that Keystone keeps for users: EC2 keys, certificates, TOTP seeds. Stored encrypted.

pub mod api;
pub mod ec2_api;
pub mod rules;
pub mod store;

use serde_json::{Map, Value};

#[derive(Clone)]
pub struct Credential {
    pub id: String,
    pub user_id: String,
    pub project_id: Option<String>,
    pub kind: String,
    /// Encrypted with the credential key.
    pub encrypted_blob: String,
    pub extra: Map<String, Value>,
}
