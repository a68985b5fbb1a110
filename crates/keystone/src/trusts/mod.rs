//! Trusts: a user (the trustor) lets another (the trustee) act in one project with some of the trustor's roles.
//!
//! ```text
//! good ──expires, is used up, is deleted with its parent, or trustor, trustee or project goes──► gone
//!   └─ redelegated by the trustee ──► a further trust, at most three deep, never for more
//! ```
//! A token by a trust holds as long as every trust of its chain does and the first trustor still has the roles.

pub mod api;
pub mod rules;
pub mod store;
pub mod view;

use serde_json::{Map, Value};

#[derive(Debug, Clone, PartialEq)]
pub struct Trust {
    pub id: String,
    pub trustor_user_id: String,
    pub trustee_user_id: String,
    pub project_id: Option<String>,
    /// Tokens speak for the trustor, not for the trustee.
    pub impersonation: bool,
    pub role_ids: Vec<String>,
    /// Microseconds since the epoch.
    pub expires_at: Option<i64>,
    /// How many more tokens may be issued; None: any number.
    pub remaining_uses: Option<i64>,
    pub redelegated_trust_id: Option<String>,
    /// How many more times it may be handed on.
    pub redelegation_count: i64,
    pub extra: Map<String, Value>,
}

impl Trust {
    /// May tokens still be had by it?
    pub fn holds(&self, now: i64) -> bool {
        self.expires_at.is_none_or(|end| now < end) && self.remaining_uses.is_none_or(|n| n > 0)
    }
}
