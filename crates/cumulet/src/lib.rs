//! The binary's own rooms: configuration, wiring, and one file per command.
//!
//! ```text
//! main.rs ─► commands/<verb>.rs ─► config.rs ─► assemble.rs ─► services, drivers ─► serve.rs
//!                                └─ control.rs: how a command talks to the daemon
//! ```

pub mod assemble;
pub mod clouds_yaml;
pub mod commands;
pub mod config;
pub mod control;
pub mod drivers;
pub mod serve;
pub mod simulate;
pub mod steps;
