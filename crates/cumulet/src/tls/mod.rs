//! TLS for the APIs: a certificate of one's own or of an authority made for this cloud, never served when old.
//!
//! ```text
//!   issue.rs: <data>/tls/ca.pem ─signs─► server.pem ─┐
//!   --tls-cert, --tls-key ───────────────────────────┴─► Certificates ─► listener.rs ─► serve.rs
//!                                                             ▲
//!                        keep(): renewed before it expires, read again when files change
//! ```

mod issue;
mod listener;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use anyhow::{Context, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

pub use issue::Names;
pub use listener::TlsListener;

use crate::config::{Config, Tls};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// The certificate that is served now.
#[derive(Debug)]
pub struct Certificates {
    provider: Arc<CryptoProvider>,
    source: Source,
    current: RwLock<Current>,
}

#[derive(Debug)]
struct Current {
    key: Arc<CertifiedKey>,
    /// When the files were written.
    written: Written,
}

type Written = (Option<SystemTime>, Option<SystemTime>);

#[derive(Debug)]
enum Source {
    Own { directory: Utf8PathBuf, names: Names },
    Given { certificate: Utf8PathBuf, key: Utf8PathBuf },
}

impl Certificates {
    /// Reads the given certificate, or makes one.
    pub fn open(config: &Config, tls: &Tls) -> anyhow::Result<Arc<Certificates>> {
        let source = match &tls.given {
            Some((certificate, key)) => Source::Given { certificate: certificate.clone(), key: key.clone() },
            None => Source::Own { directory: config.data.tls(), names: names(config) },
        };
        Self::of(source)
    }

    fn of(source: Source) -> anyhow::Result<Arc<Certificates>> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        source.renew()?;
        let current = RwLock::new(source.read(&provider)?);
        Ok(Arc::new(Certificates { provider, source, current }))
    }

    pub fn server_config(self: &Arc<Self>) -> anyhow::Result<Arc<ServerConfig>> {
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .context("TLS has no protocol version")?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Renews and reads again what has to be; true: another certificate is served from now on.
    fn refresh(&self) -> anyhow::Result<bool> {
        self.source.renew()?;
        let known = self.current.read().unwrap_or_else(PoisonError::into_inner).written;
        if self.source.written() == known {
            return Ok(false);
        }
        let current = self.source.read(&self.provider)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
        Ok(true)
    }
}

/// Goes on as long as the cloud runs. A file that cannot be used leaves the certificate of before in service.
pub async fn keep(certificates: Arc<Certificates>) {
    let mut complaint = String::new();
    loop {
        tokio::time::sleep(LOOK).await;
        let certificates = certificates.clone();
        match tokio::task::spawn_blocking(move || certificates.refresh()).await {
            Ok(Ok(changed)) => {
                complaint.clear();
                if changed {
                    tracing::info!("a new certificate is served");
                }
            }
            Ok(Err(error)) => {
                let words = format!("{error:#}");
                if words != complaint {
                    tracing::warn!(error = words, "the certificate of before stays in service");
                    complaint = words;
                }
            }
            Err(_) => return,
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).key.clone())
    }
}

impl Source {
    fn files(&self) -> (Utf8PathBuf, Utf8PathBuf) {
        match self {
            Source::Own { directory, .. } => (directory.join(issue::CERTIFICATE), directory.join(issue::KEY)),
            Source::Given { certificate, key } => (certificate.clone(), key.clone()),
        }
    }

    fn renew(&self) -> anyhow::Result<()> {
        match self {
            Source::Own { directory, names } => issue::ensure(directory, names, jiff::Timestamp::now()),
            Source::Given { .. } => Ok(()),
        }
    }

    fn written(&self) -> Written {
        let (certificate, key) = self.files();
        let of = |path: &Utf8Path| std::fs::metadata(path).and_then(|file| file.modified()).ok();
        (of(&certificate), of(&key))
    }

    fn read(&self, provider: &CryptoProvider) -> anyhow::Result<Current> {
        // Before the files are read: a change in between shows at the next look.
        let written = self.written();
        let (certificate, key) = self.files();
        let chain = CertificateDer::pem_file_iter(&certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|e| anyhow::anyhow!("cannot read the certificate {certificate}: {e}"))?;
        ensure!(!chain.is_empty(), "there is no certificate in {certificate}: it must be PEM");
        let secret = PrivateKeyDer::from_pem_file(&key)
            .map_err(|e| anyhow::anyhow!("cannot read the key {key}: {e}"))?;
        let key = CertifiedKey::from_der(chain, secret, provider)
            .map_err(|e: rustls::Error| anyhow::anyhow!("{certificate} and {key} cannot be used: {e}"))?;
        Ok(Current { key: Arc::new(key), written })
    }
}

/// By which names and addresses clients may reach this cloud.
fn names(config: &Config) -> Names {
    let mut names = Names { dns: vec!["localhost".into()], addresses: Vec::new() };
    if config.host != "localhost" {
        names.dns.push(config.host.clone());
    }
    let own = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
    let mut addresses: Vec<IpAddr> =
        own.into_iter().chain([config.gateway().into(), config.listen.ip()]).collect();
    if config.listen.ip().is_unspecified() {
        addresses.extend(host::survey::networks().into_iter().map(|(_, network)| network.addr()));
    }
    addresses.retain(|address| !address.is_unspecified());
    addresses.sort();
    addresses.dedup();
    names.addresses = addresses;
    names
}
