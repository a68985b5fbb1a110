//! Application credentials, access rules, other credentials.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{KeyInit, Mac};
use http::Method;
use serde_json::{Value, json};

use crate::cloud::{Answer, Cloud, by_token, system};

fn by_credential(id: &str, secret: &str) -> Value {
    json!({"methods": ["application_credential"], "application_credential": {"id": id, "secret": secret}})
}

async fn make(cloud: &Cloud, token: &str, user: &str, credential: Value) -> Answer {
    let path = format!("/v3/users/{user}/application_credentials");
    cloud.post(token, &path, json!({"application_credential": credential})).await
}

fn secret(answer: &Answer) -> String {
    answer.body["application_credential"]["secret"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_program_logs_in() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (user, project_id, alice) = cloud.member(&admin, "alice", "member").await;
    let made = make(&cloud, &alice, &user, json!({"name": "ci", "description": "robot"})).await.expect(201);
    let (id, secret) = (made.id("application_credential"), secret(&made));
    assert!(secret.len() >= 86);
    let credential = &made.body["application_credential"];
    assert_eq!(credential["project_id"], project_id.as_str());
    assert_eq!(credential["unrestricted"], false);
    assert_eq!(credential["expires_at"], Value::Null);
    let roles: Vec<_> =
        credential["roles"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(roles.len(), 2);
    let path = format!("/v3/users/{user}/application_credentials/{id}");
    let seen = cloud.get(&alice, &path).await.expect(200);
    assert!(seen.body["application_credential"].get("secret").is_none());
    assert_eq!(make(&cloud, &alice, &user, json!({"name": "ci"})).await.expect(409).status, 409);

    let token = cloud.authenticate(by_credential(&id, &secret), None).await.expect(201);
    let body = &token.body["token"];
    assert_eq!(body["methods"], json!(["application_credential"]));
    assert_eq!(body["project"]["id"], project_id.as_str());
    assert_eq!(body["application_credential"], json!({"id": id, "name": "ci", "restricted": true}));
    assert!(token.token().len() < 255);
    let by_name = json!({"methods": ["application_credential"], "application_credential":
        {"name": "ci", "user": {"name": "alice", "domain": {"id": "default"}}, "secret": secret}});
    cloud.authenticate(by_name, None).await.expect(201);
    cloud.authenticate(by_credential(&id, "wrong"), None).await.expect(401);
    cloud.authenticate(by_credential("unknown", &secret), None).await.expect(401);
    let scope = Some(json!({"project": {"id": project_id}}));
    cloud.authenticate(by_credential(&id, &secret), scope.clone()).await.expect(401);
    // From its token comes another one like it, and no other.
    let again = cloud.authenticate(by_token(&token.token()), None).await.expect(201);
    assert_eq!(again.body["token"]["application_credential"]["id"], id.as_str());
    cloud.authenticate(by_token(&token.token()), scope).await.expect(403);

    // A restricted one makes and deletes none.
    make(&cloud, &token.token(), &user, json!({"name": "more"})).await.expect(403);
    cloud.delete(&token.token(), &path).await.expect(403);
    cloud.delete(&alice, &path).await.expect(204);
    cloud.validate(&admin, &token.token()).await.expect(404);
    cloud.validate(&admin, &again.token()).await.expect(404);
    cloud.authenticate(by_credential(&id, &secret), None).await.expect(401);
}

#[tokio::test]
async fn an_unrestricted_one_makes_more() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (user, _, alice) = cloud.member(&admin, "alice", "member").await;
    let made = make(&cloud, &alice, &user, json!({"name": "free", "unrestricted": true})).await.expect(201);
    let identity = by_credential(&made.id("application_credential"), &secret(&made));
    let token = cloud.authenticate(identity, None).await.expect(201).token();
    make(&cloud, &token, &user, json!({"name": "more"})).await.expect(201);
}

#[tokio::test]
async fn roles_are_at_most_ones_own_and_go_with_them() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (user, project_id, alice) = cloud.member(&admin, "alice", "member").await;
    make(&cloud, &alice, &user, json!({"name": "up", "roles": [{"name": "admin"}]})).await.expect(400);
    let made =
        make(&cloud, &alice, &user, json!({"name": "low", "roles": [{"name": "reader"}]})).await.expect(201);
    let identity = by_credential(&made.id("application_credential"), &secret(&made));
    let token = cloud.authenticate(identity.clone(), None).await.expect(201);
    assert_eq!(token.body["token"]["roles"].as_array().unwrap().len(), 1);
    assert_eq!(token.body["token"]["roles"][0]["name"], "reader");
    let role = cloud.role(&admin, "member").await;
    cloud.delete(&admin, &format!("/v3/projects/{project_id}/users/{user}/roles/{role}")).await.expect(204);
    cloud.validate(&admin, &token.token()).await.expect(404);
    // With the user's last role there the credential is gone, and stays so.
    cloud.grant(&admin, &format!("projects/{project_id}"), &user, "member").await;
    cloud.authenticate(identity, None).await.expect(401);
}

