//! One file per verb.

pub mod backup;
pub mod cluster;
pub mod config;
pub mod destroy;
pub mod doctor;
pub mod down;
pub mod env;
pub mod image;
pub mod logs;
pub mod reset;
pub mod restore;
pub mod run;
pub mod status;
pub mod systemd;
pub mod token_keys;
pub mod up;
