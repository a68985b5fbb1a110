//! Rules for passwords, signed logins, and what other processes do.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE;
use http::Method;
use keystone::Security;
use serde_json::{Value, json};

use crate::cloud::{Answer, Cloud, PASSWORD, open, project};

async fn change_password(cloud: &Cloud, user: &str, old: &str, new: &str) -> Answer {
    let body = json!({"user": {"original_password": old, "password": new}});
    cloud.request(Method::POST, &format!("/v3/users/{user}/password"), &[], Some(body)).await
}

#[tokio::test]
async fn wrong_passwords_lock_out_until_it_is_over() {
    let cloud = Cloud::start_strict(Security {
        lockout_failure_attempts: Some(2),
        lockout_duration: Duration::from_secs(3600),
        ..Security::default()
    })
    .await;
    let admin = cloud.admin().await;
    let user = cloud.make_user(&admin, "alice").await;
    cloud.login("alice", "wrong", None).await.expect(401);
    cloud.login("alice", "pw", None).await.expect(201);
    // The right one begins the count anew.
    for _ in 0..2 {
        cloud.login("alice", "wrong", None).await.expect(401);
    }
    let locked = cloud.login("alice", "pw", None).await.expect(401);
    assert_eq!(locked.message(), format!("The account is locked for user: {user}."));
    let path = format!("/v3/users/{user}");
    cloud.patch(&admin, &path, json!({"user": {"enabled": true}})).await.expect(200);
    cloud.login("alice", "pw", None).await.expect(201);
    let options = json!({"user": {"options": {"ignore_lockout_failure_attempts": true}}});
    cloud.patch(&admin, &path, options).await.expect(200);
    for _ in 0..3 {
        cloud.login("alice", "wrong", None).await.expect(401);
    }
    cloud.login("alice", "pw", None).await.expect(201);
}

#[tokio::test]
async fn a_lock_out_ends_by_itself() {
    let cloud = Cloud::start_strict(Security {
        lockout_failure_attempts: Some(1),
        lockout_duration: Duration::ZERO,
        ..Security::default()
    })
    .await;
    let admin = cloud.admin().await;
    cloud.make_user(&admin, "alice").await;
    cloud.login("alice", "wrong", None).await.expect(401);
    cloud.login("alice", "pw", None).await.expect(201);
}

#[tokio::test]
async fn passwords_are_not_used_again() {
    let cloud = Cloud::start_strict(Security { unique_last_password_count: 2, ..Security::default() }).await;
    let admin = cloud.admin().await;
    let user = cloud.make_user(&admin, "alice").await;
    change_password(&cloud, &user, "pw", "pw").await.expect(400);
    change_password(&cloud, &user, "pw", "second").await.expect(204);
    let refused = change_password(&cloud, &user, "second", "pw").await.expect(400);
    assert!(refused.message().contains("must be unique is 2"), "{}", refused.message());
    change_password(&cloud, &user, "second", "third").await.expect(204);
    change_password(&cloud, &user, "third", "pw").await.expect(204);
    // An admin may set any.
    let path = format!("/v3/users/{user}");
    cloud.patch(&admin, &path, json!({"user": {"password": "pw"}})).await.expect(200);
}

