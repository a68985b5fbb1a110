//! Sums: what of a provider is used, and what a project uses.

pub mod api;
pub mod store;
