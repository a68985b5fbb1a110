use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::*;

fn own(dir: &tempfile::TempDir) -> Source {
    let directory = Utf8PathBuf::from_path_buf(dir.path().join("tls")).unwrap();
    let names = Names { dns: vec!["localhost".into()], addresses: vec![Ipv4Addr::LOCALHOST.into()] };
    Source::Own { directory, names }
}

fn trusting(ca: &Utf8Path) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn served(certificates: &Arc<Certificates>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tls = TlsListener::start(listener, certificates.server_config().unwrap()).unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = axum::serve::Listener::accept(&mut tls).await;
            stream.write_all(b"hello").await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    address
}

/// The certificate that a client gets, after it trusted it.
async fn seen(address: std::net::SocketAddr, ca: &Utf8Path) -> Result<Vec<u8>, std::io::Error> {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST));
    let mut stream = trusting(ca).connect(name, stream).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    assert_eq!(text, "hello");
    Ok(stream.get_ref().1.peer_certificates().unwrap()[0].to_vec())
}

#[tokio::test]
async fn clients_that_know_the_authority_trust_it_and_plain_http_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let source = own(&dir);
    let ca = source.files().0.with_file_name("ca.pem");
    let certificates = Certificates::of(source).unwrap();
    let address = served(&certificates).await;
    seen(address, &ca).await.unwrap();

    let other = tempfile::tempdir().unwrap();
    let stranger = own(&other);
    stranger.renew().unwrap();
    assert!(seen(address, &stranger.files().0.with_file_name("ca.pem")).await.is_err());

    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("begin the URL with https://\n"),
        "{answer}"
    );
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{answer}");
}

#[tokio::test]
async fn a_silent_client_keeps_nobody_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let source = own(&dir);
    let ca = source.files().0.with_file_name("ca.pem");
    let address = served(&Certificates::of(source).unwrap()).await;
    let _silent = TcpStream::connect(address).await.unwrap();
    seen(address, &ca).await.unwrap();
}

#[tokio::test]
async fn a_changed_file_is_served_without_a_restart_and_a_bad_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = |name: &str| Utf8PathBuf::from_path_buf(dir.path().join(name)).unwrap();
    let copy = |from: &tempfile::TempDir| {
        let source = own(from);
        source.renew().unwrap();
        let (certificate, key) = source.files();
        std::fs::copy(certificate.with_file_name("ca.pem"), file("ca.pem")).unwrap();
        std::fs::copy(key, file("key.pem")).unwrap();
        std::fs::copy(certificate, file("cert.pem")).unwrap();
    };
    copy(&first);
    let source = Source::Given { certificate: file("cert.pem"), key: file("key.pem") };
    let certificates = Certificates::of(source).unwrap();
    let address = served(&certificates).await;
    let before = seen(address, &file("ca.pem")).await.unwrap();
    assert!(!certificates.refresh().unwrap());

    std::fs::write(file("cert.pem"), "no certificate").unwrap();
    assert!(certificates.refresh().unwrap_err().to_string().contains("no certificate"));
    assert_eq!(seen(address, &file("ca.pem")).await.unwrap(), before);

    copy(&second);
    assert!(certificates.refresh().unwrap());
    assert_ne!(seen(address, &file("ca.pem")).await.unwrap(), before);
}

#[test]
fn it_is_renewed_before_it_expires_and_the_authority_stays() {
    let dir = tempfile::tempdir().unwrap();
    let directory = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
    let names = Names { dns: vec!["localhost".into()], addresses: Vec::new() };
    let now: jiff::Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
    let at = |days: i64| now + jiff::SignedDuration::from_hours(24 * days);
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
    issue::ensure(&directory, &names, now).unwrap();
    let (ca, first) = (read("ca.pem"), read("server.pem"));
    issue::ensure(&directory, &names, at(59)).unwrap();
    assert_eq!(read("server.pem"), first);
    issue::ensure(&directory, &names, at(61)).unwrap();
    let second = read("server.pem");
    assert_ne!(second, first);
    // Another address needs another certificate.
    let more = Names { addresses: vec![Ipv4Addr::LOCALHOST.into()], ..names.clone() };
    issue::ensure(&directory, &more, at(61)).unwrap();
    assert_ne!(read("server.pem"), second);
    // A clock that went back must not leave one that is not valid yet.
    let third = read("server.pem");
    issue::ensure(&directory, &more, at(0)).unwrap();
    assert_ne!(read("server.pem"), third);
    assert_eq!(read("ca.pem"), ca);
    // Strict clients check the authority's dates as well: made while the clock was ahead, it holds when that is put right.
    let begins = not_before(&ca);
    assert!(begins.as_str() < "20260101", "the authority holds from {begins} on");
    use std::os::unix::fs::MetadataExt;
    for secret in ["ca.key", "server.key"] {
        assert_eq!(std::fs::metadata(directory.join(secret)).unwrap().mode() & 0o777, 0o600);
    }
}

/// The first of a certificate's two dates, as `20260131`. Dates before 2050 are written with two digits of the year.
fn not_before(pem: &str) -> String {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    const UTC_TIME: &[u8] = &[0x17, 13];
    let at = der.windows(2).position(|window| window == UTC_TIME).unwrap();
    format!("20{}", std::str::from_utf8(&der[at + 2..at + 8]).unwrap())
}
