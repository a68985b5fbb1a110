//! Our client for any OpenStack cloud: typed calls, waits, and what a cloud can do.
//!
//! ```text
//! CloudChoice --resolve--> CloudConfig --connect--> Client
//!                                                     |-- network/   networks subnets routers ports floating_ips
//!                                                     |              security_groups tags extensions quotas
//!                                                     |-- compute/   servers flavors keypairs server_groups
//!                                                     |              availability_zones quotas
//!                                                     |-- image/     list show create upload delete
//!                                                     |-- identity/  application credentials
//!                                                     |-- volume/    volumes snapshots   (of optional services:
//!                                                     |-- load_balancer/                  found and removed)
//!                                                     `-- capability.rs  extensions and microversions, asked once
//! ```
//!
//! `openstack_sdk` is the engine room: clouds.yaml, authentication, catalog, version discovery, microversion
//! negotiation and re-authentication. Its generated request structs are not used: each microversion of a call is
//! another struct there (a minute of compile time for the four services), while the dozen calls needed here are
//! the same at every microversion. So [`call::Call`] implements the SDK's own `RestEndpoint`, and everything that
//! goes over the wire still travels through the SDK's session.
//!
//! May call: no other crate of this workspace. It must work against somebody else's cloud.

pub mod call;
mod capability;
mod client;
mod compute;
mod config;
mod error;
mod identity;
mod image;
mod key_manager;
mod load_balancer;
mod network;
mod retry;
mod volume;
mod wait;

pub use capability::Capabilities;
pub use client::{Client, Connection};
pub use compute::{
    AvailabilityZone, ComputeQuota, Fault, Flavor, Keypair, NewKeypair, NewServer, NewServerGroup, Server,
    ServerAddress, ServerGroup,
};
pub use config::CloudChoice;
pub use error::Error;
pub use identity::{ApplicationCredential, NewApplicationCredential};
pub use image::{Image, NewImage};
pub use key_manager::Secret;
pub use load_balancer::LoadBalancer;
pub use network::{
    Extension, ExternalGateway, FixedIp, FloatingIp, Network, NetworkQuota, NewFloatingIp, NewNetwork,
    NewPort, NewRouter, NewSecurityGroup, NewSecurityGroupRule, NewSubnet, Port, Route, Router,
    SecurityGroup, SecurityGroupRule, Subnet, Taggable,
};
pub use volume::{Volume, VolumeBackup, VolumeSnapshot};
pub use wait::{Deadline, poll};

pub type Result<T> = std::result::Result<T, Error>;
