//! Journeys over HTTP through a whole cloud on the fake host.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod authorization;
mod balancers;
mod clusters;
mod consoles;
mod discovery;
mod fixture;
mod foreign;
mod fuzz;
mod not_served;
mod servers;
mod simulate;
mod tenants;
mod volumes;
mod weird;
