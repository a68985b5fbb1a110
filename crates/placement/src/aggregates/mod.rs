//! Which aggregates a provider is in. An aggregate is no more than its uuid.

pub mod api;
pub mod store;
