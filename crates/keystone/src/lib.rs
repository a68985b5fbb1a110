//! Keystone: who may do what, and where everything is. Identity API v3.
//!
//! | room | resources |
//! |---|---|
//! | [`discovery`] | version documents |
//! | [`tokens`] | authentication, tokens, `/v3/auth/*`, revocation |
//! | [`domains`], [`projects`], [`domain_config`] | the tree of ownership |
//! | [`users`], [`groups`] | people and programs |
//! | [`roles`], [`assignments`] | what they may do, where |
//! | [`catalog`], [`endpoint_filter`] | regions, services, endpoints, and who sees which |
//! | [`limits`], [`policies`] | what other services keep here |
//! | [`application_credentials`], [`credentials`], [`trusts`], [`oauth`] | other ways to log in |
//!
//! ```text
//! password | token | application credential | signature ──► Claims ──Fernet──► token
//!                                                 │
//!            token ──Fernet──► Claims ──rows──► Session (cached for one generation of the data) ──► base::Auth
//! ```
//!
//! Every write goes through `change!`, which moves the generation on: a change of roles, users, projects or
//! revocations takes effect with the next request, in other processes over the same database within a second. Calls no other service.

pub mod access;
pub mod application_credentials;
pub mod assignments;
pub mod bootstrap;
pub mod call;
pub mod catalog;
pub mod credentials;
pub mod discovery;
pub mod domain_config;
pub mod domains;
pub mod endpoint_filter;
mod epoch;
mod errors;
mod gone;
pub mod groups;
pub mod keys;
pub mod limits;
mod listing;
pub mod oauth;
mod passwords;
pub mod policies;
pub mod projects;
pub mod roles;
mod routes;
mod schema;
pub mod security;
mod service;
mod signatures;
mod snapshot;
pub mod tokens;
pub mod trusts;
pub mod users;

pub use bootstrap::Bootstrap;
pub use security::Security;
pub use service::{Config, Keystone, MIGRATIONS, rotate_token_keys, rotation_comes_early};
pub(crate) use service::{Service, change};

/// The id of the domain that bootstrap makes.
pub const DEFAULT_DOMAIN: &str = "default";
