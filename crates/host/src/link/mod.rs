//! Links, addresses and routes: what is wanted, what is there, and the steps between.

pub mod bpf;
pub mod execute;
pub mod netlink;
pub mod observe;
pub mod packet;
pub mod plan;
pub mod shape;
mod tap;
#[cfg(test)]
mod tests;
pub mod trunk;

pub use tap::{open_tap, revive_tap};
