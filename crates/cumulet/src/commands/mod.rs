//! One file per verb.

pub mod cluster;
pub mod destroy;
pub mod down;
pub mod env;
pub mod image;
pub mod reset;
pub mod status;
pub mod up;
