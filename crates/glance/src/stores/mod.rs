//! Stores: the directories that images are kept in.

pub mod api;
