//! A Keystone to ask.

use std::sync::Arc;
use std::time::Duration;

use camino::Utf8PathBuf;
use db::Db;
use http::{Method, Request, StatusCode};
use keystone::{Bootstrap, Config, Keystone, Security};
use serde_json::{Value, json};
use tower::ServiceExt;
use web::Router;
use web::axum::body::{Body, to_bytes};

pub const PASSWORD: &str = "correct horse battery staple";

pub struct Cloud {
    pub keystone: Arc<Keystone>,
    pub router: Router,
    pub directory: tempfile::TempDir,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub body: Value,
}

impl Answer {
    /// Fails the test with the body unless the status is that.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self
    }

    pub fn id(&self, noun: &str) -> String {
        self.body[noun]["id"].as_str().unwrap_or_else(|| panic!("no {noun}.id in {}", self.body)).to_owned()
    }

    pub fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_else(|| panic!("no message in {}", self.body))
    }

    pub fn token(&self) -> String {
        self.headers["x-subject-token"].to_str().unwrap().to_owned()
    }

    /// The names in a list.
    pub fn names(&self, noun: &str) -> Vec<&str> {
        self.body[noun].as_array().unwrap().iter().map(|v| v["name"].as_str().unwrap()).collect()
    }
}

pub async fn open(directory: &tempfile::TempDir) -> Arc<Keystone> {
    open_with(directory, Duration::from_secs(3600)).await
}

pub async fn open_with(directory: &tempfile::TempDir, token_ttl: Duration) -> Arc<Keystone> {
    open_strict(directory, token_ttl, Security::default()).await
}

pub async fn open_strict(
    directory: &tempfile::TempDir,
    token_ttl: Duration,
    security: Security,
) -> Arc<Keystone> {
    let path = Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap();
    let db = Db::open_file(&path.join("cloud.db")).await.unwrap();
    db.migrate(&[keystone::MIGRATIONS]).await.unwrap();
    let config = Config { key_dir: path.join("keys"), token_ttl, security };
    let keystone = Keystone::new(Arc::new(db), config).await.unwrap();
    keystone.bootstrap(first_rows(PASSWORD)).await.unwrap();
    keystone
}

pub fn first_rows(password: &str) -> Bootstrap {
    Bootstrap {
        demo_password: None,
        admin_password: password.into(),
        region: "RegionOne".into(),
        endpoints: vec![
            ("identity".into(), "keystone".into(), "http://cloud/identity/v3".into()),
            ("compute".into(), "nova".into(), "http://cloud/compute/v2.1".into()),
        ],
    }
}

impl Cloud {
    pub async fn start() -> Cloud {
        Self::start_with(Duration::from_secs(3600)).await
    }

    pub async fn start_with(token_ttl: Duration) -> Cloud {
        let directory = tempfile::tempdir().unwrap();
        let keystone = open_with(&directory, token_ttl).await;
        let router = keystone.router(keystone.clone());
        Cloud { keystone, router, directory }
    }

    /// With rules for passwords.
    pub async fn start_strict(security: Security) -> Cloud {
        let directory = tempfile::tempdir().unwrap();
        let keystone = open_strict(&directory, Duration::from_secs(3600), security).await;
        let router = keystone.router(keystone.clone());
        Cloud { keystone, router, directory }
    }

