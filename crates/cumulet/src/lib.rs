//! The binary's own rooms: configuration, wiring, and one file per command.
//!
//! ```text
//! main.rs ─► commands/<verb>.rs ─► config/ ─► assemble.rs ─► services, drivers ─► serve.rs (tls/)
//!                                ├─ control.rs: how a command talks to the daemon
//!                                └─ commands/run.rs: the daemon itself; log/, notify.rs: what it says; daily.rs, events.rs: housekeeping
//! ```

pub mod archive;
pub mod assemble;
pub mod clouds_yaml;
pub mod commands;
pub mod config;
pub mod control;
pub mod daily;
pub mod doctor;
pub mod drivers;
pub mod events;
pub mod first_start;
pub mod kubectl;
pub mod log;
pub mod notify;
pub mod serve;
pub mod simulate;
pub mod steps;
pub mod stores;
pub mod tls;
