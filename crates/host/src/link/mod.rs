//! Links, addresses and routes: what is wanted, what is there, and the steps between.

pub mod netlink;
mod tap;

pub use tap::open_tap;
