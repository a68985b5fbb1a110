//! Logging in, scopes, rescoping, validation and the many ways in which a token ends.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::cloud::{Cloud, PASSWORD, by_password, by_token, first_rows, open, project, system};

const REFUSED: &str = "The request you have made requires authentication.";

#[tokio::test]
async fn version_documents_need_no_token() {
    let cloud = Cloud::start().await;
    let all = cloud.request(Method::GET, "/", &[], None).await.expect(300);
    let version = &all.body["versions"]["values"][0];
    assert_eq!(version["status"], "stable");
    assert_eq!(version["links"][0]["href"], "http://cloud/identity/v3/");
    let one = cloud.request(Method::GET, "/v3", &[], None).await.expect(200);
    assert_eq!(&one.body["version"], version);
}

#[tokio::test]
async fn a_password_gives_a_token_as_keystone_writes_it() {
    let cloud = Cloud::start().await;
    let answer = cloud.login("admin", PASSWORD, Some(project("admin"))).await.expect(201);
    assert!(answer.token().len() < 255);
    assert_eq!(answer.headers["vary"], "X-Auth-Token");
    let token = &answer.body["token"];
    assert_eq!(token["methods"], json!(["password"]));
    assert_eq!(token["user"]["name"], "admin");
    assert_eq!(token["user"]["domain"], json!({"id": "default", "name": "Default"}));
    assert_eq!(token["user"]["password_expires_at"], Value::Null);
    assert_eq!(token["project"]["name"], "admin");
    assert_eq!(token["project"]["domain"]["name"], "Default");
    assert_eq!(token["is_domain"], false);
    let roles: Vec<_> =
        token["roles"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(roles, ["admin", "manager", "member", "reader"]);
    let audit = token["audit_ids"].as_array().unwrap();
    assert_eq!((audit.len(), audit[0].as_str().unwrap().len()), (1, 22));
    for key in ["issued_at", "expires_at"] {
        let text = token[key].as_str().unwrap();
        assert!(text.len() == "2026-01-31T12:00:00.000000Z".len() && text.ends_with('Z'), "{text}");
    }
    let catalog = token["catalog"].as_array().unwrap();
    let compute = catalog.iter().find(|s| s["type"] == "compute").unwrap();
    assert_eq!(compute["name"], "nova");
    let endpoints = compute["endpoints"].as_array().unwrap();
    assert_eq!(endpoints.len(), 3);
    for endpoint in endpoints {
        assert_eq!(endpoint["url"], "http://cloud/compute/v2.1");
        assert_eq!(endpoint["region"], "RegionOne");
        assert_eq!(endpoint["region_id"], "RegionOne");
    }
}

#[tokio::test]
async fn nocatalog_leaves_the_catalog_out() {
    let cloud = Cloud::start().await;
    let body = json!({"auth": {"identity": by_password("admin", PASSWORD), "scope": project("admin")}});
    let answer = cloud.request(Method::POST, "/v3/auth/tokens?nocatalog", &[], Some(body)).await.expect(201);
    assert!(answer.body["token"].get("catalog").is_none());
    let token = answer.token();
    let headers = [("x-auth-token", token.as_str()), ("x-subject-token", token.as_str())];
    let bare = cloud.request(Method::GET, "/v3/auth/tokens?nocatalog", &headers, None).await.expect(200);
    assert!(bare.body["token"].get("catalog").is_none());
    let full = cloud.validate(&token, &token).await.expect(200);
    assert!(full.body["token"].get("catalog").is_some());
}

#[tokio::test]
async fn every_failed_login_answers_the_same() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    cloud.make_user(&admin, "alice").await;
    let user = |user: Value| json!({"methods": ["password"], "password": {"user": user}});
    let default = json!({"id": "default"});
    for identity in [
        by_password("admin", "wrong"),
        by_password("nobody", PASSWORD),
        user(json!({"id": "nobody", "password": "x"})),
        user(json!({"name": "admin", "domain": {"name": "Nowhere"}, "password": PASSWORD})),
        user(json!({"name": "admin", "domain": default})),
        user(json!({"name": "admin", "domain": default, "password": ""})),
        by_token("nonsense"),
        by_token(&"g".repeat(5000)),
    ] {
        let answer = cloud.authenticate(identity, None).await.expect(401);
        assert_eq!(answer.message(), REFUSED);
        assert_eq!(answer.body["error"]["title"], "Unauthorized");
        assert!(answer.headers.contains_key("www-authenticate"));
    }
    // No role there, or no such place.
    for scope in [
        project("admin"),
        project("nowhere"),
        system(),
        json!({"domain": {"id": "default"}}),
        json!({"project": {"id": "default"}}),
    ] {
        cloud.login("alice", "pw", Some(scope)).await.expect(401);
    }
}

