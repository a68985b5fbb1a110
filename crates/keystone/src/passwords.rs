//! Passwords and application credential secrets at rest.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base::Error;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
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
        self.costly(move || hash_now(&password)).await?
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
            let right = verify_now(&password, &hash)?;
            Ok(right && known)
        })
        .await?
    }

    async fn costly<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let _turn = self.turns.acquire().await.map_err(Error::internal)?;
        tokio::task::spawn_blocking(work).await.map_err(Error::internal)
    }
}

/// glibc gives a block back to the system when it is freed only if it was mapped, and takes the size of the biggest such
/// block freed so far as the new limit below which it no longer maps; beyond 32 MiB it always does. So the 19 MiB of a
/// hash are the front of a bigger block, whose rest is never touched and costs nothing. Otherwise every thread that
/// ever checked a password would keep its 19 MiB.
const ALWAYS_MAPPED: usize = 33 << 20;

fn argon2id(params: Params, password: &SecretString, salt: &[u8], out: &mut [u8]) -> argon2::Result<()> {
    let blocks = params.block_count();
    let mut memory: Vec<Block> = Vec::with_capacity(blocks.max(ALWAYS_MAPPED / Block::SIZE));
    memory.resize(blocks, Block::new());
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into_with_memory(password.expose_secret().as_bytes(), salt, out, &mut memory[..])
}

/// The usual text form: `$argon2id$v=19$m=..,t=..,p=..$salt$hash`.
fn hash_now(password: &SecretString) -> Result<String, Error> {
    let params = Params::default();
    let (m, t, p) = (params.m_cost(), params.t_cost(), params.p_cost());
    let (mut salt, mut out) = ([0u8; 16], [0u8; Params::DEFAULT_OUTPUT_LEN]);
    rand::fill(&mut salt[..]);
    argon2id(params, password, &salt, &mut out)
        .map_err(|e| Error::internal(format!("hashing a password failed: {e}")))?;
    let text = |bytes: &[u8]| BASE64_STANDARD_NO_PAD.encode(bytes);
    Ok(format!("$argon2id$v=19$m={m},t={t},p={p}${}${}", text(&salt), text(&out)))
}

fn verify_now(password: &SecretString, hash: &str) -> Result<bool, Error> {
    let unreadable =
        || Error::internal("a stored password hash is not one of argon2id; set the password anew");
    let parsed = PasswordHash::new(hash).map_err(|_| unreadable())?;
    let (Some(salt), Some(known)) = (&parsed.salt, &parsed.hash) else { return Err(unreadable()) };
    if parsed.algorithm.as_str() != "argon2id" || parsed.version != Some(Version::V0x13.into()) {
        return Err(unreadable());
    }
    let params = Params::try_from(&parsed).map_err(|_| unreadable())?;
    let mut out = vec![0u8; known.len()];
    argon2id(params, password, salt, &mut out).map_err(|_| unreadable())?;
    Ok(same(&out, known.as_bytes()))
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

    /// A hash that another implementation made (the reference one, in C).
    #[tokio::test]
    async fn reads_what_others_wrote() {
        let known =
            "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzYWx0$k39qfyL/GTXyek3gSQkXOnKqiWZD9A5UsqAyIG8UFIQ";
        let passwords = Passwords::new();
        assert!(passwords.verify("password".into(), Some(known.into())).await.unwrap());
        assert!(passwords.verify("password".into(), Some("plain".into())).await.is_err());
    }

    #[tokio::test]
    async fn generated_secrets_verify() {
        let passwords = Passwords::new();
        let (secret, hash) = generate_secret();
        assert!(passwords.verify(secret, Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("other".into(), Some(hash)).await.unwrap());
    }
}