#[tokio::test]
async fn it_expires_and_so_do_its_tokens() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (user, _, alice) = cloud.member(&admin, "alice", "member").await;
    make(&cloud, &alice, &user, json!({"name": "old", "expires_at": "2001-01-01T00:00:00"}))
        .await
        .expect(400);
    make(&cloud, &alice, &user, json!({"name": "odd", "expires_at": "soon"})).await.expect(400);
    let end = base::time::micros_naive(base::time::now() + 60_000_000);
    let made = make(&cloud, &alice, &user, json!({"name": "short", "expires_at": end})).await.expect(201);
    assert_eq!(made.body["application_credential"]["expires_at"], end);
    let identity = by_credential(&made.id("application_credential"), &secret(&made));
    let token = cloud.authenticate(identity, None).await.expect(201);
    // The token would live an hour; it ends with its credential.
    assert_eq!(token.body["token"]["expires_at"], format!("{end}Z"));
}

#[tokio::test]
async fn what_one_must_be() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (user, _, alice) = cloud.member(&admin, "alice", "member").await;
    let (other, _, _) = cloud.member(&admin, "bob", "member").await;
    for bad in [
        json!({}),
        json!({"name": ""}),
        json!({"name": "x", "secret": 5}),
        json!({"name": "x", "unrestricted": "yes"}),
        json!({"name": "x", "roles": [{}]}),
        json!({"name": "x", "access_rules": [{"service": "compute"}]}),
        json!({"name": "x", "access_rules": [{"service": "compute", "path": "/", "method": "DANCE"}]}),
    ] {
        make(&cloud, &alice, &user, bad).await.expect(400);
    }
    // For somebody else: not even an admin.
    make(&cloud, &alice, &other, json!({"name": "x"})).await.expect(403);
    make(&cloud, &admin, &user, json!({"name": "x"})).await.expect(403);
    cloud.get(&alice, &format!("/v3/users/{other}/application_credentials")).await.expect(403);
    let unscoped = cloud.login("alice", "pw", Some(json!("unscoped"))).await.expect(201).token();
    make(&cloud, &unscoped, &user, json!({"name": "x"})).await.expect(400);
    let made = make(&cloud, &alice, &user, json!({"name": "own", "secret": "my secret"})).await.expect(201);
    cloud
        .authenticate(by_credential(&made.id("application_credential"), "my secret"), None)
        .await
        .expect(201);
}