#[tokio::test]
async fn a_password_that_an_admin_set_is_good_for_choosing_another() {
    let cloud = Cloud::start_strict(Security {
        change_password_upon_first_use: true,
        password_expires_days: Some(30),
        password_regex: Some(r"^(?=.*[a-z]).{2,}$".into()),
        password_regex_description: Some("two characters, one of them a letter".into()),
        ..Security::default()
    })
    .await;
    let admin = cloud.admin().await;
    let user = cloud.make_user(&admin, "alice").await;
    let expired = cloud.login("alice", "pw", None).await.expect(401);
    assert!(expired.message().contains("password is expired"), "{}", expired.message());
    let weak = change_password(&cloud, &user, "pw", "12").await.expect(400);
    assert!(weak.message().contains("one of them a letter"), "{}", weak.message());
    change_password(&cloud, &user, "pw", "new").await.expect(204);
    let token = cloud.login("alice", "new", None).await.expect(201);
    assert!(token.body["token"]["user"]["password_expires_at"].is_string());
    let weak = json!({"user": {"name": "bob", "password": "1"}});
    cloud.post(&admin, "/v3/users", weak).await.expect(400);
    let robot = json!({"user": {"name": "robot", "password": "pw", "options": {
        "ignore_change_password_upon_first_use": true, "ignore_password_expiry": true}}});
    let made = cloud.post(&admin, "/v3/users", robot).await.expect(201);
    assert_eq!(made.body["user"]["password_expires_at"], Value::Null);
    cloud.login("robot", "pw", None).await.expect(201);
    let names = async |filter: &str| {
        let answer = cloud.get(&admin, &format!("/v3/users?password_expires_at={filter}")).await;
        answer.expect(200).names("users").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(names("gt:2020-01-01T00:00:00Z").await, ["alice"]);
    assert_eq!(names("lt:2020-01-01T00:00:00Z").await, [""; 0]);
    cloud.get(&admin, "/v3/users?password_expires_at=xx:2020-01-01T00:00:00Z").await.expect(400);
    cloud.get(&admin, "/v3/users?password_expires_at=lt:soon").await.expect(400);
}

/// A key of a member, and the signature of S3's older kind over `signed`.
async fn key(cloud: &Cloud, user: &str, project_id: &str, token: &str) -> (String, String) {
    let path = format!("/v3/users/{user}/credentials/OS-EC2");
    let made = cloud.post(token, &path, json!({"tenant_id": project_id})).await.expect(201);
    let text = |key: &str| made.body["credential"][key].as_str().unwrap().to_owned();
    (text("access"), text("secret"))
}

fn hmac_sha256(key: &[u8], data: &[u8]) -> Vec<u8> {
    use hmac::{KeyInit, Mac};
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

fn signed_s3(access: &str, secret: &str) -> Value {
    let text = "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\nabc";
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in ["20130524", "us-east-1", "s3", "aws4_request"] {
        key = hmac_sha256(&key, part.as_bytes());
    }
    let signature: String = hmac_sha256(&key, text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
    json!({"credentials": {"access": access, "token": BASE64_URL_SAFE.encode(text), "signature": signature}})
}

#[tokio::test]
async fn signed_requests_tell_who_signed() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (user, project_id, alice) = cloud.member(&admin, "alice", "member").await;
    let (access, secret) = key(&cloud, &user, &project_id, &alice).await;
    let good = signed_s3(&access, &secret);
    let answer = cloud.post(&admin, "/v3/s3tokens", good.clone()).await.expect(200);
    assert!(!answer.headers.contains_key("x-subject-token"));
    let token = &answer.body["token"];
    assert_eq!((&token["user"]["name"], &token["project"]["id"]), (&json!("alice"), &json!(project_id)));
    assert_eq!(token["methods"], json!(["ec2credential"]));
    // Only services ask; the signature, the key and its owner must be right.
    cloud.post(&alice, "/v3/s3tokens", good.clone()).await.expect(403);
    let (_, _, service) = cloud.member(&admin, "swift", "service").await;
    cloud.post(&service, "/v3/s3tokens", good.clone()).await.expect(200);
    cloud.post(&admin, "/v3/s3tokens", signed_s3(&access, "other")).await.expect(401);
    cloud.post(&admin, "/v3/s3tokens", signed_s3("nobody", &secret)).await.expect(404);
    cloud.post(&admin, "/v3/s3tokens", json!({"credentials": {}})).await.expect(401);
    cloud.post(&admin, "/v3/s3tokens", json!({})).await.expect(401);
    let path = format!("/v3/users/{user}");
    cloud.patch(&admin, &path, json!({"user": {"enabled": false}})).await.expect(200);
    cloud.post(&admin, "/v3/s3tokens", good).await.expect(401);
}

#[tokio::test]
async fn signed_requests_of_ec2_give_a_token() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (user, project_id, alice) = cloud.member(&admin, "alice", "member").await;
    let (access, secret) = key(&cloud, &user, &project_id, &alice).await;
    let signed = |stamp: &str| {
        let query =
            format!("SignatureMethod=HmacSHA256&SignatureVersion=2&Timestamp={}", stamp.replace(':', "%3A"));
        let text = format!("GET\nhost:8773\n/services/Cloud\n{query}");
        let signature =
            base64::prelude::BASE64_STANDARD.encode(hmac_sha256(secret.as_bytes(), text.as_bytes()));
        json!({"ec2Credentials": {
            "access": access, "signature": signature, "verb": "GET", "host": "host:8773",
            "path": "/services/Cloud", "params": {"SignatureVersion": "2", "Timestamp": stamp},
        }})
    };
    let now = base::time::seconds_z(base::time::now());
    let answer = cloud.post(&admin, "/v3/ec2tokens", signed(&now)).await.expect(200);
    assert_eq!(answer.body["token"]["user"]["id"], user.as_str());
    cloud.validate(&admin, &answer.token()).await.expect(200);
    cloud.post(&admin, "/v3/ec2tokens", signed("2012-01-01T00:00:00Z")).await.expect(401);
}

#[tokio::test]
async fn a_key_of_an_application_credential_has_its_roles_only() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (user, project_id, alice) = cloud.member(&admin, "alice", "member").await;
    let path = format!("/v3/users/{user}/application_credentials");
    let body = json!({"application_credential": {"name": "ci", "unrestricted": true, "roles": [{"name": "reader"}]}});
    let made = cloud.post(&alice, &path, body).await.expect(201);
    let credential = &made.body["application_credential"];
    let identity = json!({
        "methods": ["application_credential"],
        "application_credential": {"id": credential["id"], "secret": credential["secret"]},
    });
    let robot = cloud.authenticate(identity, None).await.expect(201).token();
    let blob = json!({"access": "AK", "secret": "SK"}).to_string();
    let body =
        json!({"credential": {"type": "ec2", "blob": blob, "user_id": user, "project_id": project_id}});
    let made = cloud.post(&robot, "/v3/credentials", body).await.expect(201);
    let kept: Value = serde_json::from_str(made.body["credential"]["blob"].as_str().unwrap()).unwrap();
    assert_eq!(kept["app_cred_id"], credential["id"]);
    let answer = cloud.post(&admin, "/v3/s3tokens", signed_s3("AK", "SK")).await.expect(200);
    assert_eq!(answer.body["token"]["roles"].as_array().unwrap().len(), 1);
    // Nobody frees it of that, and it reaches no other project's keys.
    let free = json!({"credential": {"blob": blob}});
    let path = format!("/v3/credentials/{}", made.id("credential"));
    cloud.patch(&alice, &path, free).await.expect(400);
    let elsewhere = cloud.make_project(&admin, "elsewhere").await;
    let body = json!({"credential": {"type": "cert", "blob": "x", "user_id": user, "project_id": elsewhere}});
    cloud.post(&robot, "/v3/credentials", body.clone()).await.expect(403);
    let foreign = cloud.post(&alice, "/v3/credentials", body).await.expect(201).id("credential");
    cloud.get(&robot, &format!("/v3/credentials/{foreign}")).await.expect(403);
    let listed = cloud.get(&robot, "/v3/credentials").await.expect(200);
    assert_eq!(listed.body["credentials"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn revocations_are_listed() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (user, _, alice) = cloud.member(&admin, "alice", "member").await;
    let since = base::time::micros_z(base::time::now());
    cloud.patch(&admin, &format!("/v3/users/{user}"), json!({"user": {"password": "x"}})).await.expect(200);
    let found = cloud.get(&admin, &format!("/v3/OS-REVOKE/events?since={since}")).await.expect(200);
    assert_eq!(found.body["events"][0]["user_id"], user.as_str());
    cloud.get(&admin, "/v3/OS-REVOKE/events?since=soon").await.expect(400);
    cloud.get(&alice, "/v3/OS-REVOKE/events").await.expect(401);
}

/// Two processes over one database: what the one ends, the other lets in for no more than a second.
#[tokio::test]
async fn what_another_process_changes_is_noticed() {
    let here = Cloud::start().await;
    let keystone = open(&here.directory).await;
    let there = Cloud {
        router: keystone.router(keystone.clone()),
        keystone,
        directory: tempfile::tempdir().unwrap(),
    };
    let admin = here.admin().await;
    let (user, _, alice) = here.member(&admin, "alice", "member").await;
    there.validate(&alice, &alice).await.expect(200);
    here.patch(&admin, &format!("/v3/users/{user}"), json!({"user": {"enabled": false}})).await.expect(200);
    let mut ended = false;
    for _ in 0..100 {
        ended = there.validate(&admin, &alice).await.status == 404;
        if ended {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(ended, "the other process still lets the token in");
}

#[tokio::test]
async fn another_process_rotates_the_keys() {
    let cloud = Cloud::start().await;
    let token = cloud.admin().await;
    let keys = camino::Utf8PathBuf::from_path_buf(cloud.directory.path().join("keys")).unwrap();
    keystone::rotate_token_keys(&keys).unwrap();
    cloud.validate(&token, &token).await.expect(200);
    let mut new = false;
    for _ in 0..100 {
        // A token by the new key is one that the old keys cannot read.
        let answer = cloud.login("admin", PASSWORD, Some(project("admin"))).await.expect(201);
        let key = std::fs::read_to_string(keys.join("tokens/2")).unwrap();
        new = fernet::Fernet::new(key.trim()).unwrap().decrypt(&answer.token()).is_ok();
        if new {
            break;
        }
        cloud.get(&token, "/v3/auth/projects").await.expect(200);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(new, "new tokens are still made with the old key");
}
