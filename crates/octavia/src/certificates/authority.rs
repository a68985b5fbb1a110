//! Whom certificates are to be signed by, and which of those are not to be trusted any more. Pure.

use x509_parser::pem::Pem;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

/// PEM as it was stored; the message of Octavia's refusal otherwise.
pub fn check(authority: &[u8], revoked: Option<&[u8]>) -> Result<(), String> {
    let invalid = |error: String| {
        format!(
            "The client authentication CA certificate is invalid. It must be a valid x509 PEM format certificate. \
             Error: {error}"
        )
    };
    let block = first(authority, "CERTIFICATE").map_err(invalid)?;
    let (_, signer) =
        X509Certificate::from_der(&block.contents).map_err(|error| invalid(error.to_string()))?;
    let Some(revoked) = revoked else { return Ok(()) };
    let invalid = |error: String| {
        format!(
            "The client authentication certificate revocation list is invalid. It must be a valid x509 PEM format \
             certificate revocation list. Error: {error}"
        )
    };
    let block = first(revoked, "X509 CRL").map_err(invalid)?;
    let (_, list) =
        CertificateRevocationList::from_der(&block.contents).map_err(|error| invalid(error.to_string()))?;
    list.verify_signature(signer.public_key()).map_err(|_| {
        "The CRL specified is not valid for client certificate authority reference supplied.".to_owned()
    })
}

fn first(pem: &[u8], label: &str) -> Result<Pem, String> {
    for block in Pem::iter_from_buffer(pem) {
        let block = block.map_err(|error| error.to_string())?;
        if block.label == label {
            return Ok(block);
        }
    }
    Err(format!("there is no {label} in it"))
}
