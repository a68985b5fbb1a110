//! RSA pairs, as PEM.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base::{Error, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

#[derive(Debug)]
pub struct Pair {
    /// PKCS#8.
    pub private: String,
    /// SubjectPublicKeyInfo.
    pub public: String,
}

/// None: no such pair is made here.
pub fn size(bits: i64) -> Option<KeySize> {
    match bits {
        2048 => Some(KeySize::Rsa2048),
        4096 => Some(KeySize::Rsa4096),
        _ => None,
    }
}

/// Takes a processor for up to some seconds.
pub fn generate(size: KeySize) -> Result<Pair> {
    let key = KeyPair::generate(size).map_err(Error::internal)?;
    let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).map_err(Error::internal)?;
    let public = AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()).map_err(Error::internal)?;
    Ok(Pair { private: pem("PRIVATE KEY", private.as_ref()), public: pem("PUBLIC KEY", public.as_ref()) })
}

fn pem(label: &str, der: &[u8]) -> String {
    let encoded = BASE64_STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for (at, letter) in encoded.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}
