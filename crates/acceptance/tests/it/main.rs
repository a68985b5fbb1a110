//! Journeys over HTTP through a whole cloud on the fake host.

mod discovery;
mod servers;
mod tenants;
