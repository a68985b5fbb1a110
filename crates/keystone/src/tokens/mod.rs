//! Tokens: issuing, verifying, revoking.
//!
//! ```text
//! valid ──expires, is revoked, or its user, project, domain, role, trust or application credential goes──► invalid
//! ```
//! A token is never stored. What it says by itself are its [`Claims`]; a [`Session`] is what they mean now.

pub mod api;
pub mod auth_api;
pub mod cache;
pub mod client_api;
pub mod events_api;
mod issue;
mod load;
mod payload;
mod prove;
mod request;
pub mod revocation;
pub mod rules;
pub mod signed_api;
mod standing;
mod totp;
mod view;

use std::sync::Arc;

use base::{Auth, Error};

pub use payload::{Claims, Methods, ScopeId};
pub use standing::Standings;

use crate::Keystone;
use crate::errors::unauthorized;

/// A verified token.
pub struct Session {
    pub auth: Arc<Auth>,
    pub claims: Claims,
    /// May not make further credentials: came by an application credential that is not `unrestricted`.
    pub restricted: bool,
    /// What the bearer may call at all; None: no such limit.
    pub access_rules: Option<Vec<crate::application_credentials::AccessRule>>,
    /// The token's JSON without the catalog and the two closing braces: the part that is the same in every answer.
    body: String,
}

impl Session {
    pub fn holds(&self, now: i64) -> bool {
        now < self.claims.expires_at
    }
}

impl Keystone {
    /// 401 for anything that is not a valid token.
    pub(crate) async fn session(&self, token: &str) -> Result<Arc<Session>, Error> {
        let now = base::time::now();
        self.keep_up(now).await?;
        let generation = self.generation();
        if let Some(session) = self.cache.get(token, generation, now) {
            return Ok(session);
        }
        let session = Arc::new(self.load(self.claims(token, 0)?).await.map_err(ended)?);
        self.cache.put(token, generation, session.clone());
        Ok(session)
    }

    /// As [`Keystone::session`], also for tokens that expired less than `grace` microseconds ago.
    pub(crate) async fn session_expired(&self, token: &str, grace: i64) -> Result<Arc<Session>, Error> {
        Ok(Arc::new(self.load(self.claims(token, grace)?).await.map_err(ended)?))
    }

    fn claims(&self, token: &str, grace: i64) -> Result<Claims, Error> {
        // Longer ones are not ours; do not spend a decryption on them.
        if token.len() > 512 {
            return Err(unauthorized());
        }
        let bytes = self.token_keys.decrypt(token).ok_or_else(unauthorized)?;
        let claims = Claims::decode(&bytes).ok_or_else(unauthorized)?;
        if base::time::now() >= claims.expires_at.saturating_add(grace) {
            return Err(unauthorized().because("the token has expired"));
        }
        Ok(claims)
    }
}

/// The caller learns nothing but that it failed; the reason goes to the log.
fn refused(reason: &'static str) -> Error {
    unauthorized().because(reason)
}

/// What is a 403 to somebody who asks for a token is the end of one that exists.
fn ended(error: Error) -> Error {
    if error.kind == base::Kind::Forbidden { unauthorized().because(error.message) } else { error }
}
