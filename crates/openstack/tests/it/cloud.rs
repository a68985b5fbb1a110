//! As much of five services as the client's tests need.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

#[derive(Default)]
struct Inner {
    base: String,
    counts: HashMap<String, usize>,
    failures: HashMap<String, (u16, usize)>,
    valid: String,
    tokens: usize,
    uploaded: Vec<u8>,
    last_body: Value,
}

pub struct FakeCloud {
    inner: Arc<Mutex<Inner>>,
    dir: tempfile::TempDir,
}

impl FakeCloud {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Mutex::new(Inner { base, valid: "first".into(), ..Inner::default() }));
        let app = axum::Router::new().fallback(answer).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { inner, dir: tempfile::tempdir().unwrap() }
    }

    pub fn clouds_yaml(&self, secret: &str) -> PathBuf {
        self.clouds_yaml_of(&format!("username: me\n      user_domain_id: default\n      project_name: p\n      project_domain_id: default\n      {secret}"))
    }
    pub fn clouds_yaml_of(&self, auth: &str) -> PathBuf {
        let base = self.inner.lock().unwrap().base.clone();
        let path = self.dir.path().join("clouds.yaml");
        let text = format!(
            "clouds:\n  fake:\n    region_name: R\n    auth:\n      auth_url: {base}/identity/v3\n      {auth}\n"
        );
        std::fs::write(&path, text).unwrap();
        path
    }
    pub fn fail(&self, what: &str, status: u16, times: usize) {
        self.inner.lock().unwrap().failures.insert(what.to_owned(), (status, times));
    }
    pub fn count(&self, what: &str) -> usize {
        self.inner.lock().unwrap().counts.get(what).copied().unwrap_or_default()
    }
    pub fn expire_tokens(&self) {
        self.inner.lock().unwrap().valid = "none".into();
    }
    pub fn uploaded(&self) -> Vec<u8> {
        self.inner.lock().unwrap().uploaded.clone()
    }
    pub fn last_body(&self) -> Value {
        self.inner.lock().unwrap().last_body.clone()
    }
}

async fn answer(State(inner): State<Arc<Mutex<Inner>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let path = parts.uri.path().trim_end_matches('/').to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let mut inner = inner.lock().unwrap();
    let what = format!("{} {path}", parts.method);
    *inner.counts.entry(what.clone()).or_default() += 1;
    if let Some((status, left)) = inner.failures.get_mut(&what)
        && *left > 0
    {
        *left -= 1;
        let fault = json!({"NeutronError": {"type": "X", "message": "told to fail", "detail": ""}});
        return reply(*status, &fault);
    }
    if path == "/identity/v3/auth/tokens" && parts.method == Method::POST {
        return login(&mut inner, &body);
    }
    if let Some(versions) = versions(&inner.base, &path) {
        return reply(200, &versions);
    }
    if token(&parts.headers) != inner.valid {
        return reply(401, &json!({"error": {"code": 401, "message": "expired", "title": "Unauthorized"}}));
    }
    service(&mut inner, &parts.method, &path, &query, &body)
}

