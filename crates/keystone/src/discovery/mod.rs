//! Version documents.

pub mod api;
