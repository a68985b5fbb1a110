//! Tags of any resource that has them: `/v2.0/<collection>/<id>/tags[/<tag>]`, with both of the spellings of
//! `security-groups` that clients use.

pub mod api;
pub mod store;

/// What can be tagged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taggable {
    Network,
    Subnet,
    Port,
    Router,
    FloatingIp,
    SecurityGroup,
    AddressGroup,
    SubnetPool,
    QosPolicy,
    Trunk,
}