fn token(headers: &HeaderMap) -> &str {
    headers.get("x-auth-token").and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn reply(status: u16, body: &Value) -> Response {
    let headers = [("x-openstack-request-id", "req-1234"), ("content-type", "application/json")];
    (StatusCode::from_u16(status).unwrap(), headers, body.to_string()).into_response()
}

fn versions(base: &str, path: &str) -> Option<Value> {
    let version = |id: &str, url: String, newest: &str| {
        json!({"id": id, "status": "CURRENT", "version": newest, "min_version": if newest.is_empty() { "" } else { "2.1" },
               "links": [{"rel": "self", "href": url}], "updated": "2013-07-23T11:33:21Z"})
    };
    Some(match path {
        "/identity/v3" => {
            json!({"version": {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": format!("{base}/identity/v3/")}]}})
        }
        "/network" => json!({"versions": [version("v2.0", format!("{base}/network/v2.0/"), "")]}),
        "/compute/v2.1" => json!({"version": version("v2.1", format!("{base}/compute/v2.1/"), "2.96")}),
        "/image" => json!({"versions": [
            version("v2.16", format!("{base}/image/v2/"), ""), version("v2.1", format!("{base}/image/v2/"), "")]}),
        _ => return None,
    })
}

fn login(inner: &mut Inner, body: &Bytes) -> Response {
    let body: Value = serde_json::from_slice(body).unwrap();
    let identity = &body["auth"]["identity"];
    let accepted = match identity["methods"][0].as_str().unwrap() {
        "password" => identity["password"]["user"]["password"] == "secret",
        "application_credential" => {
            identity["application_credential"]["secret"] == "secret" && body["auth"].get("scope").is_none()
        }
        "token" => identity["token"]["id"] == inner.valid.as_str(),
        _ => false,
    };
    if !accepted {
        return reply(
            401,
            &json!({"error": {"code": 401, "message": "bad credentials", "title": "Unauthorized"}}),
        );
    }
    inner.tokens += 1;
    // Tokens made from a token are that token here, so that the test's `first` stays valid.
    if inner.valid != "first" || inner.tokens > 1 {
        inner.valid = format!("token-{}", inner.tokens);
    }
    let base = inner.base.clone();
    let service_of = |region: &str, kind: &str, path: &str| {
        json!({"type": kind, "name": kind, "id": kind, "endpoints": [
            {"id": format!("{kind}-x"), "interface": "public", "region": region, "region_id": region, "url": format!("{base}{path}")}]})
    };
    let service = |kind: &str, path: &str| service_of("R", kind, path);
    let token = json!({"token": {
        "methods": ["password"],
        "user": {"id": "u", "name": "me", "domain": {"id": "default", "name": "Default"}, "password_expires_at": null},
        "project": {"id": "project-id", "name": "p", "domain": {"id": "default", "name": "Default"}},
        "roles": [{"id": "r", "name": "member"}],
        "issued_at": "2026-01-01T00:00:00.000000Z",
        "expires_at": "2099-01-01T00:00:00.000000Z",
        "audit_ids": ["a"],
        "catalog": [
            service("identity", "/identity/v3"), service("network", "/network"),
            service("compute", "/compute/v2.1"), service("image", "/image"),
            service("volumev3", "/volume/v3"), service_of("elsewhere", "load-balancer", "/balancers"),
        ],
    }});
    let mut response = reply(201, &token);
    response.headers_mut().insert("x-subject-token", inner.valid.parse().unwrap());
    response
}

fn service(inner: &mut Inner, method: &Method, path: &str, query: &str, body: &Bytes) -> Response {
    if method == Method::PUT && path == "/image/v2/images/i1/file" {
        inner.uploaded = body.to_vec();
        return StatusCode::NO_CONTENT.into_response();
    }
    let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
    if method == Method::POST {
        inner.last_body = parsed.clone();
    }
    let network = |id: &str, name: &str| json!({"id": id, "name": name, "description": null, "tags": null});
    let server = |id: &str, status: &str, fault: Value| {
        reply(
            200,
            &json!({"server": {"id": id, "name": id, "status": status, "fault": fault, "metadata": {}, "addresses": {}}}),
        )
    };
    match (method.as_str(), path) {
        ("GET", "/network/v2.0/networks") if query.contains("marker=n2") => {
            reply(200, &json!({"networks": [network("n3", "three")]}))
        }
        ("GET", "/network/v2.0/networks") => reply(
            200,
            &json!({"networks": [network("n1", "one"), network("n2", "two")],
                    "networks_links": [{"rel": "next", "href": "http://elsewhere/?marker=n2"}]}),
        ),
        ("POST", "/network/v2.0/networks") => {
            reply(201, &json!({"network": network("n4", parsed["network"]["name"].as_str().unwrap())}))
        }
        ("GET", "/network/v2.0/extensions") => {
            reply(200, &json!({"extensions": [{"alias": "standard-attr-tag", "name": "t"}]}))
        }
        ("GET", "/image/v2/images") if query.contains("marker=i1") => {
            reply(200, &json!({"images": [{"id": "i2", "name": "b", "status": "active"}]}))
        }
        ("GET", "/image/v2/images") => reply(
            200,
            &json!({"images": [{"id": "i1", "name": "a", "status": "active", "min_disk": 0, "tags": [],
                                "kubernetes_version": "v1.36.3"}], "next": "/v2/images?marker=i1"}),
        ),
        ("POST", "/image/v2/images") => reply(201, &json!({"id": "i3", "name": "mine", "status": "queued"})),
        ("GET", "/compute/v2.1/servers/good") => server("good", "ACTIVE", Value::Null),
        ("GET", "/compute/v2.1/servers/bad") => server(
            "bad",
            "ERROR",
            json!({"code": 500, "message": "No valid host was found.", "created": "x"}),
        ),
        _ => reply(
            404,
            &json!({"itemNotFound": {"code": 404, "message": format!("nothing at {method} {path}")}}),
        ),
    }
}
