//! Reshaping: inventories move between providers together with what is allocated of them.

pub mod api;
mod store;
