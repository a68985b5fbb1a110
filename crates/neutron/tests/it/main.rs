//! Neutron over HTTP, with a temporary database and a host that writes down what it is told.

mod cloud;
mod compute;
mod discovery;
mod floating_ips;
mod networks;
mod ports;
mod projects;
mod quotas;
mod routers;
mod security_groups;
mod subnets;
mod tags;
