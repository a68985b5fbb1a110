//! The bytes of images: one file each.

pub mod api;
mod files;
mod receive;
mod upload;

pub use files::Files;
pub(crate) use upload::finish as fill;
