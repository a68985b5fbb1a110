//! A certificate with its key, of whichever form it was stored in.

use barbican::reading::Found;
use p12_keystore::Pkcs12Archive;
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::pkcs5::pbes2::{Kdf, Parameters};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::pkcs7;

/// Why something is no certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is nothing that can be read as one.
    Unreadable,
    /// It could be PKCS #12, and is not, or is locked.
    Pkcs12(String),
    /// Nobody could be told from it whose it is.
    Nameless,
    /// It has no key, or its bundle has that of another certificate.
    Keyless,
}

/// Rounds of deriving a key from a pass phrase. What asks for more asks for our time.
const MOST_ROUNDS: u32 = 10_000_000;

/// On a thread where it may take its time: keys are derived in many rounds.
pub async fn of(found: Found) -> base::Result<Result<String, Refusal>> {
    let work = tokio::task::spawn_blocking(move || match found {
        Found::Secret(bytes) => from_pkcs12(&bytes),
        Found::Certificate(parts) => from_parts(&parts),
    });
    work.await.map_err(base::Error::internal)
}

/// In PEM: the certificate, its intermediates, its key.
pub fn from_pkcs12(bytes: &[u8]) -> Result<String, Refusal> {
    let archive =
        Pkcs12Archive::from_pkcs12(bytes, "").map_err(|error| Refusal::Pkcs12(error.to_string()))?;
    let key = archive.keys.first().ok_or(Refusal::Keyless)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.key.as_der().to_vec()));
    let public = public_of(&key)?;
    let all: Vec<&[u8]> = archive.certs.iter().map(|one| one.cert.as_der()).collect();
    if all.is_empty() {
        return Err(Refusal::Unreadable);
    }
    let own = all.iter().position(|one| is_of(one, &public)).ok_or(Refusal::Keyless)?;
    let others = all.iter().enumerate().filter(|(at, _)| *at != own).map(|(_, one)| *one);
    let chain: Vec<&[u8]> = std::iter::once(all[own]).chain(others).collect();
    written(&chain, &key)
}

/// Of a container's parts, by their names there.
pub fn from_parts(parts: &[(String, Vec<u8>)]) -> Result<String, Refusal> {
    let part = |name: &str| parts.iter().find(|(known, _)| known == name).map(|(_, bytes)| bytes.as_slice());
    let certificate = part("certificate").ok_or(Refusal::Unreadable)?;
    let certificates = certificates_of(certificate)?;
    let own = certificates.first().ok_or(Refusal::Unreadable)?;
    let key = key_of(part("private_key").ok_or(Refusal::Keyless)?, part("private_key_passphrase"))?;
    if !is_of(own, &public_of(&key)?) {
        return Err(Refusal::Unreadable);
    }
    let intermediates = part("intermediates").map(intermediates_of).transpose()?.unwrap_or_default();
    let mut chain: Vec<&[u8]> = Vec::new();
    // What is in both is there once.
    for one in certificates.iter().chain(&intermediates) {
        if !chain.contains(&one.as_ref()) {
            chain.push(one);
        }
    }
    written(&chain, &key)
}

/// In PEM, or of a PKCS #7 bundle in PEM or DER. Such that are none would leave clients without a chain.
fn intermediates_of(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, Refusal> {
    let mut all = certificates_of(bytes)?;
    if all.is_empty() {
        let blocks: Vec<Pem> = Pem::iter_from_buffer(bytes).filter_map(Result::ok).collect();
        let bundle =
            blocks.iter().find(|block| block.label == "PKCS7").map_or(bytes, |block| &block.contents);
        all = pkcs7::certificates(bundle).ok_or(Refusal::Unreadable)?;
    }
    if all.is_empty() { Err(Refusal::Unreadable) } else { Ok(all) }
}

fn certificates_of(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Refusal> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| Refusal::Unreadable)
}

fn key_of(pem: &[u8], passphrase: Option<&[u8]>) -> Result<PrivateKeyDer<'static>, Refusal> {
    if let Ok(key) = PrivateKeyDer::from_pem_slice(pem) {
        return Ok(key);
    }
    let text = std::str::from_utf8(pem).map_err(|_| Refusal::Unreadable)?;
    let (label, document) = pkcs8::SecretDocument::from_pem(text.trim()).map_err(|_| Refusal::Unreadable)?;
    if label != "ENCRYPTED PRIVATE KEY" {
        return Err(Refusal::Unreadable);
    }
    let locked =
        EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).map_err(|_| Refusal::Unreadable)?;
    let rounds = locked.encryption_algorithm.pbes2().map(rounds);
    if rounds.is_none_or(|rounds| rounds > MOST_ROUNDS) {
        return Err(Refusal::Unreadable);
    }
    let key = locked.decrypt(passphrase.unwrap_or_default()).map_err(|_| Refusal::Unreadable)?;
    Ok(PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec())))
}

fn rounds(parameters: &Parameters) -> u32 {
    match &parameters.kdf {
        Kdf::Pbkdf2(derivation) => derivation.iteration_count,
        // Built without.
        _ => u32::MAX,
    }
}

/// Its public half, as certificates hold it.
fn public_of(key: &PrivateKeyDer<'_>) -> Result<Vec<u8>, Refusal> {
    let key = any_supported_type(key).map_err(|_| Refusal::Unreadable)?;
    key.public_key().map(|public| public.as_ref().to_vec()).ok_or(Refusal::Unreadable)
}

fn is_of(certificate: &[u8], public: &[u8]) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, parsed)| parsed.public_key().raw == public)
}

fn has_name(certificate: &X509Certificate<'_>) -> bool {
    let common = certificate.subject().iter_common_name().next().is_some();
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    common
        || alternatives.is_some_and(|names| {
            names.value.general_names.iter().any(|name| matches!(name, GeneralName::DNSName(_)))
        })
}

fn written(chain: &[&[u8]], key: &PrivateKeyDer<'_>) -> Result<String, Refusal> {
    let mut text = String::new();
    for (at, certificate) in chain.iter().enumerate() {
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| Refusal::Unreadable)?;
        if at == 0 && !has_name(&parsed) {
            return Err(Refusal::Nameless);
        }
        text.push_str(&armored("CERTIFICATE", certificate)?);
    }
    let label = match key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    text.push_str(&armored(label, key.secret_der())?);
    Ok(text)
}

fn armored(label: &str, der: &[u8]) -> Result<String, Refusal> {
    use pkcs8::der::pem::{LineEnding, encode_string};
    encode_string(label, LineEnding::LF, der).map_err(|_| Refusal::Unreadable)
}
