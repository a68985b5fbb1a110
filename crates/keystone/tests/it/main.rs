//! Keystone over HTTP: the router with a database and keys of its own.

// Clippy takes only functions marked as tests for tests; helpers of theirs are as free.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

mod assignments;
mod authentication;
mod catalog;
mod cloud;
mod limits;
mod oauth;
mod people;
mod policies;
mod secrets;
mod security;
mod settings;
mod tree;
mod trusts;