#[tokio::test]
async fn access_rules_are_kept_and_shown() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (user, _, alice) = cloud.member(&admin, "alice", "member").await;
    let rule = json!({"service": "compute", "path": "/v2.1/servers", "method": "GET"});
    let made = make(&cloud, &alice, &user, json!({"name": "one", "access_rules": [rule]})).await.expect(201);
    let listed = cloud.get(&alice, &format!("/v3/users/{user}/access_rules")).await.expect(200);
    let id = listed.body["access_rules"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(made.body["application_credential"]["access_rules"][0]["id"], id.as_str());
    make(&cloud, &alice, &user, json!({"name": "two", "access_rules": [{"id": id}]})).await.expect(201);
    make(&cloud, &alice, &user, json!({"name": "three", "access_rules": [{"id": "unknown"}]}))
        .await
        .expect(404);
    let path = format!("/v3/users/{user}/access_rules/{id}");
    assert_eq!(cloud.get(&alice, &path).await.expect(200).body["access_rule"]["path"], "/v2.1/servers");
    cloud.delete(&alice, &path).await.expect(403);
    let identity = by_credential(&made.id("application_credential"), &secret(&made));
    let token = cloud.authenticate(identity, None).await.expect(201);
    assert_eq!(token.body["token"]["application_credential"]["access_rules"][0]["method"], "GET");
    // What the rules do not name is refused, here and in every other service.
    cloud.get(&token.token(), &format!("/v3/users/{user}")).await.expect(401);
    for credential in cloud.get(&alice, &format!("/v3/users/{user}/application_credentials")).await.body["application_credentials"]
        .as_array()
        .unwrap()
    {
        let id = credential["id"].as_str().unwrap();
        cloud.delete(&alice, &format!("/v3/users/{user}/application_credentials/{id}")).await.expect(204);
    }
    cloud.delete(&alice, &path).await.expect(204);
    cloud.get(&alice, &path).await.expect(404);
}

#[tokio::test]
async fn other_credentials_are_encrypted_at_rest() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (user, project_id, alice) = cloud.member(&admin, "alice", "member").await;
    let (_, _, bob) = cloud.member(&admin, "bob", "member").await;
    let blob = json!({"access": "AKXYZ", "secret": "very-secret-indeed"}).to_string();
    let body =
        json!({"credential": {"type": "ec2", "blob": blob, "user_id": user, "project_id": project_id}});
    let made = cloud.post(&alice, "/v3/credentials", body.clone()).await.expect(201);
    assert_eq!(made.body["credential"]["blob"], blob);
    assert_eq!(made.id("credential").len(), 64);
    cloud.post(&alice, "/v3/credentials", body).await.expect(409);
    let path = format!("/v3/credentials/{}", made.id("credential"));
    cloud.get(&alice, &path).await.expect(200);
    cloud.get(&bob, &path).await.expect(403);
    cloud.delete(&bob, &path).await.expect(403);
    assert_eq!(cloud.get(&bob, "/v3/credentials").await.expect(200).body["credentials"], json!([]));
    assert_eq!(
        cloud.get(&alice, "/v3/credentials?type=ec2").await.body["credentials"].as_array().unwrap().len(),
        1
    );
    assert_eq!(cloud.get(&admin, "/v3/credentials").await.body["credentials"].as_array().unwrap().len(), 1);
    let bytes: Vec<u8> = std::fs::read_dir(cloud.directory.path())
        .unwrap()
        .filter_map(|f| std::fs::read(f.unwrap().path()).ok())
        .flatten()
        .collect();
    assert!(!bytes.windows(18).any(|w| w == b"very-secret-indeed"));
    let changed =
        cloud.patch(&alice, &path, json!({"credential": {"type": "cert", "blob": "x"}})).await.expect(200);
    assert_eq!(
        (&changed.body["credential"]["type"], &changed.body["credential"]["blob"]),
        (&json!("cert"), &json!("x"))
    );
    // Nothing makes one of EC2's that cannot be read.
    let to_ec2 = json!({"credential": {"type": "ec2"}});
    cloud.patch(&alice, &path, to_ec2).await.expect(400);
    let keys = json!({"type": "ec2", "blob": "{\"access\": \"b\"}", "project_id": project_id});
    let key = cloud.post(&alice, "/v3/credentials", json!({"credential": keys})).await.expect(201);
    let key = format!("/v3/credentials/{}", key.id("credential"));
    cloud.patch(&alice, &key, json!({"credential": {"blob": "no json"}})).await.expect(400);
    cloud.delete(&alice, &key).await.expect(204);
    for bad in [
        json!({"type": "ec2", "blob": "no json", "project_id": project_id}),
        json!({"type": "ec2", "blob": "{}", "project_id": project_id}),
        json!({"type": "ec2", "blob": "{\"access\": \"a\"}"}),
        json!({"type": "cert"}),
        json!({"blob": "x"}),
    ] {
        cloud.post(&alice, "/v3/credentials", json!({"credential": bad})).await.expect(400);
    }
    let foreign = json!({"credential": {"type": "cert", "blob": "x", "user_id": "somebody"}});
    cloud.post(&alice, "/v3/credentials", foreign).await.expect(403);
    cloud.delete(&alice, &path).await.expect(204);
    cloud.get(&admin, &path).await.expect(404);
    let reader = cloud.make_user(&admin, "auditor").await;
    cloud.grant(&admin, "system", &reader, "reader").await;
    let auditor = cloud.login("auditor", "pw", Some(system())).await.expect(201).token();
    cloud.get(&auditor, "/v3/credentials").await.expect(200);
}

