//! Certificates of PKCS #7 bundles (RFC 2315): signed data that is nothing but a bag of them, as authorities hand out chains.
//!
//! ```text
//!  content info ─┬─ signed data's name
//!                └─ [0] ── signed data ── version, algorithms, content, [0] certificates, ...
//! ```

use rustls::pki_types::CertificateDer;
use x509_parser::asn1_rs::{Any, Class, FromDer, Oid, Tag};

const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";

/// In their order there; None: it is no such bundle.
pub fn certificates(der: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let (_, info) = Any::from_der(der).ok()?;
    let (content, kind) = Oid::from_der(info.data).ok()?;
    if kind.to_id_string() != SIGNED_DATA {
        return None;
    }
    let (_, content) = Any::from_der(content).ok()?;
    let (_, signed) = Any::from_der(content.data).ok()?;
    let parts = elements(signed.data)?;
    let is_bag = |one: &Any<'_>| one.class() == Class::ContextSpecific && one.tag() == Tag(0);
    let Some((_, bag)) = parts.iter().find(|(_, one)| is_bag(one)) else { return Some(Vec::new()) };
    let all = elements(bag.data)?.into_iter();
    Some(all.map(|(whole, _)| CertificateDer::from(whole.to_vec())).collect())
}

/// What follows one another in `data`, each with its header and without.
fn elements(mut data: &[u8]) -> Option<Vec<(&[u8], Any<'_>)>> {
    let mut all = Vec::new();
    while !data.is_empty() {
        let (rest, one) = Any::from_der(data).ok()?;
        all.push((&data[..data.len() - rest.len()], one));
        data = rest;
    }
    Some(all)
}
