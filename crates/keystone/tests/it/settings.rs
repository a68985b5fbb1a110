//! Domain configuration, policies, endpoint groups.

use http::Method;
use serde_json::{Value, json};

use crate::cloud::{Answer, Cloud, PASSWORD, project};

async fn put(cloud: &Cloud, token: &str, path: &str, body: Value) -> Answer {
    cloud.request(Method::PUT, path, &[("x-auth-token", token)], Some(body)).await
}

#[tokio::test]
async fn a_domain_has_settings() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let domain =
        cloud.post(&admin, "/v3/domains", json!({"domain": {"name": "acme"}})).await.expect(201).id("domain");
    let path = format!("/v3/domains/{domain}/config");
    cloud.get(&admin, &path).await.expect(404);
    let config =
        json!({"identity": {"driver": "ldap"}, "ldap": {"url": "ldap://h", "password": "hush-hush"}});
    let shown = json!({"identity": {"driver": "ldap"}, "ldap": {"url": "ldap://h"}});
    let made = put(&cloud, &admin, &path, json!({"config": config})).await.expect(201);
    assert_eq!(made.body["config"], shown);
    put(&cloud, &admin, &path, json!({"config": config})).await.expect(200);
    assert_eq!(cloud.get(&admin, &path).await.expect(200).body["config"], shown);
    let one = cloud.get(&admin, &format!("{path}/ldap/url")).await.expect(200);
    assert_eq!(one.body["config"], json!({"url": "ldap://h"}));
    // A secret is not told, and not kept as it is.
    cloud.get(&admin, &format!("{path}/ldap/password")).await.expect(404);
    let bytes: Vec<u8> = std::fs::read_dir(cloud.directory.path())
        .unwrap()
        .filter_map(|f| std::fs::read(f.unwrap().path()).ok())
        .flatten()
        .collect();
    assert!(!bytes.windows(9).any(|w| w == b"hush-hush"));
    let patch = async |part: &str, config: Value, status: u16| {
        cloud.patch(&admin, &format!("{path}{part}"), json!({"config": config})).await.expect(status)
    };
    let changed = patch("/identity", json!({"identity": {"list_limit": 7}}), 200).await;
    assert_eq!(changed.body["config"]["identity"], json!({"driver": "ldap", "list_limit": 7}));
    patch("/ldap/url", json!({"url": "ldap://other"}), 200).await;
    patch("/ldap/user", json!({"user": "x"}), 404).await;
    patch("/ldap", json!({"identity": {"driver": "sql"}}), 403).await;
    patch("", json!({"mystery": {"x": 1}}), 403).await;
    patch("", json!({"ldap": {"mystery": 1}}), 403).await;
    patch("", json!({}), 403).await;
    cloud.delete(&admin, &format!("{path}/ldap/url")).await.expect(204);
    cloud.delete(&admin, &format!("{path}/ldap/url")).await.expect(404);
    cloud.delete(&admin, &format!("{path}/identity")).await.expect(204);
    cloud.delete(&admin, &path).await.expect(204);
    cloud.get(&admin, &path).await.expect(404);
    let (_, _, alice) = cloud.member(&admin, "alice", "member").await;
    put(&cloud, &alice, &path, json!({"config": config})).await.expect(403);
    cloud.get(&alice, &path).await.expect(403);
}

