//! OpenSSH public keys: checking one, its fingerprint, and making an RSA pair.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

/// Why a key is refused, as the end of "Keypair data is invalid: ..".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Bad {
    #[error("failed to generate fingerprint")]
    Fingerprint,
    #[error("an RSA key could not be made")]
    Generate,
}

/// MD5 in colons, as Nova has always shown it, of a key in authorized_keys form: `type base64 [comment]`.
pub(super) fn fingerprint(public_key: &str) -> Result<String, Bad> {
    let mut words = public_key.split_whitespace();
    let (Some(kind), Some(text)) = (words.next(), words.next()) else { return Err(Bad::Fingerprint) };
    if public_key.trim().lines().count() != 1 {
        return Err(Bad::Fingerprint);
    }
    let blob = STANDARD.decode(text).map_err(|_| Bad::Fingerprint)?;
    if !is_key(kind, &blob) {
        return Err(Bad::Fingerprint);
    }
    Ok(colons(&Md5::digest(&blob)))
}

pub(super) fn colons(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":")
}

/// The blob is of the kind it says, with fields of plausible size and nothing behind them.
fn is_key(kind: &str, blob: &[u8]) -> bool {
    let Some(fields) = fields(blob) else { return false };
    if fields.first() != Some(&kind.as_bytes()) {
        return false;
    }
    match (kind, &fields[1..]) {
        ("ssh-rsa", [e, n]) => !e.is_empty() && n.len() >= 96,
        ("ssh-dss", [_, _, _, y]) => y.len() >= 64,
        ("ssh-ed25519", [key]) => key.len() == 32,
        ("ecdsa-sha2-nistp256", [b"nistp256", point]) => point.len() == 65,
        ("ecdsa-sha2-nistp384", [b"nistp384", point]) => point.len() == 97,
        ("ecdsa-sha2-nistp521", [b"nistp521", point]) => point.len() == 133,
        ("sk-ssh-ed25519@openssh.com", [key, _]) => key.len() == 32,
        ("sk-ecdsa-sha2-nistp256@openssh.com", [b"nistp256", point, _]) => point.len() == 65,
        _ => false,
    }
}

/// RFC 4251: each field is its length in four bytes, then its bytes.
fn fields(mut blob: &[u8]) -> Option<Vec<&[u8]>> {
    let mut fields = Vec::new();
    while !blob.is_empty() {
        let (length, rest) = blob.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        if rest.len() < length {
            return None;
        }
        let (field, rest) = rest.split_at(length);
        fields.push(field);
        blob = rest;
    }
    Some(fields)
}

pub(super) struct Pair {
    /// PEM of PKCS #1: the form that every SSH client, also paramiko, reads.
    pub private_key: String,
    pub public_key: String,
}

/// RSA, 2048 bits: what Nova makes. It takes tens of milliseconds of CPU.
pub(super) fn generate() -> Result<Pair, Bad> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| Bad::Generate)?;
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| Bad::Generate)?;
    let pkcs1 = rsa_in_pkcs8(pkcs8.as_ref()).ok_or(Bad::Generate)?;
    let (modulus, exponent) = modulus_and_exponent(pkcs1).ok_or(Bad::Generate)?;
    let mut blob = Vec::new();
    for field in [b"ssh-rsa", exponent, modulus] {
        blob.extend_from_slice(&u32::try_from(field.len()).map_err(|_| Bad::Generate)?.to_be_bytes());
        blob.extend_from_slice(field);
    }
    let mut private_key = "-----BEGIN RSA PRIVATE KEY-----\n".to_owned();
    for line in STANDARD.encode(pkcs1).as_bytes().chunks(64) {
        private_key.push_str(&String::from_utf8_lossy(line));
        private_key.push('\n');
    }
    private_key.push_str("-----END RSA PRIVATE KEY-----\n");
    Ok(Pair { private_key, public_key: format!("ssh-rsa {} Generated-by-Nova", STANDARD.encode(blob)) })
}

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// PrivateKeyInfo ::= SEQUENCE { version, algorithm, privateKey OCTET STRING, .. }
fn rsa_in_pkcs8(der: &[u8]) -> Option<&[u8]> {
    let (info, _) = element(der, SEQUENCE)?;
    let (_, rest) = element(info, INTEGER)?;
    let (_, rest) = element(rest, SEQUENCE)?;
    Some(element(rest, OCTET_STRING)?.0)
}

/// RSAPrivateKey ::= SEQUENCE { version, modulus, publicExponent, .. }. A DER integer is an SSH mpint as it is.
fn modulus_and_exponent(pkcs1: &[u8]) -> Option<(&[u8], &[u8])> {
    let (key, _) = element(pkcs1, SEQUENCE)?;
    let (_, rest) = element(key, INTEGER)?;
    let (modulus, rest) = element(rest, INTEGER)?;
    let (exponent, _) = element(rest, INTEGER)?;
    Some((modulus, exponent))
}

/// The content of the first DER element, which must have this tag, and what follows it.
pub(super) fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = der.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (length, rest) = if length < 0x80 {
        (usize::from(length), rest)
    } else {
        let digits = usize::from(length & 0x7f);
        if digits == 0 || digits > 4 || rest.len() < digits {
            return None;
        }
        let (digits, rest) = rest.split_at(digits);
        (digits.iter().fold(0usize, |n, d| n << 8 | usize::from(*d)), rest)
    };
    (rest.len() >= length).then(|| rest.split_at(length))
}
