//! What there is: versions, resources, extensions, availability zones, service providers.

pub mod api;
pub mod extensions;
