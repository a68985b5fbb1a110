//! The Compute API over HTTP's own types, with the other services real and the machine fake.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod actions;
mod cloud;
mod conflicts;
mod flavors;
mod interfaces;
mod keypairs;
mod kills;
mod lifecycle;
mod metadata;
mod proxies;
mod quotas;
mod server_groups;
mod servers;
mod services;
mod soft_deletion;
mod volumes;
mod volumes_and_kills;
