//! What the host is given of certificates.

use std::collections::{BTreeMap, BTreeSet};

use barbican::reading::Reader;
use base::Result;
use db::AnyConnection;
use host::balancer::Pem;
use serde_json::Value;

use super::bundle;
use crate::Octavia;
use crate::request::{Fields, Look};
use crate::tree::{Noun, Tree};

/// By reference. One that cannot be read any more is absent.
pub type Certificates = BTreeMap<String, Pem>;

pub fn texts(list: &[Value]) -> impl Iterator<Item = &str> {
    list.iter().filter_map(Value::as_str).filter(|text| !text.is_empty())
}

/// References to certificates with keys.
pub fn bundles(fields: &Fields) -> Vec<&str> {
    let mut all: Vec<&str> = ["default_tls_container_ref", "tls_container_ref"]
        .into_iter()
        .map(|name| fields.text(name))
        .filter(|one| !one.is_empty())
        .collect();
    all.extend(texts(fields.list("sni_container_refs")));
    all
}

/// References to signers and lists of revoked certificates.
pub fn authorities(fields: &Fields) -> Vec<&str> {
    let names = [
        "client_ca_tls_container_ref",
        "client_crl_container_ref",
        "ca_tls_container_ref",
        "crl_container_ref",
    ];
    names.into_iter().map(|name| fields.text(name)).filter(|one| !one.is_empty()).collect()
}

/// All that listeners and pools of the load balancer refer to.
pub async fn all(app: &Octavia, conn: &mut AnyConnection, tree: &Tree) -> Result<Certificates> {
    let nodes = || tree.nodes.iter().filter(|node| matches!(node.noun, Noun::Listener | Noun::Pool));
    let with_keys: BTreeSet<&str> = nodes().flat_map(|node| bundles(&node.fields)).collect();
    let without: BTreeSet<&str> = nodes().flat_map(|node| authorities(&node.fields)).collect();
    let mut all = Certificates::new();
    for reference in with_keys {
        let found = app.barbican.found(conn, Reader::Cloud, reference).await;
        let bundle = match found {
            Ok(found) => bundle::of(found).await?.ok(),
            Err(e) if e.kind == base::Kind::Internal => return Err(e),
            Err(_) => None,
        };
        match bundle {
            Some(text) => drop(all.insert(reference.to_owned(), Pem::new(text))),
            None => tracing::warn!(reference, "a load balancer's certificate cannot be read any more"),
        }
    }
    for reference in without {
        let found = app.barbican.payload_of(conn, Reader::Cloud, reference).await;
        match found.map(String::from_utf8) {
            Ok(Ok(text)) => drop(all.insert(reference.to_owned(), Pem::new(text))),
            Err(e) if e.kind == base::Kind::Internal => return Err(e),
            _ => tracing::warn!(reference, "a load balancer's authority cannot be read any more"),
        }
    }
    Ok(all)
}
