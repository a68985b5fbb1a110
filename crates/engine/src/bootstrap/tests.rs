use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::{Inputs, cloud_init, kubeadm};
use crate::node::{Node, Role};
use crate::pki::{Pki, Token};
use crate::plan::sample;

fn pki() -> Pki {
    Pki {
        ca_certificate: "-----BEGIN CERTIFICATE-----\nQ0E=\n-----END CERTIFICATE-----\n".into(),
        ca_key: "-----BEGIN PRIVATE KEY-----\nS0VZ\n-----END PRIVATE KEY-----\n".into(),
        admin_certificate: String::new(),
        admin_key: String::new(),
        admin_until: None,
        ca_hash: "sha256:00ff".into(),
        webhook_certificate: "-----BEGIN CERTIFICATE-----\nV0VC\n-----END CERTIFICATE-----\n".into(),
        webhook_key: "-----BEGIN PRIVATE KEY-----\nS0VZ\n-----END PRIVATE KEY-----\n".into(),
    }
}

fn token() -> Token {
    Token { id: "abcdef".into(), secret: "0123456789abcdef".into(), expires: jiff::Timestamp::UNIX_EPOCH }
}

fn with<T>(role: Role, address: &str, run: impl FnOnce(&Inputs<'_>) -> T) -> T {
    run(&Inputs {
        wanted: &sample::wanted(1),
        pki: &pki(),
        token: &token(),
        node: Node { role, index: 0 },
        address,
        api_address: "10.6.0.10",
        floating_ip: "172.24.4.7",
    })
}

#[test]
fn users_of_the_cloud_are_asked_for_by_a_webhook() {
    let mut wanted = sample::wanted(1);
    wanted.addons.insert(crate::Addon::KeystoneAuth);
    let text = with(Role::ControlPlane, "10.6.0.10", |inputs| {
        cloud_init::control_plane(&Inputs { wanted: &wanted, ..*inputs })
    });
    let config: serde_json::Value = serde_norway::from_str(&text.unwrap()).unwrap();
    let content = |path: &str| {
        let files = config["write_files"].as_array().unwrap();
        files.iter().find(|file| file["path"] == path).unwrap()["content"].as_str().unwrap().to_owned()
    };
    let webhook = content("/etc/kubernetes/cumulet/webhook.yaml");
    assert!(webhook.contains("server: https://127.0.0.1:8443/webhook"), "{webhook}");
    assert!(content("/etc/kubernetes/cumulet/tls.key").contains("PRIVATE KEY"));
    let kubeadm = content("/etc/cumulet/kubeadm.yaml");
    assert!(kubeadm.contains("authorization-config") && kubeadm.contains("keystone-webhook"), "{kubeadm}");
    assert!(!kubeadm.contains("authorization-mode"), "{kubeadm}");
    insta::assert_snapshot!("authorization", content("/etc/kubernetes/cumulet/authorization.yaml"));
}

#[test]
fn kubeadm_init_configuration() {
    insta::assert_snapshot!(with(Role::ControlPlane, "10.6.0.10", kubeadm::init).unwrap());
}

#[test]
fn kubeadm_join_configuration() {
    insta::assert_snapshot!(with(Role::Worker, "10.6.0.11", kubeadm::join).unwrap());
}

#[test]
fn control_plane_user_data() {
    insta::assert_snapshot!(with(Role::ControlPlane, "10.6.0.10", cloud_init::control_plane).unwrap());
}

#[test]
fn worker_user_data() {
    insta::assert_snapshot!(with(Role::Worker, "10.6.0.11", cloud_init::worker).unwrap());
}

#[test]
fn a_worker_never_gets_the_key_of_the_ca() {
    let text = with(Role::Worker, "10.6.0.11", cloud_init::worker).unwrap();
    assert!(!text.contains("PRIVATE KEY"));
}

#[test]
fn only_the_instance_id_is_left_to_the_template_engine() {
    for role in Role::ALL {
        let text = with(role, "10.6.0.10", |inputs| match inputs.node.role {
            Role::ControlPlane => cloud_init::control_plane(inputs),
            Role::Worker => cloud_init::worker(inputs),
        })
        .unwrap();
        assert_eq!(text.matches("{{").count(), 1);
        assert!(!text.contains("{%") && !text.contains("{#"));
    }
}

#[test]
fn the_scripts_are_shell() {
    let text = with(Role::ControlPlane, "10.6.0.10", cloud_init::control_plane).unwrap();
    let config: serde_json::Value = serde_norway::from_str(&text).unwrap();
    let files = config["write_files"].as_array().unwrap();
    let script = files.iter().find(|file| file["path"] == "/usr/local/sbin/cumulet-bootstrap").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("script");
    std::fs::write(&path, script["content"].as_str().unwrap()).unwrap();
    let status = std::process::Command::new("sh").arg("-n").arg(&path).status().unwrap();
    assert!(status.success());
}

#[test]
fn large_user_data_is_compressed_and_too_large_is_refused() {
    let small = cloud_init::encode("n", "#cloud-config\n").unwrap();
    assert_eq!(BASE64_STANDARD.decode(small).unwrap(), b"#cloud-config\n");
    let large = cloud_init::encode("n", &"a".repeat(100_000)).unwrap();
    assert_eq!(&BASE64_STANDARD.decode(large).unwrap()[..2], &[0x1f, 0x8b]);
    let random: String = (0..200_000).map(|_| char::from(rand::random_range(b'!'..b'~'))).collect();
    assert!(cloud_init::encode("n", &random).is_err());
}
