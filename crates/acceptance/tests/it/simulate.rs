//! Faults on demand and the way back, as other people's suites use them.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Client, Cloud, poll, text};

use crate::servers::{image, network};

async fn build(client: &Client, image: &str, network: &str, metadata: Value) -> String {
    let flavors = client.get("/compute/v2.1/flavors").await.expect(200);
    let body = json!({"server": {
        "name": "vm", "imageRef": image, "flavorRef": flavors["flavors"][0]["id"],
        "networks": [{"uuid": network}], "metadata": metadata,
    }});
    text(&client.post("/compute/v2.1/servers", body).await.expect(202)["server"]["id"]).to_owned()
}

async fn outcome(client: &Client, id: &str) -> Value {
    poll("the server to be built", 20, async || {
        let server = client.get(&format!("/compute/v2.1/servers/{id}")).await.expect(200)["server"].clone();
        (server["status"] != "BUILD").then_some(server)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_of_calls_fails_as_often_as_was_asked_for() {
    let cloud = Cloud::start_simulation().await;
    let admin = cloud.admin().await;
    let (image, network) = (image(&admin).await, network(&admin, "10.0.0.0/24").await);
    let faults = json!({
        "host": [{"operation": "start", "error": "the host is out of luck", "times": 1}],
        "calls": [{"service": "network", "method": "GET", "path": "/v2.0/networks", "status": 503, "times": 2}],
    });
    admin.put("/simulate/faults", faults).await.expect(200);
    for _ in 0..2 {
        let refused = admin.get("/network/v2.0/networks").await.expect(503);
        assert_eq!(refused["NeutronError"]["type"], "ServiceUnavailable");
    }
    admin.get("/network/v2.0/networks").await.expect(200);
    let failed = outcome(&admin, &build(&admin, &image, &network, json!({})).await).await;
    assert_eq!(failed["status"], "ERROR");
    assert!(failed["fault"]["message"].to_string().contains("out of luck"), "{failed}");
    let fine = outcome(&admin, &build(&admin, &image, &network, json!({})).await).await;
    assert_eq!(fine["status"], "ACTIVE");
    let left = admin.get("/simulate/faults").await.expect(200);
    assert_eq!(left, json!({"host": [], "calls": []}), "spent rules are gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_fails_by_its_metadata() {
    let cloud = Cloud::start_simulation().await;
    let admin = cloud.admin().await;
    let (image, network) = (image(&admin).await, network(&admin, "10.0.0.0/24").await);
    let hint = json!({"simulate:fail-start": "no electricity"});
    let failed = outcome(&admin, &build(&admin, &image, &network, hint).await).await;
    assert_eq!(failed["status"], "ERROR");
    assert!(failed["fault"]["message"].to_string().contains("no electricity"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_admin_simulates_and_bad_rules_are_refused() {
    let cloud = Cloud::start_simulation().await;
    let (admin, member) = (cloud.admin().await, cloud.member("tenant").await);
    member.put("/simulate/faults", json!({})).await.expect(403);
    member.post("/simulate/reset", json!({})).await.expect(403);
    admin.put("/simulate/faults", json!({"calls": [{"status": 418}]})).await.expect(400);
    admin.put("/simulate/faults", json!({"host": [{"operation": "explode"}]})).await.expect(400);
    admin.put("/simulate/faults", json!({"hosts": []})).await.expect(400);
    let real = Cloud::start().await;
    real.admin().await.get("/simulate/faults").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_brings_back_the_first_state_and_keeps_tokens() {
    let cloud = Cloud::start_simulation().await;
    let admin = cloud.admin().await;
    let lists = [
        "/compute/v2.1/servers",
        "/compute/v2.1/flavors/detail",
        "/compute/v2.1/os-keypairs",
        "/network/v2.0/networks",
        "/network/v2.0/ports",
        "/image/v2/images",
        "/identity/v3/projects",
        "/identity/v3/users",
        "/identity/v3/roles",
    ];
    let look = async || {
        let mut seen = Vec::new();
        for path in lists {
            seen.push(admin.get(path).await.expect(200));
        }
        seen
    };
    let first = look().await;
    let (picture, net) = (image(&admin).await, network(&admin, "10.0.0.0/24").await);
    let server = build(&admin, &picture, &net, json!({})).await;
    assert_eq!(outcome(&admin, &server).await["status"], "ACTIVE");
    let flavor = json!({"flavor": {"name": "mine", "ram": 64, "vcpus": 1, "disk": 1}});
    admin.post("/compute/v2.1/flavors", flavor).await.expect(200);
    let tenant = cloud.member("tenant").await;
    admin.put("/simulate/faults", json!({"calls": [{"service": "image", "status": 500}]})).await.expect(200);
    // One that is still being built must not come back to life afterwards.
    build(&admin, &picture, &net, json!({"simulate:delay": "400"})).await;

    admin.post("/simulate/reset", json!({})).await.expect(200);
    for (path, (now, then)) in lists.into_iter().zip(look().await.into_iter().zip(first)) {
        assert_eq!(now, then, "{path}");
    }
    tenant.get("/network/v2.0/networks").await.expect(401);
    let again = image(&admin).await;
    let data = admin.call(Method::GET, &format!("/image/v2/images/{again}/file"), None).await;
    assert_eq!(data.status, 200, "what is made after a reset works");
    let net = network(&admin, "10.0.0.0/24").await;
    let server = build(&admin, &again, &net, json!({})).await;
    assert_eq!(outcome(&admin, &server).await["status"], "ACTIVE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_returns_to_what_was_marked() {
    let cloud = Cloud::start_simulation().await;
    let admin = cloud.admin().await;
    let (picture, net) = (image(&admin).await, network(&admin, "10.0.0.0/24").await);
    let kept = build(&admin, &picture, &net, json!({})).await;
    outcome(&admin, &kept).await;
    admin.post("/simulate/mark", json!({})).await.expect(204);
    for _ in 0..2 {
        let path = format!("/compute/v2.1/servers/{kept}");
        admin.delete(&path).await.expect(204);
        poll("the server to be gone", 20, async || (admin.get(&path).await.status == 404).then_some(()))
            .await;
        admin.delete(&format!("/image/v2/images/{picture}")).await.expect(204);
        admin.post("/simulate/reset", json!({})).await.expect(200);
        let server = outcome(&admin, &kept).await;
        assert_eq!(server["status"], "ACTIVE");
        admin.get(&format!("/image/v2/images/{picture}/file")).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reset_did_away_with_leaves_the_disk() {
    let cloud = Cloud::start_simulation().await;
    let admin = cloud.admin().await;
    for _ in 0..3 {
        let (picture, net) = (image(&admin).await, network(&admin, "10.0.0.0/24").await);
        build(&admin, &picture, &net, json!({})).await;
        admin.post("/simulate/reset", json!({})).await.expect(200);
        let mut names: Vec<_> = std::fs::read_dir(cloud.data_dir().join("images")).unwrap().collect();
        names.retain(|name| name.as_ref().unwrap().path().is_file());
        assert!(names.is_empty(), "{names:?}");
    }
    let aside = cloud.data_dir().join("discarded");
    let is_empty = || std::fs::read_dir(&aside).unwrap().next().is_none();
    poll("the old files to be gone", 20, async || is_empty().then_some(())).await;
}
