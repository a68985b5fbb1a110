//! The API over a fake host.

// Helpers are outside of `#[test]` functions, where clippy.toml's exception ends.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod balancers;
mod certificates;
mod children;
mod cloud;
mod culprits;
mod offers;
mod refusals;
