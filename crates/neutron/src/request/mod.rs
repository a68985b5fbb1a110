//! Requests in Neutron's manner: each resource has a table of attributes that says what a body may hold, what a list
//! may be filtered and sorted by, and which values are refused in which words.
//!
//! ```text
//! body  ─► Spec::create / Spec::update ─► Input    (checked and normalized; getters only)
//! query ─► Listing::read ─► SQL conditions ─► rows ─► views ─► Listing::finish ─► page
//! ```

mod attr;
mod check;
mod dns;
mod input;
mod listing;
mod ordinary;
mod resource;
mod sort;

pub use attr::{Attr, Extent, Filter, Kind, Spec, attr};
pub use check::uuid_like;
pub use input::Input;
pub use listing::{Listing, only_fields};
pub use ordinary::{Ordinary, create, delete, insert, may_write, owned, replace, update};
pub use resource::{Expected, Resource, View, created, list, one_view, show, visible};

#[cfg(test)]
mod tests;
