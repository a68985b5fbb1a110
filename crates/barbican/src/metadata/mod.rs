//! What users write of their secrets: names with values, names in small letters.

pub mod api;
pub mod store;
