//! The cluster's certificate authority, the administrator's certificate, and the token with which nodes join.
//!
//! The CA is made here, before the first machine, so that the kubeconfig and the CA's fingerprint are known without
//! asking a machine for them. kubeadm needs the CA's key on the control plane to sign kubelets' certificates, and
//! makes the etcd and front-proxy CAs there by itself.

mod token;

pub(crate) use token::TTL as TOKEN_TTL;
pub use token::Token;
pub(crate) use token::letters;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::civil::Date;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Result;

const CA_YEARS: i16 = 10;
const ADMIN_YEARS: i16 = 1;
/// With less left the administrator gets another certificate.
const ADMIN_LEAST_DAYS: i32 = 60;

/// Certificates and keys in PEM. Kept in a file of mode 0600, nowhere else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pki {
    pub ca_certificate: String,
    pub ca_key: String,
    pub admin_certificate: String,
    pub admin_key: String,
    /// When the administrator's certificate ends. Unknown of older clusters.
    #[serde(default)]
    pub admin_until: Option<Date>,
    /// `sha256:<hex>` of the CA's public key, as `kubeadm join` wants it.
    pub ca_hash: String,
    /// Of the webhook beside the API server, by which it asks the cloud's Keystone. Absent in older clusters.
    #[serde(default)]
    pub webhook_certificate: String,
    #[serde(default)]
    pub webhook_key: String,
}

impl std::fmt::Debug for Pki {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pki").field("ca_hash", &self.ca_hash).finish_non_exhaustive()
    }
}

impl Pki {
    /// # Errors
    /// The cryptography library refuses; it has no reason to.
    pub fn generate() -> Result<Self> {
        let today = today();
        let ca_key = KeyPair::generate()?;
        let ca = ca_params(today);
        let ca_certificate = ca.self_signed(&ca_key)?;
        let ca_hash = hash(&ca_key.subject_public_key_info());
        let admin_key = KeyPair::generate()?;
        let issuer = Issuer::from_params(&ca, &ca_key);
        let admin_certificate = admin_params(today).signed_by(&admin_key, &issuer)?;
        let admin_until = Some(after(today, ADMIN_YEARS));
        let webhook_key = KeyPair::generate()?;
        let webhook_certificate = webhook_params(today).signed_by(&webhook_key, &issuer)?;
        Ok(Self {
            ca_certificate: ca_certificate.pem(),
            ca_key: ca_key.serialize_pem(),
            admin_certificate: admin_certificate.pem(),
            admin_key: admin_key.serialize_pem(),
            admin_until,
            ca_hash,
            webhook_certificate: webhook_certificate.pem(),
            webhook_key: webhook_key.serialize_pem(),
        })
    }

    /// With a certificate for the administrator that lasts: whoever has the authority's key need not lose a cluster to a
    /// date.
    pub(crate) fn lasting(mut self, today: Date) -> Result<Self> {
        let least = today.saturating_add(jiff::Span::new().days(ADMIN_LEAST_DAYS));
        if self.admin_until.is_none_or(|until| until < least) {
            let (ca_key, admin_key) = (KeyPair::from_pem(&self.ca_key)?, KeyPair::from_pem(&self.admin_key)?);
            let ca = ca_params(today);
            let issuer = Issuer::from_params(&ca, &ca_key);
            self.admin_certificate = admin_params(today).signed_by(&admin_key, &issuer)?.pem();
            self.admin_until = Some(after(today, ADMIN_YEARS));
        }
        Ok(self)
    }

    pub(crate) fn base64(pem: &str) -> String {
        BASE64_STANDARD.encode(pem)
    }
}

