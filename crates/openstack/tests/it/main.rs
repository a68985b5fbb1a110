//! The client against a small cloud in this process: what the wire does, no cloud of ours involved.
// Clippy takes only functions marked as tests for tests; helpers of theirs are as free.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cloud;

use std::collections::BTreeMap;
use std::time::Duration;

use cloud::FakeCloud;
use openstack::{Client, Deadline, Error, NewNetwork};

async fn connected() -> (FakeCloud, Client) {
    let cloud = FakeCloud::start().await;
    let client = Client::connect_with_file(&cloud.clouds_yaml("password: secret"), "fake").await.unwrap();
    (cloud, client)
}

#[tokio::test]
async fn logs_in_with_each_kind_of_credential() {
    let cloud = FakeCloud::start().await;
    for auth in ["password: secret", "token: first"] {
        let client = Client::connect_with_file(&cloud.clouds_yaml(auth), "fake").await.unwrap();
        assert_eq!(client.project_id(), "project-id");
    }
    let yaml =
        cloud.clouds_yaml_of("application_credential_id: ac\n      application_credential_secret: secret");
    let client = Client::connect_with_file(&yaml, "fake").await.unwrap();
    assert_eq!(client.project_id(), "project-id");
}

#[tokio::test]
async fn a_wrong_password_is_a_login_error() {
    let cloud = FakeCloud::start().await;
    let error = Client::connect_with_file(&cloud.clouds_yaml("password: wrong"), "fake").await.err().unwrap();
    assert!(matches!(error, Error::Login { .. }), "{error}");
}

#[tokio::test]
async fn nobody_listening_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clouds.yaml");
    std::fs::write(
        &path,
        "clouds:\n  fake:\n    auth:\n      auth_url: http://127.0.0.1:9/v3\n      username: u\n      password: p\n",
    )
    .unwrap();
    let error = Client::connect_with_file(&path, "fake").await.err().unwrap();
    assert!(error.to_string().contains("check auth_url"), "{error}");
}

#[tokio::test]
async fn follows_pages_to_the_end() {
    let (_cloud, client) = connected().await;
    let names: Vec<String> = client.networks(&[]).await.unwrap().into_iter().map(|it| it.name).collect();
    assert_eq!(names, ["one", "two", "three"]);
    let images: Vec<String> = client.images(&[]).await.unwrap().into_iter().map(|it| it.name).collect();
    assert_eq!(images, ["a", "b"]);
}

#[tokio::test]
async fn the_probe_knows_extensions_and_microversions() {
    let (cloud, client) = connected().await;
    let capabilities = client.capabilities().await.unwrap();
    assert!(capabilities.tags() && capabilities.soft_server_groups() && !capabilities.routers());
    assert_eq!(capabilities.compute_microversion, (2, 96));
    // The catalog has load balancers as well, in another region.
    assert!(capabilities.volumes() && !capabilities.load_balancers());
    client.capabilities().await.unwrap();
    assert_eq!(cloud.count("GET /network/v2.0/extensions"), 1);
}

#[tokio::test]
async fn reads_are_tried_again_and_writes_are_not() {
    let (cloud, client) = connected().await;
    cloud.fail("GET /network/v2.0/networks", 503, 2);
    assert_eq!(client.networks(&[]).await.unwrap().len(), 3);

    let new = NewNetwork { name: "n".into(), description: "d".into() };
    cloud.fail("POST /network/v2.0/networks", 500, 1);
    let error = client.create_network(&new).await.unwrap_err();
    assert_eq!(error.status(), Some(500));
    assert_eq!(cloud.count("POST /network/v2.0/networks"), 1);
    assert!(error.to_string().contains("told to fail"), "{error}");
    assert!(error.to_string().contains("req-1234"), "{error}");

    cloud.fail("POST /network/v2.0/networks", 429, 1);
    assert_eq!(client.create_network(&new).await.unwrap().name, "n");
}

/// After logging in again the SDK has forgotten where the versions are.
#[tokio::test]
async fn an_expired_token_is_replaced_once_and_all_services_still_work() {
    let (cloud, client) = connected().await;
    cloud.expire_tokens();
    assert_eq!(client.networks(&[]).await.unwrap().len(), 3);
    assert_eq!(client.images(&[]).await.unwrap().len(), 2);
    assert_eq!(client.server("good").await.unwrap().status, "ACTIVE");
    assert_eq!(client.networks(&[]).await.unwrap().len(), 3);
}

#[tokio::test]
async fn an_upload_arrives_whole() {
    let (cloud, client) = connected().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("image");
    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(&file, &bytes).unwrap();
    client.upload_image("i1", &file).await.unwrap();
    assert_eq!(cloud.uploaded(), bytes);
}

#[tokio::test]
async fn a_failed_server_tells_its_fault() {
    let (_cloud, client) = connected().await;
    let deadline = Deadline::after(Duration::from_secs(5));
    let error = client.wait_server_active("bad", deadline).await.unwrap_err();
    assert_eq!(error.to_string(), "server bad (bad) went to ERROR: No valid host was found.");
    client.wait_server_active("good", deadline).await.unwrap();
    client.wait_server_gone("none", deadline).await.unwrap();
}

#[tokio::test]
async fn images_carry_their_properties() {
    let (cloud, client) = connected().await;
    let image = &client.images(&[]).await.unwrap()[0];
    assert_eq!(image.property("kubernetes_version"), Some("v1.36.3"));
    assert_eq!(image.property("absent"), None);
    let new = openstack::NewImage {
        name: "mine".into(),
        disk_format: "qcow2".into(),
        min_disk: 1,
        min_ram: 0,
        visibility: "private".into(),
        properties: BTreeMap::from([("kubernetes_version".into(), "v1".into())]),
    };
    client.create_image(&new).await.unwrap();
    let body = cloud.last_body();
    assert_eq!(
        (body["kubernetes_version"].as_str(), body["container_format"].as_str()),
        (Some("v1"), Some("bare"))
    );
}
