//! What a client finds out before it does anything.

use serde_json::Value;
use testkit::{Client, Cloud, text};

/// gophercloud and openstacksdk take the version from the catalog's URL or from the document there, and gophercloud
/// takes the first `v<digit>` of the path.
#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_of_the_catalog_answers_with_its_versions() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let catalog = admin.get("/identity/v3/auth/catalog").await.expect(200);
    let mut seen = Vec::new();
    for service in catalog["catalog"].as_array().unwrap() {
        let url = text(&service["endpoints"][0]["url"]);
        let path = url.strip_prefix(&cloud.url).unwrap();
        let answer = admin.get(path).await;
        assert!([200, 300].contains(&answer.status), "{url}: {}", answer.status);
        assert!(answer.body.to_string().contains("\"id\":\"v"), "{url}: {}", answer.body);
        let with_slash = admin.get(&format!("{path}/")).await;
        assert_eq!(with_slash.status, answer.status, "{url}/");
        let version = path
            .split('/')
            .position(|p| p.starts_with('v') && p[1..].starts_with(|c: char| c.is_ascii_digit()));
        assert!(version.is_none_or(|at| at == path.split('/').count() - 1), "{url}");
        seen.push(text(&service["type"]).to_owned());
    }
    seen.sort();
    let all = [
        "block-storage",
        "compute",
        "identity",
        "image",
        "key-manager",
        "load-balancer",
        "network",
        "placement",
        "volumev3",
    ];
    assert_eq!(seen, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn microversions_are_negotiated() {
    let cloud = Cloud::start().await;
    let mut admin = cloud.admin().await;
    let root = admin.get("/compute/v2.1").await.expect(200);
    assert_eq!(root["version"]["min_version"], "2.1");
    assert_eq!(root["version"]["version"], "2.104");
    for (asked, status, told) in [
        ("2.1", 200, "2.1"),
        ("2.60", 200, "2.60"),
        ("latest", 200, "2.104"),
        ("2.105", 406, ""),
        ("3", 400, ""),
    ] {
        admin.compute_version = asked.into();
        let answer = admin.get("/compute/v2.1/flavors").await;
        assert_eq!(answer.status, status, "{asked}: {}", answer.body);
        if status == 200 {
            assert_eq!(answer.headers["openstack-api-version"], format!("compute {told}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_token_and_an_unknown_url_are_told_in_the_services_words() {
    let cloud = Cloud::start().await;
    let mut nobody: Client = cloud.admin().await;
    let admin = nobody.clone();
    nobody.token = "gAAAAAB-not-a-token".into();
    for path in ["/identity/v3/users", "/compute/v2.1/servers", "/network/v2.0/networks", "/image/v2/images"]
    {
        let answer = nobody.get(path).await;
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.body["error"]["code"], 401, "{path}: {}", answer.body);
        assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("Keystone"));
    }
    let fault = |path: &'static str| {
        let admin = admin.clone();
        async move { admin.get(path).await.expect(404) }
    };
    let has = |body: Value, key: &str| assert!(body.get(key).is_some(), "{key} in {body}");
    has(fault("/compute/v2.1/servers/11111111-1111-1111-1111-111111111111").await, "itemNotFound");
    has(fault("/network/v2.0/networks/11111111-1111-1111-1111-111111111111").await, "NeutronError");
    has(fault("/identity/v3/users/11111111111111111111111111111111").await, "error");
    has(fault("/image/v2/images/11111111-1111-1111-1111-111111111111").await, "message");
    has(fault("/placement/resource_providers/11111111-1111-1111-1111-111111111111").await, "errors");
}
