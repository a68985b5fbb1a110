//! Volumes on offer to another project: whoever knows the key may take one.

pub mod api;
pub mod store;

use std::cmp::Ordering;

use hmac::{Hmac, KeyInit, Mac};
use rand::RngExt;
use sha1::Sha1;

use crate::listing::Listed;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    pub id: String,
    pub volume_id: String,
    /// Whose volume it is.
    pub project_id: String,
    pub name: Option<String>,
    pub salt: String,
    /// Of the key, which is told once and not kept.
    pub hash: String,
    pub no_snapshots: bool,
    pub created_at: i64,
}

impl Listed for Transfer {
    const KEYS: &'static [&'static str] = &["id", "name", "display_name", "volume_id", "created_at"];

    fn id(&self) -> &str {
        &self.id
    }

    fn compare(&self, other: &Self, key: &str) -> Ordering {
        match key {
            "id" => self.id.cmp(&other.id),
            "name" | "display_name" => self.name.cmp(&other.name),
            "volume_id" => self.volume_id.cmp(&other.volume_id),
            "created_at" => self.created_at.cmp(&other.created_at),
            _ => Ordering::Equal,
        }
    }
}

/// So many hexadecimal digits that nobody can guess.
pub fn random(digits: usize) -> String {
    let mut dice = rand::rng();
    (0..digits).map(|_| char::from_digit(dice.random_range(0..16), 16).unwrap_or('0')).collect()
}

pub fn hash(salt: &str, key: &str) -> Option<String> {
    let mut mac = Hmac::<Sha1>::new_from_slice(salt.as_bytes()).ok()?;
    mac.update(key.as_bytes());
    Some(mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
}
