//! Traits: what a provider is like. The standard ones are the names that OpenStack's services agreed on.

pub mod api;
pub mod store;

use std::collections::BTreeSet;
use std::sync::LazyLock;

/// A provider with it gives its inventory to every provider of its aggregates.
pub const SHARES: &str = "MISC_SHARES_VIA_AGGREGATE";

pub static STANDARD: LazyLock<BTreeSet<&'static str>> =
    LazyLock::new(|| include_str!("standard.txt").lines().collect());

pub fn unknown<'a>(names: impl IntoIterator<Item = &'a str>) -> base::Error {
    let names: Vec<&str> = names.into_iter().collect();
    base::Error::not_found(format!("No such trait(s): {}.", names.join(", ")))
}
