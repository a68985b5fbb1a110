//! Imports: data comes into an image by a task, from where it was staged, from the web, or from another store.
//!
//! ```text
//! POST import ─► one transaction: task pending, image importing, locked by the task's id
//!      task ─► data in the staging directory ─► inspected ─► a copy in each store ─► active, unlocked, task success
//!                     └───────────────┴───────────────┴─► queued, unlocked, stores that failed named, task failure
//! ```
//!
//! A crash in between is one more run of the task, from its beginning.

pub mod api;
pub mod download;
pub mod reconcile;
pub mod rules;
pub mod store;

/// In the order that clients are told.
pub const METHODS: [&str; 3] = ["glance-direct", "web-download", "copy-image"];

/// Properties of an image that is being imported; they tell clients how it goes.
pub const TASK: &str = "os_glance_import_task";
pub const IMPORTING: &str = "os_glance_importing_to_stores";
pub const FAILED: &str = "os_glance_failed_import";
