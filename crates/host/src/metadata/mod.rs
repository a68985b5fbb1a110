//! 169.254.169.254 in every network's and router's namespace, fe80::a9fe:a9fe on every network's link.

mod callers;
pub mod link_local;
mod server;

pub use callers::{Callers, Place};
pub use link_local::METADATA6;
pub use server::{Server, listen};