#[tokio::test]
async fn malformed_requests_are_told_apart_from_wrong_ones() {
    let cloud = Cloud::start().await;
    for body in [
        json!({}),
        json!({"auth": []}),
        json!({"auth": {"identity": {"methods": ["password"]}}}),
        json!({"auth": {"identity": {"methods": ["password"], "password": {"user": {"password": "x"}}}}}),
        json!({"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "a", "password": "x"}}}}}),
        json!({"auth": {"identity": by_password("admin", PASSWORD), "scope": {"project": {"name": "admin"}}}}),
    ] {
        cloud.request(Method::POST, "/v3/auth/tokens", &[], Some(body)).await.expect(400);
    }
    let unknown = json!({"methods": ["telepathy"], "telepathy": {}});
    let answer = cloud.authenticate(unknown, None).await.expect(401);
    assert_eq!(answer.message(), "Attempted to authenticate with an unsupported method.");
}

#[tokio::test]
async fn scopes_and_their_shapes() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let unscoped = cloud.login("admin", PASSWORD, None).await.expect(201);
    for key in ["project", "domain", "system", "roles", "catalog"] {
        assert!(unscoped.body["token"].get(key).is_none(), "{key}");
    }
    let on_system = cloud.login("admin", PASSWORD, Some(system())).await.expect(201);
    assert_eq!(on_system.body["token"]["system"], json!({"all": true}));
    assert!(on_system.body["token"]["catalog"].is_array());
    let user =
        cloud.get(&admin, "/v3/users?name=admin").await.body["users"][0]["id"].as_str().unwrap().to_owned();
    cloud.grant(&admin, "domains/default", &user, "manager").await;
    let scope = json!({"domain": {"name": "Default"}});
    let on_domain = cloud.login("admin", PASSWORD, Some(scope)).await.expect(201);
    assert_eq!(on_domain.body["token"]["domain"], json!({"id": "default", "name": "Default"}));
    assert!(on_domain.body["token"].get("project").is_none());
}

#[tokio::test]
async fn the_default_project_is_a_convenience() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (user, project_id, _) = cloud.member(&admin, "alice", "member").await;
    let path = format!("/v3/users/{user}");
    cloud.patch(&admin, &path, json!({"user": {"default_project_id": project_id}})).await.expect(200);
    let scoped = cloud.login("alice", "pw", None).await.expect(201);
    assert_eq!(scoped.body["token"]["project"]["id"], project_id.as_str());
    let unscoped = cloud.login("alice", "pw", Some(json!("unscoped"))).await.expect(201);
    assert!(unscoped.body["token"].get("project").is_none());
    let other = cloud.make_project(&admin, "other").await;
    cloud.patch(&admin, &path, json!({"user": {"default_project_id": other}})).await.expect(200);
    let fallen_back = cloud.login("alice", "pw", None).await.expect(201);
    assert!(fallen_back.body["token"].get("project").is_none());
}

