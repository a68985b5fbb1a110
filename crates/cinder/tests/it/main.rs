//! Cinder over HTTP: the router with a database, a Glance and a fake driver of its own.

// Clippy takes only functions marked as tests for tests; helpers of theirs are as free.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

mod attachments;
mod backups;
mod cloud;
mod encryption;
mod groups;
mod interleavings;
mod merging;
mod quotas;
mod several;
mod sharing;
mod snapshots;
mod types;
mod volumes;