#[tokio::test]
async fn what_holds_without_settings() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let all = cloud.get(&admin, "/v3/domains/config/default").await.expect(200);
    assert_eq!(all.body["config"]["identity"]["driver"], "sql");
    assert!(all.body["config"]["ldap"].as_object().unwrap().len() > 40);
    let group = cloud.get(&admin, "/v3/domains/config/identity/default").await.expect(200);
    assert_eq!(group.body["config"], json!({"identity": {"driver": "sql", "list_limit": null}}));
    let option = cloud.get(&admin, "/v3/domains/config/ldap/url/default").await.expect(200);
    assert_eq!(option.body["config"], json!({"url": "ldap://localhost"}));
    cloud.get(&admin, "/v3/domains/config/ldap/password/default").await.expect(403);
    cloud.get(&admin, "/v3/domains/config/mystery/default").await.expect(403);
    // What a password must be, anybody may ask.
    let (_, _, alice) = cloud.member(&admin, "alice", "member").await;
    let rule = cloud.get(&alice, "/v3/domains/default/config/security_compliance").await.expect(200);
    assert_eq!(rule.body["config"]["security_compliance"]["password_regex"], Value::Null);
    let path = "/v3/domains/default/config/security_compliance";
    cloud.get(&alice, &format!("{path}/password_regex_description")).await.expect(200);
    cloud.get(&alice, &format!("{path}/lockout_duration")).await.expect(403);
}

async fn endpoints(cloud: &Cloud, admin: &str, kind: &str) -> (String, Vec<Value>) {
    let services = cloud.get(admin, &format!("/v3/services?type={kind}")).await.expect(200);
    let service = services.body["services"][0]["id"].as_str().unwrap().to_owned();
    let found = cloud.get(admin, &format!("/v3/endpoints?service_id={service}")).await.expect(200);
    (service, found.body["endpoints"].as_array().unwrap().clone())
}

#[tokio::test]
async fn policies_find_their_endpoints() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let make = async |text: &str| {
        let body = json!({"policy": {"type": "application/json", "blob": text, "note": "kept"}});
        cloud.post(&admin, "/v3/policies", body).await.expect(201)
    };
    let made = make("{}").await;
    assert_eq!(made.body["policy"]["note"], "kept");
    let (broad, narrow) = (made.id("policy"), make("[]").await.id("policy"));
    cloud.post(&admin, "/v3/policies", json!({"policy": {"blob": "x"}})).await.expect(400);
    let (service, list) = endpoints(&cloud, &admin, "compute").await;
    let endpoint = list[0]["id"].as_str().unwrap();
    let under = |policy: &str, rest: &str| format!("/v3/policies/{policy}/OS-ENDPOINT-POLICY/{rest}");
    let whose = async || {
        let path = format!("/v3/endpoints/{endpoint}/OS-ENDPOINT-POLICY/policy");
        let answer = cloud.get(&admin, &path).await;
        (answer.status == 200).then(|| answer.id("policy"))
    };
    assert_eq!(whose().await, None);
    cloud.put(&admin, &under(&broad, &format!("services/{service}"))).await.expect(204);
    assert_eq!(whose().await.as_ref(), Some(&broad));
    let regional = under(&narrow, &format!("services/{service}/regions/RegionOne"));
    cloud.get(&admin, &regional).await.expect(404);
    cloud.put(&admin, &regional).await.expect(204);
    cloud.get(&admin, &regional).await.expect(204);
    assert_eq!(whose().await.as_ref(), Some(&narrow));
    let of_narrow = cloud.get(&admin, &under(&narrow, "endpoints")).await.expect(200);
    assert_eq!(of_narrow.body["endpoints"].as_array().unwrap().len(), 3);
    cloud.put(&admin, &under(&broad, &format!("endpoints/{endpoint}"))).await.expect(204);
    assert_eq!(whose().await.as_ref(), Some(&broad));
    cloud.delete(&admin, &regional).await.expect(204);
    cloud.put(&admin, &under(&broad, "endpoints/nothing")).await.expect(404);
    cloud.put(&admin, &under("nothing", &format!("services/{service}"))).await.expect(404);
    let path = format!("/v3/policies/{broad}");
    let body = json!({"policy": {"blob": "new"}});
    assert_eq!(cloud.patch(&admin, &path, body).await.expect(200).body["policy"]["blob"], "new");
    let found = cloud.get(&admin, "/v3/policies?type=application/json").await.expect(200);
    assert_eq!(found.body["policies"].as_array().unwrap().len(), 2);
    cloud.delete(&admin, &path).await.expect(204);
    cloud.get(&admin, &path).await.expect(404);
    assert_eq!(whose().await, None);
    let (_, _, alice) = cloud.member(&admin, "alice", "member").await;
    cloud.get(&alice, "/v3/policies").await.expect(403);
}

