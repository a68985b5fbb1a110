//! A Placement to ask.

use std::sync::Arc;

use async_trait::async_trait;
use base::{Auth, Ctx, DomainRef, Error, ProjectRef, Scope};
use camino::Utf8PathBuf;
use http::{HeaderMap, Request};
use placement::Placement;
use serde_json::Value;
use tower::ServiceExt;
use web::Verify;

/// `admin`, `service`, `reader@p1`: the token is its own description.
struct Gate;

#[async_trait]
impl Verify for Gate {
    async fn verify(&self, token: &str) -> Result<Arc<Auth>, Error> {
        let mut auth = (*Ctx::internal("test").auth).clone();
        let (role, project) = token.split_once('@').unwrap_or((token, "admins"));
        let domain = DomainRef { id: "default".into(), name: "Default".into() };
        auth.roles = vec![role.into()];
        auth.is_admin = role == "admin";
        auth.scope = Scope::Project(ProjectRef { id: project.into(), name: project.into(), domain });
        Ok(Arc::new(auth))
    }
}

pub struct Cloud {
    pub placement: Arc<Placement>,
    router: web::Router,
    _dir: tempfile::TempDir,
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// The fault's code and detail.
    pub fn fault(&self) -> (String, String) {
        let fault = &self.body["errors"][0];
        let text = |key: &str| fault[key].as_str().unwrap_or_default().trim_end().to_owned();
        (text("code"), text("detail"))
    }
}

impl Cloud {
    pub async fn start() -> Cloud {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("test.db")).unwrap();
        let db = Arc::new(db::Db::open_file(&path).await.unwrap());
        db.migrate(&[placement::MIGRATIONS]).await.unwrap();
        let placement = Placement::new(db);
        let router = placement.router(Arc::new(Gate));
        Cloud { placement, router, _dir: dir }
    }

    pub async fn ask(&self, request: Request<String>) -> Answer {
        let request = request.map(web::axum::body::Body::from);
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = web::axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Answer { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }

    /// As the service user, at the given version (`1.39`).
    pub async fn call(&self, version: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("x-auth-token", "service")
            .header("openstack-api-version", format!("placement {version}"));
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        self.ask(request.body(body.map(|b| b.to_string()).unwrap_or_default()).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("1.39", "GET", path, None).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.call("1.39", "PUT", path, Some(body)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("1.39", "POST", path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call("1.39", "DELETE", path, None).await
    }

    /// A provider with an inventory of each class.
    pub async fn provider(&self, name: &str, parent: Option<&str>, has: &[(&str, i64)]) -> String {
        let mut body = serde_json::json!({"name": name});
        if let Some(parent) = parent {
            body["parent_provider_uuid"] = parent.into();
        }
        let made = self.post("/resource_providers", body).await.is(200);
        let uuid = made.body["uuid"].as_str().unwrap().to_owned();
        let inventories: serde_json::Map<String, Value> =
            has.iter().map(|(c, n)| ((*c).to_owned(), serde_json::json!({"total": n}))).collect();
        if !inventories.is_empty() {
            let body = serde_json::json!({"resource_provider_generation": 0, "inventories": inventories});
            self.put(&format!("/resource_providers/{uuid}/inventories"), body).await.is(200);
        }
        uuid
    }
}