#[tokio::test]
async fn keys_for_ec2() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (user, project_id, alice) = cloud.member(&admin, "alice", "member").await;
    let (_, other, bob) = cloud.member(&admin, "bob", "member").await;
    let path = format!("/v3/users/{user}/credentials/OS-EC2");
    cloud.post(&alice, &path, json!({})).await.expect(400);
    cloud.post(&alice, &path, json!({"tenant_id": "nowhere"})).await.expect(404);
    // A key for a project that its owner cannot enter may be made; it opens nothing.
    cloud.post(&alice, &path, json!({"tenant_id": other})).await.expect(201);
    cloud.post(&bob, &path, json!({"tenant_id": project_id})).await.expect(403);
    let made = cloud.post(&alice, &path, json!({"tenant_id": project_id})).await.expect(201);
    let access = made.body["credential"]["access"].as_str().unwrap().to_owned();
    assert_eq!(made.body["credential"]["secret"].as_str().unwrap().len(), 32);
    let one = format!("{path}/{access}");
    assert_eq!(cloud.get(&alice, &one).await.expect(200).body, made.body);
    let list = cloud.get(&alice, &path).await.expect(200);
    assert!(list.body["credentials"].as_array().unwrap().contains(&made.body["credential"]));
    assert_eq!(
        cloud.get(&alice, "/v3/credentials?type=ec2").await.body["credentials"].as_array().unwrap().len(),
        2
    );
    cloud.get(&bob, &one).await.expect(403);
    cloud.delete(&bob, &one).await.expect(403);
    cloud.delete(&alice, &one).await.expect(204);
    cloud.get(&alice, &one).await.expect(404);
}

/// A body of OAuth 2.0's, to where its clients get their tokens.
async fn client_token(cloud: &Cloud, authorization: Option<&str>, form: &str) -> Answer {
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let headers: Vec<(&str, &str)> =
        [kind].into_iter().chain(authorization.map(|a| ("authorization", a))).collect();
    let (status, headers, bytes) =
        cloud.send(Method::POST, "/v3/OS-OAUTH2/token", &headers, form.to_owned()).await;
    let body = serde_json::from_slice(&bytes).unwrap();
    Answer { status: http::StatusCode::from_u16(status).unwrap(), headers, body }
}

