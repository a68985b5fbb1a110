//! Barbican over HTTP: the router with a database and a key file of its own.

// Clippy takes only functions marked as tests for tests; helpers of theirs are as free.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

mod cloud;
mod containers;
mod people;
mod secrets;
