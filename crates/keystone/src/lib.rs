//! Keystone: who may do what, and where everything is. Identity API v3.
//!
//! | room | resources |
//! |---|---|
//! | [`discovery`] | version documents |
//! | [`tokens`] | authentication, tokens, `/v3/auth/*`, revocation |
//! | [`domains`], [`projects`] | the tree of ownership |
//! | [`users`], [`groups`] | people and programs |
//! | [`roles`], [`assignments`] | what they may do, where |
//! | [`catalog`] | regions, services, endpoints |
//! | [`application_credentials`], [`credentials`] | other ways to log in |
//!
//! ```text
//! password | token | application credential ──► Claims ──Fernet──► token
//!                                                 │
//!            token ──Fernet──► Claims ──rows──► Session (cached for one generation of the data) ──► base::Auth
//! ```
//!
//! Every write goes through `change!`, which moves the generation on: a change of roles, users, projects or
//! revocations takes effect with the next request. Calls no other service.

pub mod access;
pub mod application_credentials;
pub mod assignments;
pub mod bootstrap;
pub mod catalog;
pub mod credentials;
pub mod discovery;
pub mod domains;
mod errors;
pub mod groups;
pub mod keys;
mod listing;
mod passwords;
pub mod projects;
pub mod roles;
mod routes;
mod schema;
mod service;
mod snapshot;
pub mod tokens;
pub mod users;

pub use bootstrap::Bootstrap;
pub use service::{Config, Keystone, MIGRATIONS};
pub(crate) use service::{Service, change};

/// The id of the domain that bootstrap makes.
pub const DEFAULT_DOMAIN: &str = "default";
