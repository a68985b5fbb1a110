//! Regions, services, endpoints.

use serde_json::{Value, json};

use crate::cloud::{Cloud, PASSWORD, project};

#[tokio::test]
async fn services_and_endpoints_reach_the_tokens() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let body = json!({"service": {"type": "volumev3", "name": "cinder", "description": "blocks"}});
    let service = cloud.post(&admin, "/v3/services", body).await.expect(201).id("service");
    let url = "http://cloud/volume/v3/$(project_id)s";
    let body = json!({"endpoint": {"service_id": service, "interface": "public", "url": url, "region_id": "RegionOne"}});
    let endpoint = cloud.post(&admin, "/v3/endpoints", body).await.expect(201);
    assert_eq!(endpoint.body["endpoint"]["region"], "RegionOne");
    let path = format!("/v3/endpoints/{}", endpoint.id("endpoint"));
    let token = cloud.login("admin", PASSWORD, Some(project("admin"))).await.expect(201);
    let catalog = token.body["token"]["catalog"].as_array().unwrap().clone();
    let volume = catalog.iter().find(|s| s["type"] == "volumev3").unwrap();
    let project_id = token.body["token"]["project"]["id"].as_str().unwrap();
    assert_eq!(volume["endpoints"][0]["url"], format!("http://cloud/volume/v3/{project_id}"));
    cloud.patch(&admin, &path, json!({"endpoint": {"enabled": false}})).await.expect(200);
    // The old token's catalog is made anew, too.
    let now = cloud.validate(&admin, &admin).await.expect(200).body["token"]["catalog"].to_string();
    assert!(!now.contains("/volume/"));
    let found =
        cloud.get(&admin, &format!("/v3/endpoints?service_id={service}&interface=public")).await.expect(200);
    assert_eq!(found.body["endpoints"].as_array().unwrap().len(), 1);
    assert_eq!(cloud.get(&admin, "/v3/services?type=volumev3").await.names("services"), ["cinder"]);
    let renamed =
        cloud.patch(&admin, &format!("/v3/services/{service}"), json!({"service": {"name": "c"}})).await;
    assert_eq!(renamed.expect(200).body["service"]["name"], "c");
    cloud.delete(&admin, &format!("/v3/services/{service}")).await.expect(204);
    cloud.get(&admin, &path).await.expect(404);
    cloud.get(&admin, &format!("/v3/services/{service}")).await.expect(404);
}

#[tokio::test]
async fn what_an_endpoint_must_be() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let services = cloud.get(&admin, "/v3/services").await.expect(200);
    let service = services.body["services"][0]["id"].clone();
    let good =
        json!({"service_id": service, "interface": "public", "url": "http://h/", "region": "RegionTwo"});
    for (key, value) in [
        ("service_id", json!("nothing")),
        ("service_id", Value::Null),
        ("interface", json!("secret")),
        ("url", json!("not a url")),
        ("url", json!("http://h/$(password)s")),
        ("region_id", json!("nowhere")),
        ("enabled", json!("yes")),
    ] {
        let mut bad = good.clone();
        bad[key] = value;
        let answer = cloud.post(&admin, "/v3/endpoints", json!({"endpoint": bad})).await;
        assert_eq!(answer.status.as_u16(), 400, "{key}: {}", answer.body);
    }
    cloud.post(&admin, "/v3/endpoints", json!({"endpoint": good})).await.expect(201);
    // The older spelling makes its region.
    cloud.get(&admin, "/v3/regions/RegionTwo").await.expect(200);
    cloud.post(&admin, "/v3/services", json!({"service": {"name": "typeless"}})).await.expect(400);
}

#[tokio::test]
async fn regions_are_a_tree() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let body = |id: &str, parent: Option<&str>| json!({"region": {"id": id, "parent_region_id": parent}});
    cloud.post(&admin, "/v3/regions", body("north", None)).await.expect(201);
    cloud.post(&admin, "/v3/regions", body("north", None)).await.expect(409);
    cloud.post(&admin, "/v3/regions", body("oslo", Some("north"))).await.expect(201);
    cloud.post(&admin, "/v3/regions", body("x", Some("nowhere"))).await.expect(404);
    let headers = [("x-auth-token", admin.as_str())];
    let put =
        async |path: &str, body: Value| cloud.request(http::Method::PUT, path, &headers, Some(body)).await;
    put("/v3/regions/south", json!({"region": {"description": "warm"}})).await.expect(201);
    put("/v3/regions/south", json!({"region": {"id": "west"}})).await.expect(409);
    let circle = json!({"region": {"parent_region_id": "oslo"}});
    cloud.patch(&admin, "/v3/regions/north", circle).await.expect(400);
    let found = cloud.get(&admin, "/v3/regions?parent_region_id=north").await.expect(200);
    assert_eq!(found.body["regions"][0]["id"], "oslo");
    cloud.delete(&admin, "/v3/regions/RegionOne").await.expect(403);
    cloud.delete(&admin, "/v3/regions/north").await.expect(204);
    cloud.get(&admin, "/v3/regions/oslo").await.expect(404);
    let (_, _, alice) = cloud.member(&admin, "alice", "member").await;
    cloud.get(&alice, "/v3/regions").await.expect(200);
    cloud.post(&alice, "/v3/regions", body("mine", None)).await.expect(403);
}

#[tokio::test]
async fn what_signed_tokens_needed_is_gone() {
    let cloud = Cloud::start().await;
    for path in ["/v3/OS-SIMPLE-CERT/ca", "/v3/OS-SIMPLE-CERT/certificates"] {
        let told = cloud.get("", path).await.expect(410);
        assert_eq!(told.body["error"]["title"], "Gone");
    }
    cloud.get("", "/v3/auth/tokens/OS-PKI/revoked").await.expect(403);
}
