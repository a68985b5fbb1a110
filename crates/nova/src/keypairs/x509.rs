//! X.509 certificates as key pairs: what Windows guests log their users in by.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, PKCS_RSA_SHA256,
    RsaKeySize, SanType,
};

/// A self-signed certificate and its private key, both PEM. Takes a while: an RSA key is searched for, since WinRM takes
/// no other.
pub(super) fn generate(user: &str) -> Result<(String, String), rcgen::Error> {
    /// Microsoft's user principal name, by which Windows maps a certificate to an account.
    const PRINCIPAL_NAME: &[u64] = &[1, 3, 6, 1, 4, 1, 311, 20, 2, 3];
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, user);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let name = format!("{user}@localhost");
    params.subject_alt_names = vec![SanType::OtherName((PRINCIPAL_NAME.to_vec(), name.into()))];
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// SHA-1 of the certificate in colons, or None when this is not a PEM certificate.
pub(super) fn fingerprint(pem: &str) -> Option<String> {
    let body =
        pem.trim().strip_prefix("-----BEGIN CERTIFICATE-----")?.split("-----END CERTIFICATE-----").next()?;
    let compact: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let der = STANDARD.decode(compact).ok()?;
    // Certificate ::= SEQUENCE { tbsCertificate SEQUENCE .. }, and nothing behind it.
    let (certificate, rest) = super::ssh::element(&der, 0x30)?;
    super::ssh::element(certificate, 0x30)?;
    if !rest.is_empty() {
        return None;
    }
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &der);
    Some(super::ssh::colons(digest.as_ref()))
}
