//! Policies that services keep in Keystone, and which endpoints they are for. Keystone stores them and gives them out; it
//! does not read them.

pub mod api;
pub mod associations_api;
pub mod rules;
pub mod store;

use serde_json::{Map, Value};

#[derive(Debug, Clone)]
pub struct PolicyBlob {
    pub id: String,
    /// A MIME type.
    pub kind: String,
    pub blob: String,
    pub extra: Map<String, Value>,
}

/// What a policy is for: an endpoint, a service, or a service in a region. What is not meant is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    pub endpoint_id: String,
    pub service_id: String,
    pub region_id: String,
}

/// A policy for a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Association {
    pub subject: Subject,
    pub policy_id: String,
}
