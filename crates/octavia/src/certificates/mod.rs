//! Certificates of listeners and pools: read from the key manager, judged at the call, given to the host as PEM.
//!
//! ```text
//!  reference ─► secret: PKCS #12           ─┐
//!            ─► container: certificate,     ├─► bundle: certificate, intermediates, key
//!                private_key, intermediates ┘
//! ```
//! A reference is judged with its user's rights. After that the cloud reads it by its own, as the real service does by
//! the access list that it writes for itself.

pub mod authority;
pub mod bundle;
pub mod judge;
pub mod load;
mod pkcs7;
