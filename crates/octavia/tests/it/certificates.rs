//! TLS that ends at a listener: certificates of the key manager.

use host::balancer::{ListenerProtocol, Verify};
use octavia::certificates::bundle::{Refusal, from_parts};
use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use pkcs8::der::Decode as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DistinguishedName,
    IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use crate::cloud::Cloud;

struct Pair {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

fn pair(name: &str) -> Pair {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
    Pair { certificate, key }
}

impl Cloud {
    async fn secret(&self, token: &str, payload: &str) -> String {
        let body = json!({"payload": payload, "payload_content_type": "text/plain"});
        self.keep(token, "secret", body).await
    }

    async fn bytes(&self, token: &str, payload: &[u8]) -> String {
        let text = base64(payload);
        let body = json!({"payload": text, "payload_content_type": "application/octet-stream",
                          "payload_content_encoding": "base64"});
        self.keep(token, "secret", body).await
    }

    async fn container(&self, token: &str, parts: &[(&str, &str)]) -> String {
        let mut refs = Vec::new();
        for (name, payload) in parts {
            refs.push(json!({"name": name, "secret_ref": self.secret(token, payload).await}));
        }
        self.keep(token, "container", json!({"type": "certificate", "secret_refs": refs})).await
    }
}

fn base64(bytes: &[u8]) -> String {
    let pem = pkcs8::der::pem::encode_string("X", pkcs8::der::pem::LineEnding::LF, bytes).unwrap();
    pem.lines().filter(|line| !line.starts_with("---")).collect()
}

fn pkcs12(pair: &Pair, password: &str) -> Vec<u8> {
    let key = PrivateKey::from_der(&pair.key.serialize_der()).unwrap();
    let certificate = Certificate::from_der(pair.certificate.der()).unwrap();
    let chain = PrivateKeyChain::new(b"1".as_slice(), key, [certificate]);
    let mut store = KeyStore::new();
    store.add_entry("own", KeyStoreEntry::PrivateKeyChain(chain));
    store.writer(password).write().unwrap()
}

fn listener(balancer: &str, more: &Value) -> Value {
    let mut fields =
        json!({"loadbalancer_id": balancer, "protocol": "TERMINATED_HTTPS", "protocol_port": 443});
    for (name, value) in more.as_object().unwrap() {
        fields[name] = value.clone();
    }
    json!({"listener": fields})
}

#[tokio::test]
async fn tls_ends_with_certificates_of_containers_and_bundles() {
    let cloud = Cloud::start().await;
    let balancer = cloud.balancer().await;
    let (own, other) = (pair("a.example.org"), pair("b.example.org"));
    let parts = [("certificate", &*own.certificate.pem()), ("private_key", &*own.key.serialize_pem())];
    let container = cloud.container("alice", &parts).await;
    let bundle = cloud.bytes("alice", &pkcs12(&other, "")).await;
    let body = listener(
        &balancer,
        &json!({"default_tls_container_ref": container, "sni_container_refs": [bundle], "hsts_max_age": 60,
                "hsts_preload": true, "insert_headers": {"X-SSL-Client-Verify": "true"}}),
    );
    let made = cloud.post("listeners", body).await.ok(201)["listener"].clone();
    assert_eq!(made["tls_versions"], json!(["TLSv1.2", "TLSv1.3"]));
    assert_eq!(made["alpn_protocols"], json!(["h2", "http/1.1", "http/1.0"]));
    assert_eq!(made["sni_container_refs"], json!([bundle]));
    cloud.active(&balancer).await;
    let plan = cloud.host.plan(&balancer).unwrap();
    let served = &plan.listeners[0];
    assert_eq!(served.protocol, ListenerProtocol::TerminatedHttps);
    let tls = served.tls.as_ref().unwrap();
    assert_eq!(tls.strict.as_deref(), Some("max-age=60; preload;"));
    for (pem, pair) in tls.certificates.iter().zip([&own, &other]) {
        let written = |label: &str, der: &[u8]| {
            pkcs8::der::pem::encode_string(label, pkcs8::der::pem::LineEnding::LF, der).unwrap()
        };
        let key = written("PRIVATE KEY", &pair.key.serialize_der());
        assert_eq!(pem.text(), written("CERTIFICATE", pair.certificate.der()) + &key);
    }
    assert!(!format!("{plan:?}").contains("PRIVATE"), "plans are logged");
}

#[tokio::test]
async fn what_is_no_certificate_is_refused_at_the_call() {
    let cloud = Cloud::start().await;
    let balancer = cloud.balancer().await;
    let (own, other) = (pair("a.example.org"), pair("b.example.org"));
    let (certificate, key) = (own.certificate.pem(), own.key.serialize_pem());
    let mut nameless = CertificateParams::default();
    nameless.distinguished_name = DistinguishedName::new();
    let nameless = nameless.self_signed(&own.key).unwrap().pem();
    let whole = [("certificate", &*certificate), ("private_key", &*key)];
    let keyless = cloud.container("alice", &[("certificate", &*certificate)]).await;
    let mixed = [("certificate", &*certificate), ("private_key", &*other.key.serialize_pem())];
    let mixed = cloud.container("alice", &mixed).await;
    let foreign = cloud.container("bob", &whole).await;
    let nameless = cloud.container("alice", &[("certificate", &*nameless), ("private_key", &*key)]).await;
    let unknown = format!("http://cloud.example/key-manager/v1/secrets/{}", base::id::uuid());
    let list = |one: &str| format!("Could not retrieve certificate: ['{one}']");
    for (reference, words) in [
        (&keyless, format!("Could not retrieve certificate: {keyless}")),
        (&mixed, list(&mixed)),
        (&foreign, list(&foreign)),
        (&unknown, list(&unknown)),
        (&nameless, "No CN or DNSName(s) found in certificate. The certificate is invalid.".to_owned()),
    ] {
        let body = listener(&balancer, &json!({"default_tls_container_ref": reference}));
        cloud.post("listeners", body).await.refused(400, &words);
        let pool = json!({"pool": {"loadbalancer_id": balancer, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN",
                                   "tls_enabled": true, "tls_container_ref": reference}});
        cloud.post("pools", pool).await.refused(400, &words);
    }
    let locked = cloud.bytes("alice", &pkcs12(&own, "secret")).await;
    let text = cloud.secret("alice", "hello").await;
    for reference in [locked, text] {
        let body = listener(&balancer, &json!({"default_tls_container_ref": reference}));
        let answer = cloud.post("listeners", body).await;
        assert_eq!(answer.status, 400);
        let words = answer.body["faultstring"].as_str().unwrap();
        assert!(words.starts_with("The PKCS12 bundle is unreadable. "), "{words}");
    }
    // Nothing is half made, nor locked.
    assert_eq!(cloud.get("listeners").await["listeners"], json!([]));
    cloud.active(&balancer).await;
    let body =
        listener(&balancer, &json!({"default_tls_container_ref": cloud.container("alice", &whole).await}));
    cloud.post("listeners", body).await.ok(201);
}

#[tokio::test]
async fn clients_are_asked_who_they_are() {
    let cloud = Cloud::start().await;
    let balancer = cloud.balancer().await;
    let own = pair("a.example.org");
    let parts = [("certificate", &*own.certificate.pem()), ("private_key", &*own.key.serialize_pem())];
    let container = cloud.container("alice", &parts).await;
    let signer = |name: &str| {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::CrlSign, KeyUsagePurpose::KeyCertSign];
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (authority, other) = (signer("ca"), signer("other"));
    let now = std::time::SystemTime::now();
    let list = CertificateRevocationListParams {
        this_update: now.into(),
        next_update: (now + std::time::Duration::from_secs(3600)).into(),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: vec![],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let revoked = list.signed_by(&authority).unwrap().pem().unwrap();
    let authority = cloud.secret("alice", &authority.pem()).await;
    let other = cloud.secret("alice", &other.pem()).await;
    let revoked = cloud.secret("alice", &revoked).await;
    let with = |more: Value| {
        let mut body = listener(&balancer, &more);
        body["listener"]["default_tls_container_ref"] = container.clone().into();
        body
    };
    let words = "Validation failure: Client authentication setting MANDATORY requires a client CA container reference.";
    cloud.post("listeners", with(json!({"client_authentication": "MANDATORY"}))).await.refused(400, words);
    let words = "Validation failure: The CRL specified is not valid for client certificate authority reference supplied.";
    let foreign = json!({"client_ca_tls_container_ref": other, "client_crl_container_ref": revoked});
    cloud.post("listeners", with(foreign)).await.refused(400, words);
    let answer = cloud.post("listeners", with(json!({"client_ca_tls_container_ref": container}))).await;
    answer.refused(400, &format!("Could not retrieve certificate: ['{container}']"));
    let good = json!({"client_ca_tls_container_ref": authority, "client_crl_container_ref": revoked,
                      "client_authentication": "MANDATORY"});
    let made = cloud.post("listeners", with(good)).await.ok(201)["listener"].clone();
    cloud.active(&balancer).await;
    let tls = |cloud: &Cloud| cloud.host.plan(&balancer).unwrap().listeners[0].tls.clone().unwrap();
    assert_eq!((tls(&cloud).verify, tls(&cloud).authority.is_some()), (Verify::Required, true));
    let path = format!("listeners/{}", made["id"].as_str().unwrap());
    let change = json!({"listener": {"client_authentication": "OPTIONAL", "tls_versions": ["TLSv1.3"]}});
    cloud.put(&path, change).await.ok(200);
    cloud.active(&balancer).await;
    assert_eq!((tls(&cloud).verify, tls(&cloud).versions), (Verify::Optional, vec!["TLSv1.3".to_owned()]));
    let words = "Validation failure: Invalid TLS versions: TLSv9";
    cloud.put(&path, json!({"listener": {"tls_versions": ["TLSv9"]}})).await.refused(400, words);
}

#[tokio::test]
async fn a_lost_certificate_takes_its_listener_and_no_other() {
    let cloud = Cloud::start().await;
    let balancer = cloud.balancer().await;
    let own = pair("a.example.org");
    let bundle = cloud.bytes("alice", &pkcs12(&own, "")).await;
    let body = listener(&balancer, &json!({"default_tls_container_ref": bundle}));
    let made = cloud.post("listeners", body).await.ok(201)["listener"].clone();
    cloud.active(&balancer).await;
    cloud.drop_secret("alice", &bundle).await;
    let plain = json!({"loadbalancer_id": balancer, "protocol": "HTTP", "protocol_port": 80});
    cloud.make(&balancer, "listeners", "listener", plain).await;
    let path = format!("listeners/{}", made["id"].as_str().unwrap());
    cloud.until(&path, "/listener/operating_status", json!("ERROR")).await;
    let served: Vec<u16> = cloud.host.plan(&balancer).unwrap().listeners.iter().map(|one| one.port).collect();
    assert_eq!(served, [80]);
}

#[test]
fn keys_may_be_locked_by_a_pass_phrase() {
    // Made by `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes-256-cbc -pass pass:hello`.
    let locked = include_str!("locked-key.pem");
    let (_, document) = pkcs8::SecretDocument::from_pem(locked).unwrap();
    let info = pkcs8::EncryptedPrivateKeyInfoRef::from_der(document.as_bytes()).unwrap();
    let key = KeyPair::try_from(info.decrypt("hello").unwrap().as_bytes()).unwrap();
    let certificate = CertificateParams::new(vec!["a".to_owned()]).unwrap().self_signed(&key).unwrap();
    let parts = |passphrase: &str| {
        from_parts(&[
            ("certificate".into(), certificate.pem().into_bytes()),
            ("private_key".into(), locked.into()),
            ("private_key_passphrase".into(), passphrase.into()),
        ])
    };
    assert!(parts("hello").unwrap().contains("BEGIN PRIVATE KEY"));
    assert!(parts("other").is_err());
}

/// Made by `openssl req -x509` twice and `openssl crl2pkcs7 -nocrl -certfile intermediates.pem`.
const INTERMEDIATES: &str = include_str!("intermediates.pem");
const INTERMEDIATES_P7B: &str = include_str!("intermediates.p7b");

/// What is served of a container with these certificates.
fn chain(own: &Pair, certificate: &str, intermediates: Option<&[u8]>) -> Result<Vec<Vec<u8>>, Refusal> {
    let mut parts = vec![
        ("certificate".to_owned(), certificate.as_bytes().to_vec()),
        ("private_key".to_owned(), own.key.serialize_pem().into_bytes()),
    ];
    parts.extend(intermediates.map(|bytes| ("intermediates".to_owned(), bytes.to_vec())));
    from_parts(&parts).map(|pem| ders(&pem))
}

fn ders(pem: &str) -> Vec<Vec<u8>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(|one| one.unwrap().to_vec()).collect()
}

#[test]
fn a_chain_is_served_whole_wherever_it_is_kept() {
    let own = pair("a.example.org");
    let leaf = own.certificate.pem();
    let whole = ders(&(leaf.clone() + INTERMEDIATES));
    assert_eq!(whole.len(), 3);
    let full = leaf.clone() + INTERMEDIATES;
    assert_eq!(chain(&own, &full, None).unwrap(), whole);
    // Each is there once.
    assert_eq!(chain(&own, &full, Some(INTERMEDIATES.as_bytes())).unwrap(), whole);
    let (_, der) = pkcs8::SecretDocument::from_pem(INTERMEDIATES_P7B).unwrap();
    for intermediates in [INTERMEDIATES.as_bytes(), INTERMEDIATES_P7B.as_bytes(), der.as_bytes()] {
        assert_eq!(chain(&own, &leaf, Some(intermediates)).unwrap(), whole);
    }
    // The key's own comes first.
    assert!(chain(&own, &(INTERMEDIATES.to_owned() + &leaf), None).is_err());
}

#[tokio::test]
async fn intermediates_that_are_no_certificates_are_refused_at_the_call() {
    let cloud = Cloud::start().await;
    let balancer = cloud.balancer().await;
    let own = pair("a.example.org");
    let (certificate, key) = (own.certificate.pem(), own.key.serialize_pem());
    let cut = INTERMEDIATES_P7B.replace("MII", "MIJ");
    for intermediates in ["hello", &*key, &*cut, "-----BEGIN PKCS7-----\nMAA=\n-----END PKCS7-----\n"] {
        let parts =
            [("certificate", &*certificate), ("private_key", &*key), ("intermediates", intermediates)];
        let container = cloud.container("alice", &parts).await;
        let body = listener(&balancer, &json!({"default_tls_container_ref": container}));
        let words = format!("Could not retrieve certificate: ['{container}']");
        cloud.post("listeners", body).await.refused(400, &words);
    }
}
