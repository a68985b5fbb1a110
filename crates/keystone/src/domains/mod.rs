//! Domains: the roots of the project trees, and the owners of users and groups. Rows of the project table.
//!
//! ```text
//! enabled ◄──► disabled ──DELETE──► gone, with all its projects, users, groups and roles
//! ```

pub mod api;
pub mod rules;
pub mod store;
pub mod view;
