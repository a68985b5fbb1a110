//! OAuth 1.0a, from the consumer to a token.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{KeyInit, Mac};
use http::Method;
use serde_json::{Value, json};

use crate::cloud::{Answer, Cloud, by_token};

#[derive(Clone, Default)]
struct Party {
    id: String,
    secret: String,
    /// Of a consumer: where it wants to act.
    project: String,
}

/// Only what needs it: `quote("http://cloud/x")`.
fn quote(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// A POST to `path`, signed by a consumer and maybe with a token.
async fn post(
    cloud: &Cloud,
    path: &str,
    consumer: &Party,
    token: Option<&Party>,
    verifier: Option<&str>,
    body: Option<Value>,
) -> (u16, http::HeaderMap, Vec<u8>) {
    let mut pairs = vec![
        ("oauth_consumer_key", consumer.id.as_str()),
        ("oauth_nonce", "abc"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "1"),
    ];
    pairs.extend(token.map(|t| ("oauth_token", t.id.as_str())));
    pairs.extend(verifier.map(|v| ("oauth_verifier", v)));
    let params: Vec<String> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let url = format!("http://cloud/identity{path}");
    let text = format!("POST&{}&{}", quote(&url), quote(&params.join("&")));
    let key = format!("{}&{}", consumer.secret, token.map_or("", |t| t.secret.as_str()));
    let mut mac = hmac::Hmac::<sha1::Sha1>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    let signature = quote(&BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    let quoted: Vec<String> = pairs.iter().map(|(k, v)| format!("{k}=\"{v}\"")).collect();
    let header = format!("OAuth {}, oauth_signature=\"{signature}\"", quoted.join(", "));
    let headers = [("authorization", header.as_str()), ("requested-project-id", consumer.project.as_str())];
    cloud.raw(Method::POST, path, &headers, body).await
}

fn party(bytes: &[u8]) -> Party {
    let text = std::str::from_utf8(bytes).unwrap();
    let get = |key: &str| {
        let pair = text.split('&').find_map(|p| p.strip_prefix(key)?.strip_prefix('='));
        pair.unwrap_or_else(|| panic!("no {key} in {text}")).to_owned()
    };
    assert!(text.contains("oauth_expires_at="), "{text}");
    Party { id: get("oauth_token"), secret: get("oauth_token_secret"), ..Party::default() }
}

async fn consumer(cloud: &Cloud, admin: &str) -> (Answer, Party) {
    let body = json!({"consumer": {"description": "printer", "color": "blue"}});
    let made = cloud.post(admin, "/v3/OS-OAUTH1/consumers", body).await.expect(201);
    let secret = made.body["consumer"]["secret"].as_str().unwrap().to_owned();
    let party = Party { id: made.id("consumer"), secret, ..Party::default() };
    (made, party)
}

#[tokio::test]
async fn consumers_are_the_admins() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (made, party) = consumer(&cloud, &admin).await;
    assert_eq!(made.body["consumer"]["color"], "blue");
    let path = format!("/v3/OS-OAUTH1/consumers/{}", party.id);
    let shown = cloud.get(&admin, &path).await.expect(200);
    assert!(shown.body["consumer"].get("secret").is_none());
    let changed = cloud.patch(&admin, &path, json!({"consumer": {"description": "new"}})).await.expect(200);
    assert_eq!(changed.body["consumer"]["description"], "new");
    cloud.patch(&admin, &path, json!({"consumer": {"secret": "mine"}})).await.expect(400);
    let list = cloud.get(&admin, "/v3/OS-OAUTH1/consumers").await.expect(200);
    assert_eq!(list.body["consumers"].as_array().unwrap().len(), 1);
    let (_, _, alice) = cloud.member(&admin, "alice", "member").await;
    cloud.get(&alice, &path).await.expect(403);
    cloud.delete(&admin, &path).await.expect(204);
    cloud.get(&admin, &path).await.expect(404);
}

#[tokio::test]
async fn a_consumer_comes_by_a_token() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let admin_token = cloud.validate(&admin, &admin).await.expect(200);
    let user = admin_token.body["token"]["user"]["id"].as_str().unwrap().to_owned();
    let project = admin_token.body["token"]["project"]["id"].as_str().unwrap().to_owned();
    let (_, mut printer) = consumer(&cloud, &admin).await;
    printer.project.clone_from(&project);
    let liar = Party { secret: "other".into(), ..printer.clone() };
    let request = "/v3/OS-OAUTH1/request_token";
    assert_eq!(post(&cloud, request, &liar, None, None, None).await.0, 401);
    let (status, headers, bytes) = post(&cloud, request, &printer, None, None, None).await;
    assert_eq!(
        (status, &headers["content-type"]),
        (201, &"application/x-www-form-urlencoded".parse().unwrap())
    );
    let asked = party(&bytes);
    cloud.request(Method::POST, request, &[], None).await.expect(400);

    // The user lets it be a reader.
    let authorize = format!("/v3/OS-OAUTH1/authorize/{}", asked.id);
    let reader = cloud.role(&admin, "reader").await;
    let put = async |roles: Value| {
        let headers = [("x-auth-token", admin.as_str())];
        cloud.request(Method::PUT, &authorize, &headers, Some(json!({"roles": roles}))).await
    };
    put(json!([{"name": "service"}])).await.expect(401);
    put(json!([{"name": "nothing"}])).await.expect(404);
    put(json!(["reader"])).await.expect(400);
    let access = "/v3/OS-OAUTH1/access_token";
    assert_eq!(post(&cloud, access, &printer, Some(&asked), Some("12345678"), None).await.0, 401);
    let answer = put(json!([{"id": reader}])).await.expect(200);
    let verifier = answer.body["token"]["oauth_verifier"].as_str().unwrap().to_owned();
    assert_eq!(post(&cloud, access, &printer, Some(&asked), Some("12345678"), None).await.0, 401);
    let (status, _, bytes) = post(&cloud, access, &printer, Some(&asked), Some(&verifier), None).await;
    assert_eq!(status, 201);
    let given = party(&bytes);
    // Once only.
    assert_eq!(post(&cloud, access, &printer, Some(&asked), Some(&verifier), None).await.0, 404);

    let body = json!({"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}});
    let (status, headers, bytes) =
        post(&cloud, "/v3/auth/tokens", &printer, Some(&given), None, Some(body.clone())).await;
    let token: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(status, 201, "{token}");
    let token = &token["token"];
    assert_eq!((&token["user"]["id"], &token["project"]["id"]), (&json!(user), &json!(project)));
    assert_eq!(token["roles"], json!([{"id": reader, "name": "reader"}]));
    assert_eq!(token["OS-OAUTH1"], json!({"access_token_id": given.id, "consumer_id": printer.id}));
    assert_eq!(token["methods"], json!(["oauth1"]));
    let by_consumer = headers["x-subject-token"].to_str().unwrap().to_owned();
    cloud.validate(&admin, &by_consumer).await.expect(200);
    cloud.authenticate(by_token(&by_consumer), None).await.expect(403);
    // The scope is not the consumer's to choose.
    let mut greedy = body.clone();
    greedy["auth"]["scope"] = json!({"OS-TRUST:trust": {"id": "any"}});
    let (status, _, bytes) =
        post(&cloud, "/v3/auth/tokens", &printer, Some(&given), None, Some(greedy)).await;
    let token: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((status, &token["token"]["project"]["id"]), (201, &json!(project)), "{token}");
    assert!(token["token"].get("OS-TRUST:trust").is_none());
    let stolen = Party { secret: "guess".into(), ..given.clone() };
    assert_eq!(post(&cloud, "/v3/auth/tokens", &printer, Some(&stolen), None, Some(body)).await.0, 401);

    // The user sees it, and takes it back.
    let all = format!("/v3/users/{user}/OS-OAUTH1/access_tokens");
    let one = format!("{all}/{}", given.id);
    let list = cloud.get(&admin, &all).await.expect(200);
    assert_eq!(list.body["access_tokens"][0]["consumer_id"], printer.id.as_str());
    assert_eq!(
        cloud.get(&admin, &one).await.expect(200).body["access_token"]["project_id"],
        project.as_str()
    );
    assert_eq!(cloud.get(&admin, &format!("{one}/roles")).await.names("roles"), ["reader"]);
    cloud.get(&admin, &format!("{one}/roles/{reader}")).await.expect(200);
    let member = cloud.role(&admin, "member").await;
    cloud.get(&admin, &format!("{one}/roles/{member}")).await.expect(404);
    cloud.delete(&admin, &one).await.expect(204);
    cloud.get(&admin, &one).await.expect(404);
    cloud.validate(&admin, &by_consumer).await.expect(404);
}