#[tokio::test]
async fn a_program_gets_its_token_as_an_oauth_client() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (user, project_id, token) = cloud.member(&admin, "ann", "member").await;
    let made = make(&cloud, &token, &user, json!({"name": "client"})).await.expect(201);
    let (id, secret) = (made.id("application_credential"), secret(&made));
    let basic =
        |id: &str, secret: &str| format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")));
    let grant = "grant_type=client_credentials";

    let right = basic(&id, &secret);
    let given = client_token(&cloud, Some(&right), grant).await.expect(200);
    assert_eq!((&given.body["token_type"], &given.body["expires_in"]), (&json!("Bearer"), &json!(3600)));
    assert_eq!(given.headers["cache-control"], "no-store");
    let access = given.body["access_token"].as_str().unwrap();
    let told = cloud.validate(&admin, access).await.expect(200);
    assert_eq!(told.body["token"]["project"]["id"], project_id);
    assert_eq!(told.body["token"]["methods"], json!(["application_credential"]));
    let form = format!("{grant}&client_id={id}&client_secret={secret}");
    client_token(&cloud, None, &form).await.expect(200);

    let refused = client_token(&cloud, Some(&basic(&id, "guessed")), grant).await.expect(401);
    assert_eq!(refused.body["error"], "invalid_client");
    assert_eq!(refused.headers["www-authenticate"], "Keystone uri=\"http://cloud/identity\"");
    for (authorization, form, status, error) in [
        (None, grant, 401, "invalid_client"),
        (Some("Basic ?"), grant, 401, "invalid_client"),
        (Some(&*right), "", 400, "invalid_request"),
        (Some(&*right), "grant_type=password", 400, "unsupported_grant_type"),
    ] {
        let refused = client_token(&cloud, authorization, form).await.expect(status);
        assert_eq!(refused.body["error"], error);
        assert!(refused.body["error_description"].is_string());
    }
}

#[tokio::test]
async fn an_authenticator_app_is_a_second_factor() {
    let cloud = Cloud::start_strict(keystone::Security {
        lockout_failure_attempts: Some(2),
        ..keystone::Security::default()
    })
    .await;
    let admin = cloud.admin().await;
    let (user, ..) = cloud.member(&admin, "ann", "member").await;
    let seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    let credential = json!({"credential": {"type": "totp", "blob": seed, "user_id": user}});
    cloud.post(&admin, "/v3/credentials", credential).await.expect(201);
    let rules = json!({"user": {"options": {"multi_factor_auth_rules": [["password", "totp"]]}}});
    cloud.patch(&admin, &format!("/v3/users/{user}"), rules).await.expect(200);
    cloud.login("ann", "pw", None).await.expect(401);

    let both = |passcode: &str| {
        let who = json!({"name": "ann", "domain": {"id": "default"}});
        let with = |key: &str, value: &str| {
            let mut user = who.clone();
            user[key] = json!(value);
            json!({ "user": user })
        };
        json!({"methods": ["password", "totp"], "password": with("password", "pw"), "totp": with("passcode", passcode)})
    };
    let shown = passcode(b"12345678901234567890");
    let made = cloud.authenticate(both(&shown), None).await.expect(201);
    assert_eq!(made.body["token"]["methods"], json!(["password", "totp"]));
    // Guesses are counted.
    let wrong = if shown == "000000" { "000001" } else { "000000" };
    let guess = || json!({"methods": ["totp"], "totp": {"user": {"id": user, "passcode": wrong}}});
    for _ in 0..2 {
        cloud.authenticate(guess(), None).await.expect(401);
    }
    let told = cloud.authenticate(both(&shown), None).await.expect(401);
    assert_eq!(told.message(), format!("The account is locked for user: {user}."));
}

/// What the app shows now.
fn passcode(key: &[u8]) -> String {
    let step = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 30;
    let mut mac = hmac::Hmac::<sha1::Sha1>::new_from_slice(key).unwrap();
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let at = usize::from(digest[19] & 15);
    let word = u32::from_be_bytes(digest[at..at + 4].try_into().unwrap()) & 0x7FFF_FFFF;
    format!("{:06}", word % 1_000_000)
}