#[tokio::test]
async fn rescoping_keeps_the_end_and_the_chain() {
    let cloud = Cloud::start().await;
    let first = cloud.login("admin", PASSWORD, None).await.expect(201);
    let second = cloud.authenticate(by_token(&first.token()), Some(project("admin"))).await.expect(201);
    let (old, new) = (&first.body["token"], &second.body["token"]);
    assert_eq!(new["expires_at"], old["expires_at"]);
    assert_eq!(new["audit_ids"][1], old["audit_ids"][0]);
    assert_ne!(new["audit_ids"][0], old["audit_ids"][0]);
    assert_eq!(new["methods"], json!(["token", "password"]));
    let third = cloud.authenticate(by_token(&second.token()), Some(project("admin"))).await.expect(201);
    assert_eq!(third.body["token"]["audit_ids"][1], old["audit_ids"][0]);
    let on_system = cloud.login("admin", PASSWORD, Some(system())).await.expect(201).token();
    cloud.authenticate(by_token(&on_system), Some(project("admin"))).await.expect(403);
}

#[tokio::test]
async fn two_methods_must_agree() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    cloud.make_user(&admin, "alice").await;
    let alice = cloud.login("alice", "pw", None).await.expect(201).token();
    let mut identity = by_password("admin", PASSWORD);
    identity["methods"] = json!(["password", "token"]);
    identity["token"] = json!({"id": alice});
    cloud.authenticate(identity.clone(), None).await.expect(401);
    identity["token"] = json!({"id": admin});
    cloud.authenticate(identity, None).await.expect(201);
}

#[tokio::test]
async fn validation_and_revocation() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (_, _, alice) = cloud.member(&admin, "alice", "member").await;
    let (_, _, bob) = cloud.member(&admin, "bob", "member").await;
    let seen = cloud.validate(&admin, &alice).await.expect(200);
    assert_eq!(seen.token(), alice);
    assert_eq!(seen.body["token"]["user"]["name"], "alice");
    cloud.validate(&alice, &alice).await.expect(200);
    cloud.validate(&bob, &alice).await.expect(403);
    cloud.validate(&admin, "nonsense").await.expect(404);
    cloud.validate("nonsense", &alice).await.expect(401);
    let headers = [("x-auth-token", admin.as_str())];
    cloud.request(Method::GET, "/v3/auth/tokens", &headers, None).await.expect(404);
    cloud.request(Method::GET, "/v3/auth/tokens", &[("x-subject-token", &alice)], None).await.expect(401);
    let both = [("x-auth-token", admin.as_str()), ("x-subject-token", alice.as_str())];
    let head = cloud.request(Method::HEAD, "/v3/auth/tokens", &both, None).await.expect(200);
    assert_eq!(head.body, Value::Null);
    let by_bob = [("x-auth-token", bob.as_str()), ("x-subject-token", alice.as_str())];
    cloud.request(Method::DELETE, "/v3/auth/tokens", &by_bob, None).await.expect(403);
    cloud.request(Method::DELETE, "/v3/auth/tokens", &both, None).await.expect(204);
    cloud.validate(&admin, &alice).await.expect(404);
    cloud.get(&alice, "/v3/auth/projects").await.expect(401);
    cloud.validate(&admin, &bob).await.expect(200);
}

#[tokio::test]
async fn a_service_may_validate_others_tokens() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (_, _, service) = cloud.member(&admin, "watcher", "service").await;
    let (_, _, alice) = cloud.member(&admin, "alice", "member").await;
    cloud.validate(&service, &alice).await.expect(200);
    let both = [("x-auth-token", service.as_str()), ("x-subject-token", alice.as_str())];
    cloud.request(Method::DELETE, "/v3/auth/tokens", &both, None).await.expect(403);
}

