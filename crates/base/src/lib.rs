//! The vocabulary that every room speaks. No IO, no async, no service's knowledge.
//!
//! | module | holds |
//! |---|---|
//! | [`ctx`] | who asks, for which scope, by which request and microversion |
//! | [`error`] | the one error of all services; `web` renders it as each service's own fault |
//! | [`id`] | new ids in OpenStack's two spellings, and typed ids |
//! | [`microversion`] | `2.96`, ordered |
//! | [`page`] | limit, marker and sorting of a list request |
//! | [`policy`] | named rules: which roles, in which scope, on whose resource |
//! | [`time`] | instants as the APIs print them |

pub mod ctx;
pub mod error;
pub mod id;
pub mod microversion;
pub mod page;
pub mod policy;
pub mod time;

pub use ctx::{Auth, Ctx, DomainRef, ProjectRef, Scope, UserRef};
pub use error::{Error, Kind, Result};
pub use microversion::Microversion;
pub use page::Page;
pub use policy::{Policy, Rule};
