//! kubeadm's bootstrap token: lets a new node ask for its certificate, for two hours.
//!
//! It travels in the nodes' user data, which every process on a node can read from the metadata service. That is why
//! it is short-lived, and why it is worth nothing without reaching the API.

use std::time::Duration;

use jiff::Timestamp;
use rand::RngExt as _;
use serde::{Deserialize, Serialize};

pub(crate) const TTL: Duration = Duration::from_secs(2 * 3600);
const ID: usize = 6;
const SECRET: usize = 16;

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    pub id: String,
    pub secret: String,
    pub expires: Timestamp,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("id", &self.id).field("expires", &self.expires).finish_non_exhaustive()
    }
}

impl Token {
    #[must_use]
    pub fn generate() -> Self {
        let expires = Timestamp::now().saturating_add(TTL).unwrap_or(Timestamp::MAX);
        Self { id: letters(ID), secret: letters(SECRET), expires }
    }
    /// `abcdef.0123456789abcdef`.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}.{}", self.id, self.secret)
    }
    /// Long enough for a node that is created now to boot and join.
    #[must_use]
    pub fn fresh(&self, now: Timestamp) -> bool {
        now.saturating_add(Duration::from_secs(3600)).is_ok_and(|later| later < self.expires)
    }
}

pub(crate) fn letters(count: usize) -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = rand::rng();
    (0..count).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_form_that_kubeadm_checks() {
        let token = Token::generate();
        let text = token.text();
        let (id, secret) = text.split_once('.').unwrap();
        assert_eq!((id.len(), secret.len()), (6, 16));
        assert!(text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.'));
        assert_ne!(text, Token::generate().text());
        assert!(!format!("{token:?}").contains(&token.secret));
    }

    #[test]
    fn is_fresh_in_its_first_hour() {
        let token = Token::generate();
        assert!(token.fresh(Timestamp::now()));
        assert!(!token.fresh(token.expires));
    }
}
