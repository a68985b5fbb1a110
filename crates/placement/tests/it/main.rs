//! Placement over HTTP: the router with a database of its own.

// Clippy takes only functions marked as tests for tests; helpers of theirs are as free.
#![allow(clippy::unwrap_used)]

mod allocations;
mod candidates;
mod cloud;
mod inventories;
mod names;
mod providers;
