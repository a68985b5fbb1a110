//! Keystone over HTTP: the router with a database and keys of its own.

mod authentication;
mod cloud;