#[tokio::test]
async fn tokens_end_with_what_they_rest_on() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let role = cloud.role(&admin, "member").await;

    let (user, project_id, token) = cloud.member(&admin, "unassigned", "member").await;
    cloud.validate(&admin, &token).await.expect(200);
    cloud.delete(&admin, &format!("/v3/projects/{project_id}/users/{user}/roles/{role}")).await.expect(204);
    cloud.validate(&admin, &token).await.expect(404);

    let (user, _, token) = cloud.member(&admin, "disabled", "member").await;
    let path = format!("/v3/users/{user}");
    cloud.patch(&admin, &path, json!({"user": {"enabled": false}})).await.expect(200);
    cloud.get(&token, "/v3/auth/projects").await.expect(401);
    cloud.login("disabled", "pw", None).await.expect(401);
    cloud.patch(&admin, &path, json!({"user": {"enabled": true}})).await.expect(200);
    // What was ended stays so.
    cloud.validate(&admin, &token).await.expect(404);
    cloud.login("disabled", "pw", None).await.expect(201);

    let (user, _, token) = cloud.member(&admin, "deleted", "member").await;
    cloud.delete(&admin, &format!("/v3/users/{user}")).await.expect(204);
    cloud.validate(&admin, &token).await.expect(404);

    let (_, project_id, token) = cloud.member(&admin, "evicted", "member").await;
    let path = format!("/v3/projects/{project_id}");
    cloud.patch(&admin, &path, json!({"project": {"enabled": false}})).await.expect(200);
    cloud.validate(&admin, &token).await.expect(404);
    cloud.patch(&admin, &path, json!({"project": {"enabled": true}})).await.expect(200);
    cloud.validate(&admin, &token).await.expect(404);
    cloud.delete(&admin, &path).await.expect(204);
    cloud.login("evicted", "pw", Some(json!({"project": {"id": project_id}}))).await.expect(401);
}

#[tokio::test]
async fn a_disabled_domain_shuts_its_people_out() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let domain =
        cloud.post(&admin, "/v3/domains", json!({"domain": {"name": "acme"}})).await.expect(201).id("domain");
    let body = json!({"user": {"name": "carol", "password": "pw", "domain_id": domain}});
    let user = cloud.post(&admin, "/v3/users", body).await.expect(201).id("user");
    let login = || async {
        let identity = json!({"methods": ["password"], "password": {"user": {"id": user, "password": "pw"}}});
        cloud.authenticate(identity, None).await
    };
    let token = login().await.expect(201).token();
    let path = format!("/v3/domains/{domain}");
    cloud.patch(&admin, &path, json!({"domain": {"enabled": false}})).await.expect(200);
    cloud.validate(&admin, &token).await.expect(404);
    login().await.expect(401);
    cloud.patch(&admin, &path, json!({"domain": {"enabled": true}})).await.expect(200);
    cloud.validate(&admin, &token).await.expect(404);
    login().await.expect(201);
}

#[tokio::test]
async fn changing_a_password_ends_all_tokens() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (user, _, token) = cloud.member(&admin, "alice", "member").await;
    let path = format!("/v3/users/{user}/password");
    let body = |old: &str| json!({"user": {"original_password": old, "password": "new"}});
    cloud.request(Method::POST, &path, &[], Some(body("wrong"))).await.expect(401);
    cloud.request(Method::POST, "/v3/users/nobody/password", &[], Some(body("pw"))).await.expect(401);
    cloud.request(Method::POST, &path, &[], Some(json!({"user": {}}))).await.expect(400);
    cloud.validate(&admin, &token).await.expect(200);
    cloud.request(Method::POST, &path, &[], Some(body("pw"))).await.expect(204);
    cloud.validate(&admin, &token).await.expect(404);
    cloud.login("alice", "pw", None).await.expect(401);
    let token = cloud.login("alice", "new", None).await.expect(201).token();
    cloud
        .patch(&admin, &format!("/v3/users/{user}"), json!({"user": {"password": "newer"}}))
        .await
        .expect(200);
    cloud.validate(&admin, &token).await.expect(404);
    cloud.login("alice", "newer", None).await.expect(201);
    // A user without a password cannot log in by one.
    cloud.patch(&admin, &format!("/v3/users/{user}"), json!({"user": {"password": null}})).await.expect(200);
    cloud.login("alice", "newer", None).await.expect(401);
    let options = json!({"user": {"password": "pw", "options": {"lock_password": true}}});
    cloud.patch(&admin, &format!("/v3/users/{user}"), options).await.expect(200);
    cloud.request(Method::POST, &path, &[], Some(body("pw"))).await.expect(400);
}

