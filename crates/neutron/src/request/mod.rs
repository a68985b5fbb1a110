//! Requests in Neutron's manner: each resource has a table of attributes that says what a body may hold, what a list
//! may be filtered and sorted by, and which values are refused in which words.
//!
//! ```text
//! body  ─► Spec::create / Spec::update ─► Input    (checked and normalized; getters only)
//! query ─► Listing::read ─► SQL conditions ─► rows ─► views ─► Listing::finish ─► page
//! ```

mod attr;
mod check;
mod input;
mod listing;
mod sort;

pub use attr::{Attr, Filter, Kind, Spec, attr};
pub use check::uuid_like;
pub use input::Input;
pub use listing::{Listing, only_fields};

#[cfg(test)]
mod tests;