    pub async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let (status, headers, bytes) = self.raw(method, path, headers, body).await;
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Answer { status: StatusCode::from_u16(status).unwrap(), headers, body }
    }

    /// For answers that are not JSON.
    pub async fn raw(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> (u16, http::HeaderMap, Vec<u8>) {
        self.send(method, path, headers, body.map_or_else(String::new, |b| b.to_string())).await
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> (u16, http::HeaderMap, Vec<u8>) {
        let mut request = Request::builder().method(method).uri(path).header("host", "cloud");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 10 << 20).await.unwrap();
        (parts.status.as_u16(), parts.headers, bytes.to_vec())
    }

    pub async fn get(&self, token: &str, path: &str) -> Answer {
        self.request(Method::GET, path, &[("x-auth-token", token)], None).await
    }

    pub async fn head(&self, token: &str, path: &str) -> Answer {
        self.request(Method::HEAD, path, &[("x-auth-token", token)], None).await
    }

    pub async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.request(Method::POST, path, &[("x-auth-token", token)], Some(body)).await
    }

    pub async fn patch(&self, token: &str, path: &str, body: Value) -> Answer {
        self.request(Method::PATCH, path, &[("x-auth-token", token)], Some(body)).await
    }

    pub async fn put(&self, token: &str, path: &str) -> Answer {
        self.request(Method::PUT, path, &[("x-auth-token", token)], None).await
    }

    pub async fn delete(&self, token: &str, path: &str) -> Answer {
        self.request(Method::DELETE, path, &[("x-auth-token", token)], None).await
    }

    pub async fn authenticate(&self, identity: Value, scope: Option<Value>) -> Answer {
        let mut auth = json!({"identity": identity});
        if let Some(scope) = scope {
            auth["scope"] = scope;
        }
        self.request(Method::POST, "/v3/auth/tokens", &[], Some(json!({"auth": auth}))).await
    }

    pub async fn login(&self, user: &str, password: &str, scope: Option<Value>) -> Answer {
        self.authenticate(by_password(user, password), scope).await
    }

    /// A token of the admin for project `admin`.
    pub async fn admin(&self) -> String {
        self.login("admin", PASSWORD, Some(project("admin"))).await.expect(201).token()
    }

    pub async fn validate(&self, token: &str, subject: &str) -> Answer {
        let headers = [("x-auth-token", token), ("x-subject-token", subject)];
        self.request(Method::GET, "/v3/auth/tokens", &headers, None).await
    }

    pub async fn make_user(&self, admin: &str, name: &str) -> String {
        let body = json!({"user": {"name": name, "password": "pw"}});
        self.post(admin, "/v3/users", body).await.expect(201).id("user")
    }

    pub async fn make_project(&self, admin: &str, name: &str) -> String {
        let body = json!({"project": {"name": name}});
        self.post(admin, "/v3/projects", body).await.expect(201).id("project")
    }

    pub async fn role(&self, admin: &str, name: &str) -> String {
        let list = self.get(admin, &format!("/v3/roles?name={name}")).await.expect(200);
        list.body["roles"][0]["id"].as_str().unwrap().to_owned()
    }

    /// Gives a user a role: `place` is `projects/<id>`, `domains/<id>` or `system`.
    pub async fn grant(&self, admin: &str, place: &str, user: &str, role: &str) {
        let role = self.role(admin, role).await;
        self.put(admin, &format!("/v3/{place}/users/{user}/roles/{role}")).await.expect(204);
    }

    /// A new user with one role on a new project; answers (user, project, token for it).
    pub async fn member(&self, admin: &str, name: &str, role: &str) -> (String, String, String) {
        let user = self.make_user(admin, name).await;
        let project_id = self.make_project(admin, &format!("{name}-project")).await;
        self.grant(admin, &format!("projects/{project_id}"), &user, role).await;
        let scope = json!({"project": {"id": project_id}});
        let token = self.login(name, "pw", Some(scope)).await.expect(201).token();
        (user, project_id, token)
    }
}

pub fn by_password(user: &str, password: &str) -> Value {
    json!({
        "methods": ["password"],
        "password": {"user": {"name": user, "domain": {"id": "default"}, "password": password}},
    })
}

pub fn by_token(token: &str) -> Value {
    json!({"methods": ["token"], "token": {"id": token}})
}

/// The scope of a project of the default domain.
pub fn project(name: &str) -> Value {
    json!({"project": {"name": name, "domain": {"name": "Default"}}})
}

pub fn system() -> Value {
    json!({"system": {"all": true}})
}
