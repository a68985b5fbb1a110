//! 169.254.169.254, in every network's and router's namespace.

mod callers;
mod server;

pub use callers::{Callers, Place};
pub use server::{Server, listen};