#[tokio::test]
async fn tokens_expire_and_may_be_asked_about_afterwards() {
    let cloud = Cloud::start_with(Duration::ZERO).await;
    let dead = cloud.login("admin", PASSWORD, Some(project("admin"))).await.expect(201).token();
    cloud.get(&dead, "/v3/projects").await.expect(401);
    // A second Keystone over the same rows and keys, whose tokens live longer.
    let living = Cloud {
        keystone: open(&cloud.directory).await,
        router: cloud.router.clone(),
        directory: cloud.directory,
    };
    let living = Cloud { router: living.keystone.router(living.keystone.clone()), ..living };
    let admin = living.admin().await;
    living.validate(&admin, &dead).await.expect(404);
    let headers = [("x-auth-token", admin.as_str()), ("x-subject-token", dead.as_str())];
    let path = "/v3/auth/tokens?allow_expired=1";
    living.request(Method::GET, path, &headers, None).await.expect(200);
    living.request(Method::DELETE, path, &headers, None).await.expect(204);
    living.request(Method::GET, path, &headers, None).await.expect(404);
}

#[tokio::test]
async fn tokens_survive_a_restart_and_a_key_rotation() {
    let cloud = Cloud::start().await;
    let token = cloud.admin().await;
    cloud.keystone.rotate_token_keys().await.unwrap();
    let again = open(&cloud.directory).await;
    let again = Cloud { router: again.router(again.clone()), keystone: again, directory: cloud.directory };
    again.validate(&token, &token).await.expect(200);
}

#[tokio::test]
async fn bootstrap_again_changes_only_what_differs() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    cloud.keystone.bootstrap(first_rows(PASSWORD)).await.unwrap();
    cloud.get(&admin, "/v3/users").await.expect(200);
    assert_eq!(cloud.get(&admin, "/v3/endpoints").await.body["endpoints"].as_array().unwrap().len(), 6);
    let mut moved = first_rows("another");
    moved.endpoints[1].2 = "http://elsewhere/compute/v2.1".into();
    cloud.keystone.bootstrap(moved).await.unwrap();
    // The admin's password changed, so the old token is dead.
    cloud.get(&admin, "/v3/users").await.expect(401);
    cloud.login("admin", PASSWORD, None).await.expect(401);
    let answer = cloud.login("admin", "another", Some(project("admin"))).await.expect(201);
    let catalog = answer.body["token"]["catalog"].to_string();
    assert!(catalog.contains("http://elsewhere/compute/v2.1") && !catalog.contains("http://cloud/compute"));
    assert_eq!(
        cloud.get(&answer.token(), "/v3/roles").await.names("roles"),
        ["admin", "load-balancer_member", "manager", "member", "reader", "service"]
    );
}

#[tokio::test]
async fn a_user_with_rules_of_several_factors_needs_them() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (user, _, token) = cloud.member(&admin, "alice", "member").await;
    let options = json!({"user": {"options": {"multi_factor_auth_rules": [["password", "totp"]]}}});
    cloud.patch(&admin, &format!("/v3/users/{user}"), options).await.expect(200);
    cloud.login("alice", "pw", None).await.expect(401);
    cloud.authenticate(by_token(&token), None).await.expect(401);
}

#[tokio::test]
async fn what_a_token_can_reach() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (_, _, alice) = cloud.member(&admin, "alice", "member").await;
    let projects = cloud.get(&alice, "/v3/auth/projects").await.expect(200);
    assert_eq!(projects.names("projects"), ["alice-project"]);
    assert_eq!(cloud.get(&alice, "/v3/auth/domains").await.expect(200).body["domains"], json!([]));
    assert_eq!(cloud.get(&alice, "/v3/auth/system").await.expect(200).body["system"], json!([]));
    assert_eq!(cloud.get(&admin, "/v3/auth/system").await.expect(200).body["system"], json!([{"all": true}]));
    let catalog = cloud.get(&alice, "/v3/auth/catalog").await.expect(200);
    assert_eq!(catalog.body["catalog"].as_array().unwrap().len(), 2);
    let unscoped = cloud.login("alice", "pw", Some(json!("unscoped"))).await.expect(201).token();
    cloud.get(&unscoped, "/v3/auth/catalog").await.expect(403);
    assert_eq!(cloud.get(&unscoped, "/v3/auth/projects").await.names("projects"), ["alice-project"]);
}
