//! Where secrets are kept: this database, so there is nothing to choose.

pub mod api;
