//! TLS of listeners and pools: words of the configuration, and the files that they name.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt;

use camino::Utf8Path;
use sha2::{Digest, Sha256};

use super::words::word;
use crate::Result;
use crate::balancer::{BalancerPlan, Pem, TlsPlan, Verify};
use crate::process::file_error;

/// In the load balancer's directory, in which HAProxy is started.
const DIRECTORY: &str = "tls";
/// With what keeps HAProxy from speaking them.
const VERSIONS: [(&str, &str); 5] = [
    ("SSLv3", "no-sslv3"),
    ("TLSv1", "no-tlsv10"),
    ("TLSv1.1", "no-tlsv11"),
    ("TLSv1.2", "no-tlsv12"),
    ("TLSv1.3", "no-tlsv13"),
];

/// A file's name tells what is in it: another certificate is another configuration.
fn named(content: &str, ending: &str) -> String {
    let digest = Sha256::digest(content.as_bytes());
    let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{DIRECTORY}/{name}.{ending}")
}

fn path(pem: &Pem) -> String {
    named(pem.text(), "pem")
}

/// A line of the configuration has 64 words at most, and a listener as many certificates as somebody gives it: they are
/// the lines of a file, the first of them for clients that ask for none of their names.
fn list(tls: &TlsPlan) -> Option<String> {
    let lines = |pems: &[Pem]| pems.iter().map(|pem| path(pem) + "\n").collect();
    (tls.certificates.len() > 1).then(|| lines(&tls.certificates))
}

pub fn of_listener(tls: &TlsPlan) -> String {
    let mut text = " ssl".to_owned();
    match list(tls) {
        Some(list) => {
            let _ = write!(text, " crt-list {}", named(&list, "list"));
        }
        None => first(&mut text, tls),
    }
    others(&mut text, tls);
    text
}

pub fn of_pool(tls: &TlsPlan) -> String {
    let mut text = " ssl".to_owned();
    first(&mut text, tls);
    if tls.verify == Verify::None {
        text.push_str(" verify none");
    }
    others(&mut text, tls);
    text.push_str(" sni ssl_fc_sni");
    text
}

fn first(text: &mut String, tls: &TlsPlan) {
    if let Some(certificate) = tls.certificates.first() {
        let _ = write!(text, " crt {}", path(certificate));
    }
}

fn others(text: &mut String, tls: &TlsPlan) {
    if tls.verify != Verify::None
        && let Some(authority) = &tls.authority
    {
        let how = if tls.verify == Verify::Required { "required" } else { "optional" };
        let _ = write!(text, " ca-file {} verify {how}", path(authority));
        if let Some(revoked) = &tls.revoked {
            let _ = write!(text, " crl-file {}", path(revoked));
        }
    }
    ciphers(text, &tls.ciphers);
    let spoken = |version: &str| tls.versions.iter().any(|one| one == version);
    if VERSIONS.iter().any(|(version, _)| spoken(version)) {
        for (_, option) in VERSIONS.iter().filter(|(version, _)| !spoken(version)) {
            let _ = write!(text, " {option}");
        }
    }
    if !tls.alpn.is_empty() {
        let _ = write!(text, " alpn {}", word(&tls.alpn.join(",")));
    }
}

/// Those that HAProxy would take anyway, where the list is none.
fn ciphers(text: &mut String, list: &str) {
    if !list.chars().all(|c| c.is_ascii_alphanumeric() || "-+!:@=_.".contains(c)) {
        return;
    }
    // Those of TLS 1.3 have a setting of their own.
    let (suites, ciphers): (Vec<&str>, Vec<&str>) =
        list.split(':').filter(|one| !one.is_empty()).partition(|one| one.starts_with("TLS_"));
    for (setting, list) in [("ciphers", ciphers), ("ciphersuites", suites)] {
        if !list.is_empty() {
            let _ = write!(text, " {setting} {}", list.join(":"));
        }
    }
}

/// What a header of this name says of a client's certificate.
pub fn header(name: &str) -> Option<&'static str> {
    Some(match name {
        "X-SSL-Client-Verify" => "%[ssl_c_verify]",
        "X-SSL-Client-Has-Cert" => "%[ssl_c_used]",
        "X-SSL-Client-DN" => "%{+Q}[ssl_c_s_dn]",
        "X-SSL-Client-CN" => "%{+Q}[ssl_c_s_dn(cn)]",
        "X-SSL-Issuer" => "%{+Q}[ssl_c_i_dn]",
        "X-SSL-Client-SHA1" => "%{+Q}[ssl_c_sha1,hex]",
        "X-SSL-Client-Not-Before" => "%{+Q}[ssl_c_notbefore]",
        "X-SSL-Client-Not-After" => "%{+Q}[ssl_c_notafter]",
        _ => return None,
    })
}

/// All files of the plan, by their paths in the directory.
fn files(plan: &BalancerPlan) -> BTreeMap<String, Cow<'_, str>> {
    let of_listeners = || plan.listeners.iter().filter_map(|one| one.tls.as_ref());
    let all = of_listeners().chain(plan.pools.iter().filter_map(|one| one.tls.as_ref()));
    let pems = all.flat_map(|tls| tls.certificates.iter().chain(&tls.authority).chain(&tls.revoked));
    let lists = of_listeners().filter_map(list).map(|list| (named(&list, "list"), Cow::from(list)));
    pems.map(|pem| (path(pem), Cow::from(pem.text()))).chain(lists).collect()
}

/// Makes the files that HAProxy reads while it is still root: nobody else may.
pub fn write(directory: &Utf8Path, plan: &BalancerPlan) -> Result<()> {
    let wanted = files(plan);
    if wanted.is_empty() {
        return Ok(());
    }
    let below = directory.join(DIRECTORY);
    let made = std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&below);
    match made {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(file_error("making", &below, error));
        }
        _ => {}
    }
    for (name, content) in wanted {
        let path = directory.join(&name);
        if path.exists() {
            continue;
        }
        // Whole or not at all.
        let part = directory.join(format!("{name}.part"));
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&part);
        file.and_then(|mut file| file.write_all(content.as_bytes()))
            .and_then(|()| std::fs::rename(&part, &path))
            .map_err(|error| file_error("writing", &path, error))?;
    }
    Ok(())
}

/// Removes the files that no listener and no pool has any more.
pub fn tidy(directory: &Utf8Path, plan: &BalancerPlan) -> Result<()> {
    let below = directory.join(DIRECTORY);
    let wanted = files(plan);
    let entries = match below.read_dir_utf8() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        other => other.map_err(|error| file_error("listing", &below, error))?,
    };
    for entry in entries.flatten() {
        if !wanted.contains_key(&format!("{DIRECTORY}/{}", entry.file_name())) {
            std::fs::remove_file(entry.path())
                .map_err(|error| file_error("removing", entry.path(), error))?;
        }
    }
    Ok(())
}
