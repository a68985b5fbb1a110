//! The bytes of images: a file in each store that has them.

pub mod api;
mod digests;
mod files;
pub(crate) mod formats;
pub(crate) mod hashing;
pub(crate) mod receive;
pub(crate) mod upload;

pub use files::{Files, Store};
