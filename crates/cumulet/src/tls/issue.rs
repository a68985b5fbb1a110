//! An authority for one cloud, and the certificate that it signs.

use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};

use anyhow::Context;
use camino::Utf8Path;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};
use serde::{Deserialize, Serialize};

const CA: &str = "ca.pem";
const CA_KEY: &str = "ca.key";
pub(super) const CERTIFICATE: &str = "server.pem";
pub(super) const KEY: &str = "server.key";
/// What the certificate was made for; without it, it is made anew.
const MADE_FOR: &str = "server.json";

const CA_YEARS: i32 = 10;
const DAYS: i32 = 90;
/// A certificate with fewer days left is renewed.
const RENEW: i32 = 30;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    pub dns: Vec<String>,
    pub addresses: Vec<IpAddr>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct MadeFor {
    names: Names,
    last_day: Date,
}

/// Makes what is missing, renews what is old. The authority stays as long as it holds: clients trust it.
pub(super) fn ensure(directory: &Utf8Path, names: &Names, now: Timestamp) -> anyhow::Result<()> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let made: Option<MadeFor> =
        std::fs::read(directory.join(MADE_FOR)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let fresh = made.is_some_and(|made| {
        let left = made.last_day.since(today).map_or(0, |span| span.get_days());
        made.names == *names && (RENEW..=DAYS).contains(&left)
    });
    if fresh && [CA, CA_KEY, CERTIFICATE, KEY].iter().all(|name| directory.join(name).exists()) {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(directory)
        .and_then(|()| std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("cannot make {directory}"))?;
    let ca_key = authority(directory, today)?;
    let key = KeyPair::generate()?;
    let last_day = today.saturating_add(jiff::Span::new().days(DAYS));
    let issuer = Issuer::new(ca_params(today), &ca_key);
    let certificate = params(names, today, last_day)?.signed_by(&key, &issuer)?;
    // The certificate comes last: whoever looks for changes then finds a pair.
    write(directory, KEY, &key.serialize_pem(), 0o600)?;
    write(directory, CERTIFICATE, &certificate.pem(), 0o644)?;
    let made = serde_json::to_string(&MadeFor { names: names.clone(), last_day })?;
    write(directory, MADE_FOR, &made, 0o644)
}

/// The authority's key; made with its certificate if either is missing.
fn authority(directory: &Utf8Path, today: Date) -> anyhow::Result<KeyPair> {
    let path = directory.join(CA_KEY);
    if path.exists() && directory.join(CA).exists() {
        let pem = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        return KeyPair::from_pem(&pem)
            .with_context(|| format!("{path} is damaged: remove {directory} to begin anew"));
    }
    let key = KeyPair::generate()?;
    let certificate = ca_params(today).self_signed(&key)?;
    write(directory, CA_KEY, &key.serialize_pem(), 0o600)?;
    write(directory, CA, &certificate.pem(), 0o644)?;
    Ok(key)
}

fn ca_params(today: Date) -> CertificateParams {
    let mut params = valid(today, today.saturating_add(jiff::Span::new().years(CA_YEARS)));
    params.distinguished_name = called("Cumulet's authority for one cloud");
    // This machine's clock may be ahead now, and a key that no one has yet cannot have been misused before.
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn params(names: &Names, today: Date, last_day: Date) -> anyhow::Result<CertificateParams> {
    let mut params = valid(today, last_day);
    params.distinguished_name = called("Cumulet");
    for name in &names.dns {
        // A host's name may be none that a certificate can carry.
        if let Ok(name) = name.as_str().try_into() {
            params.subject_alt_names.push(SanType::DnsName(name));
        }
    }
    params.subject_alt_names.extend(names.addresses.iter().map(|address| SanType::IpAddress(*address)));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// From yesterday on: guests' clocks may be behind.
fn valid(today: Date, last_day: Date) -> CertificateParams {
    let date = |date: Date| {
        rcgen::date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    let mut params = CertificateParams::default();
    params.not_before = date(today.yesterday().unwrap_or(today));
    params.not_after = date(last_day);
    params
}

fn called(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}

/// Whole or not at all.
fn write(directory: &Utf8Path, name: &str, text: &str, mode: u32) -> anyhow::Result<()> {
    let (path, part) = (directory.join(name), directory.join(format!("{name}.part")));
    let put = || {
        match std::fs::remove_file(&part) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&part)?;
        // Whatever the process's mask says: clients read the authority.
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&part, &path)
    };
    put().with_context(|| format!("cannot write {path}"))
}
