//! Neutron over HTTP, with a temporary database and a host that writes down what it is told.

// Clippy takes only functions marked as tests for tests; helpers of theirs are as free.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

mod auto_topology;
mod balancers;
mod beyond;
mod cloud;
mod compute;
mod discovery;
mod extensions;
mod flavors;
mod floating_ips;
mod networks;
mod ports;
mod projects;
mod quotas;
mod routers;
mod security_groups;
mod sharing;
mod subnets;
mod tags;
