//! Glance over HTTP: the router with a database and stores of its own.

// Clippy takes only functions marked as tests for tests; helpers of theirs are as free.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

mod cloud;
mod data;
mod images;
mod imports;
mod members;
mod metadefs;
mod stores;
