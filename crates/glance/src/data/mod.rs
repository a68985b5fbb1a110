//! The bytes of images: one file each.

pub mod api;
mod files;
mod receive;

pub use files::Files;