pub(crate) fn today() -> Date {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn after(today: Date, years: i16) -> Date {
    today.saturating_add(jiff::Span::new().years(years))
}

fn hash(spki: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(spki) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn ca_params(today: Date) -> CertificateParams {
    let mut params = valid(today, CA_YEARS);
    params.distinguished_name = name(&[(DnType::CommonName, "kubernetes")]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
        KeyUsagePurpose::KeyCertSign,
    ];
    params
}

/// The group is bound to `cluster-admin` by kubeadm, so the right can be taken away again; `system:masters` could not.
fn admin_params(today: Date) -> CertificateParams {
    let mut params = valid(today, ADMIN_YEARS);
    params.distinguished_name = name(&[
        (DnType::OrganizationName, "kubeadm:cluster-admins"),
        (DnType::CommonName, "kubernetes-admin"),
    ]);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params
}

/// It answers on the control plane's own loopback address, and lives as long as the CA: nothing renews it.
fn webhook_params(today: Date) -> CertificateParams {
    let mut params = valid(today, CA_YEARS);
    params.distinguished_name = name(&[(DnType::CommonName, "k8s-keystone-auth")]);
    params.subject_alt_names = vec![SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into())];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params
}

/// From yesterday, since the machines' clocks may be behind ours.
fn valid(today: Date, years: i16) -> CertificateParams {
    let date = |date: Date| {
        rcgen::date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    let mut params = CertificateParams::default();
    params.not_before = date(today.yesterday().unwrap_or(today));
    params.not_after = date(after(today, years));
    params
}

fn name(parts: &[(DnType, &str)]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for (kind, value) in parts {
        name.push(kind.clone(), *value);
    }
    name
}

#[cfg(test)]
mod tests {
    use x509_parser::parse_x509_certificate;

    use super::*;

    fn der(pem: &str) -> Vec<u8> {
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        BASE64_STANDARD.decode(body).unwrap()
    }

    #[test]
    fn the_hash_is_of_the_key_inside_the_ca_certificate() {
        let pki = Pki::generate().unwrap();
        let key = KeyPair::from_pem(&pki.ca_key).unwrap();
        let spki = key.subject_public_key_info();
        assert!(der(&pki.ca_certificate).windows(spki.len()).any(|window| window == spki));
        assert_eq!(pki.ca_hash, hash(&spki));
        assert_eq!(pki.ca_hash.len(), "sha256:".len() + 64);
    }

    #[test]
    fn the_admin_certificate_chains_to_the_ca_and_is_for_clients() {
        let pki = Pki::generate().unwrap();
        let admin = der(&pki.admin_certificate);
        let holds = |needle: &[u8]| admin.windows(needle.len()).any(|window| window == needle);
        assert!(holds(b"kubeadm:cluster-admins"));
        assert!(holds(b"kubernetes-admin"));
        // The issuer's name, and id-kp-clientAuth in DER.
        assert!(holds(b"kubernetes"));
        assert!(holds(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02]));
    }

    #[test]
    fn an_administrators_certificate_is_made_anew_before_it_ends() {
        let pki = Pki::generate().unwrap();
        let (now, until) = (today(), pki.admin_until.unwrap());
        assert_eq!(pki.clone().lasting(now).unwrap(), pki);
        let late = until.saturating_sub(jiff::Span::new().days(ADMIN_LEAST_DAYS - 1));
        let renewed = pki.clone().lasting(late).unwrap();
        assert_ne!(renewed.admin_certificate, pki.admin_certificate);
        assert_eq!(renewed.admin_until, Some(after(late, ADMIN_YEARS)));
        assert_eq!((&renewed.admin_key, &renewed.ca_certificate), (&pki.admin_key, &pki.ca_certificate));
        let older = Pki { admin_until: None, ..pki.clone() };
        assert_ne!(older.lasting(now).unwrap().admin_certificate, pki.admin_certificate);
        // Issued by the same name and key, or nobody would believe it.
        let (ca, admin) = (der(&renewed.ca_certificate), der(&renewed.admin_certificate));
        let (ca, admin) = (parse_x509_certificate(&ca).unwrap().1, parse_x509_certificate(&admin).unwrap().1);
        assert_eq!(admin.issuer(), ca.subject());
        admin.verify_signature(Some(ca.public_key())).unwrap();
    }

    #[test]
    fn debug_output_holds_no_key() {
        let pki = Pki::generate().unwrap();
        assert!(!format!("{pki:?}").contains("PRIVATE"));
    }
}
