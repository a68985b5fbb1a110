//! Passwords and application credential secrets at rest.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use base::Error;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

/// Each hash takes 19 MiB and a whole core for some 20 ms (argon2id with m = 19 MiB, t = 2, p = 1, as OWASP recommends
/// and the crate has as its default). More at once would only make each slower and the process bigger.
const AT_ONCE: usize = 2;

/// Keystone's max_password_length.
const MAX_LENGTH: usize = 4096;

/// Verified when there is no user of that name, so that the answer takes as long as for a wrong password.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ib2R5$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";

const GENERATED: &str = "$sha256$";

pub struct Passwords {
    turns: Semaphore,
}

impl Passwords {
    pub fn new() -> Self {
        Passwords { turns: Semaphore::new(AT_ONCE) }
    }

    pub async fn hash(&self, password: SecretString) -> Result<String, Error> {
        if password.expose_secret().len() > MAX_LENGTH {
            return Err(Error::forbidden(format!(
                "The password length must be less than or equal to {MAX_LENGTH}. The server could not comply with \
                 the request because the password is invalid."
            )));
        }
        self.costly(move || {
            let hash = Argon2::default().hash_password(password.expose_secret().as_bytes());
            hash.map(|h| h.to_string())
                .map_err(|e| Error::internal(format!("hashing a password failed: {e}")))
        })
        .await?
    }

    /// False for a wrong password, and for no hash: then only after as much work.
    pub async fn verify(&self, password: SecretString, hash: Option<String>) -> Result<bool, Error> {
        if password.expose_secret().len() > MAX_LENGTH {
            return Ok(false);
        }
        if let Some(digest) = hash.as_deref().and_then(|h| h.strip_prefix(GENERATED)) {
            return Ok(same(digest.as_bytes(), digest_of(password.expose_secret()).as_bytes()));
        }
        self.costly(move || {
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
            let parsed = PasswordHash::new(&hash)
                .map_err(|e| Error::internal(format!("a stored password hash cannot be read: {e}")))?;
            let right =
                Argon2::default().verify_password(password.expose_secret().as_bytes(), &parsed).is_ok();
            Ok(right && known)
        })
        .await?
    }

    async fn costly<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let _turn = self.turns.acquire().await.map_err(Error::internal)?;
        tokio::task::spawn_blocking(work).await.map_err(Error::internal)
    }
}

/// A new secret of 512 random bits and its hash. Nobody guesses such a one, so a plain digest is enough, and logging in
/// with it costs nothing.
pub fn generate_secret() -> (SecretString, String) {
    let mut bytes = [0u8; 64];
    rand::fill(&mut bytes[..]);
    let secret = BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let hash = format!("{GENERATED}{}", digest_of(&secret));
    (secret.into(), hash)
}

fn digest_of(secret: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(secret.as_bytes()))
}

/// In a time that does not tell where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn verifies_what_it_hashed_and_nothing_else() {
        let passwords = Passwords::new();
        let hash = passwords.hash("s3cret".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("s3cret".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("S3cret".into(), Some(hash)).await.unwrap());
        // The stand-in must be a hash that parses, or unknown users would be told by an error.
        assert!(!passwords.verify("s3cret".into(), None).await.unwrap());
        assert!(passwords.hash("x".repeat(4097).into()).await.is_err());
    }

    #[tokio::test]
    async fn generated_secrets_verify() {
        let passwords = Passwords::new();
        let (secret, hash) = generate_secret();
        assert!(passwords.verify(secret, Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("other".into(), Some(hash)).await.unwrap());
    }
}
