//! Settings of one domain: where its users live and how long its lists may be. Kept and given back as Keystone does when
//! drivers of single domains are off: users live in this cloud's database whatever is said here.

pub mod api;
mod options;
pub mod rules;
pub mod store;

use serde_json::Value;

#[derive(Debug, Clone, PartialEq)]
pub struct DomainOption {
    pub group: String,
    pub name: String,
    /// A secret: kept encrypted, never shown.
    pub sensitive: bool,
    pub value: Value,
}