#[tokio::test]
async fn a_project_sees_its_endpoints_only() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (service, list) = endpoints(&cloud, &admin, "compute").await;
    let (_, project_id, alice) = cloud.member(&admin, "alice", "member").await;
    let catalog = async |token: &str| {
        let answer = cloud.get(token, "/v3/auth/catalog").await.expect(200);
        let services = answer.body["catalog"].as_array().unwrap().clone();
        let counts = services.iter().map(|s| s["endpoints"].as_array().unwrap().len());
        (services.len(), counts.sum::<usize>())
    };
    assert_eq!(catalog(&alice).await, (2, 6));
    let endpoint = list[0]["id"].as_str().unwrap();
    let path = format!("/v3/OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint}");
    cloud.get(&admin, &path).await.expect(404);
    cloud.put(&admin, &path).await.expect(204);
    cloud.put(&admin, &path).await.expect(409);
    cloud.get(&admin, &path).await.expect(204);
    assert_eq!(catalog(&alice).await, (1, 1));
    let group =
        json!({"endpoint_group": {"name": "g", "filters": {"service_id": service, "interface": "admin"}}});
    let made = cloud.post(&admin, "/v3/OS-EP-FILTER/endpoint_groups", group).await.expect(201);
    let one = format!("/v3/OS-EP-FILTER/endpoint_groups/{}", made.id("endpoint_group"));
    let inside = format!("{one}/projects/{project_id}");
    cloud.get(&admin, &inside).await.expect(404);
    cloud.put(&admin, &inside).await.expect(204);
    cloud.get(&admin, &inside).await.expect(200);
    let interface = json!({"endpoint_group": {"filters": {"service_id": service}}});
    cloud.patch(&admin, &one, interface).await.expect(200);
    assert_eq!(catalog(&alice).await, (1, 3));
    let count = async |path: &str, noun: &str| {
        let answer = cloud.get(&admin, path).await.expect(200);
        answer.body[noun].as_array().unwrap().len()
    };
    let filter = "/v3/OS-EP-FILTER";
    assert_eq!(count(&format!("{filter}/projects/{project_id}/endpoints"), "endpoints").await, 3);
    assert_eq!(count(&format!("{filter}/projects/{project_id}/endpoint_groups"), "endpoint_groups").await, 1);
    assert_eq!(count(&format!("{filter}/endpoints/{endpoint}/projects"), "projects").await, 1);
    assert_eq!(count(&format!("{one}/projects"), "projects").await, 1);
    assert_eq!(count(&format!("{one}/endpoints"), "endpoints").await, 3);
    // Others see all.
    let whole = cloud.login("admin", PASSWORD, Some(project("admin"))).await.expect(201);
    assert_eq!(whole.body["token"]["catalog"].as_array().unwrap().len(), 2);
    for bad in [json!({}), json!({"color": "blue"}), json!({"interface": "secret"})] {
        let body = json!({"endpoint_group": {"name": "x", "filters": bad}});
        cloud.post(&admin, "/v3/OS-EP-FILTER/endpoint_groups", body).await.expect(400);
    }
    cloud.delete(&admin, &inside).await.expect(204);
    cloud.delete(&admin, &path).await.expect(204);
    cloud.delete(&admin, &path).await.expect(404);
    assert_eq!(catalog(&alice).await, (2, 6));
    cloud.delete(&admin, &one).await.expect(204);
    cloud.get(&admin, &one).await.expect(404);
    cloud.get(&alice, "/v3/OS-EP-FILTER/endpoint_groups").await.expect(403);
}
