use serde_json::json;

use crate::cloud::{ADMIN, Cloud};

pub const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl user@host";

#[tokio::test]
async fn a_key_is_imported_with_its_fingerprint() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let body = json!({"keypair": {"name": "k", "public_key": KEY}});
    let made = demo.post("/os-keypairs", body.clone()).await.expect(201);
    // As `ssh-keygen -l -E md5` says.
    assert_eq!(made["keypair"]["fingerprint"], "65:96:2d:fc:e8:d5:a9:11:64:0c:0f:ea:00:6e:5b:bd");
    assert_eq!(made["keypair"]["type"], "ssh");
    assert_eq!(made["keypair"]["user_id"], "user-demo");
    assert!(made["keypair"].get("private_key").is_none());
    let twice = demo.post("/os-keypairs", body).await.fault(409, "conflictingRequest");
    assert_eq!(twice, "Key pair 'k' already exists.");
    let shown = demo.get("/os-keypairs/k").await.expect(200);
    assert_eq!(shown["keypair"]["id"], 1);
    assert_eq!(shown["keypair"]["deleted"], false);
    let list = demo.get("/os-keypairs").await.expect(200);
    assert_eq!(list["keypairs"][0]["keypair"]["name"], "k");
    // Another user's is not there; an admin may ask for it by user.
    let other = cloud.as_("other").get("/os-keypairs/k").await.fault(404, "itemNotFound");
    assert_eq!(other, "Keypair k not found for user user-other");
    cloud.as_("other").get("/os-keypairs/k?user_id=user-demo").await.fault(403, "forbidden");
    cloud.as_(ADMIN).get("/os-keypairs/k?user_id=user-demo").await.expect(200);
    assert_eq!(demo.delete("/os-keypairs/k").await.status, 204);
    demo.delete("/os-keypairs/k").await.fault(404, "itemNotFound");
}

#[tokio::test]
async fn an_rsa_pair_is_made_before_2_92() {
    let cloud = Cloud::start().await;
    let made =
        cloud.as_("demo").at("2.1").post("/os-keypairs", json!({"keypair": {"name": "k"}})).await.expect(200);
    let key = &made["keypair"];
    assert!(key["private_key"].as_str().unwrap().starts_with("-----BEGIN RSA PRIVATE KEY-----\nMII"));
    assert!(key["public_key"].as_str().unwrap().starts_with("ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB"));
    assert!(key.get("type").is_none());
    let refused = cloud.as_("demo").post("/os-keypairs", json!({"keypair": {"name": "x"}})).await;
    assert!(refused.fault(400, "badRequest").ends_with("'public_key' is a required property"));
}

#[tokio::test]
async fn what_is_no_key_is_refused() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    for bad in [
        "ssh-rsa AAAA",
        "ssh-ed25519 not-base64",
        "",
        "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
    ] {
        let body = json!({"keypair": {"name": "k", "public_key": bad}});
        let told = demo.post("/os-keypairs", body).await.fault(400, "badRequest");
        assert_eq!(told, "Keypair data is invalid: failed to generate fingerprint");
    }
    let body = json!({"keypair": {"name": "k/", "public_key": KEY}});
    demo.post("/os-keypairs", body).await.fault(400, "badRequest");
}

#[tokio::test]
async fn a_certificate_is_made_before_2_92() {
    let cloud = Cloud::start().await;
    let body = json!({"keypair": {"name": "win", "type": "x509"}});
    let made = cloud.as_("demo").at("2.2").post("/os-keypairs", body).await.expect(201);
    let key = &made["keypair"];
    assert_eq!(key["type"], "x509");
    let certificate = key["public_key"].as_str().unwrap();
    assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----"), "{certificate}");
    assert!(key["private_key"].as_str().unwrap().contains("PRIVATE KEY-----"));
    // What was made can be imported, with the same fingerprint.
    let again = json!({"keypair": {"name": "again", "type": "x509", "public_key": certificate}});
    let again = cloud.as_("demo").post("/os-keypairs", again).await.expect(201);
    assert_eq!(again["keypair"]["fingerprint"], key["fingerprint"]);
}
