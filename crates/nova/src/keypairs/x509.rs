//! X.509 certificates as key pairs (for Windows guests): only imported, never made here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

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
