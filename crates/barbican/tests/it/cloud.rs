//! A Barbican to ask.

use std::sync::Arc;

use async_trait::async_trait;
use barbican::Barbican;
use base::{Auth, Ctx, DomainRef, Error, ProjectRef, Scope};
use bytes::Bytes;
use camino::Utf8PathBuf;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use web::Verify;
use web::axum::body::Body;

/// `ann:member@p1`: the token is its own description.
struct Gate;

#[async_trait]
impl Verify for Gate {
    async fn verify(&self, token: &str) -> Result<Arc<Auth>, Error> {
        let mut auth = (*Ctx::internal("test").auth).clone();
        let (user, rest) = token.split_once(':').unwrap_or(("ann", token));
        let (role, project) = rest.split_once('@').unwrap_or((rest, "p1"));
        let domain = DomainRef { id: "default".into(), name: "Default".into() };
        auth.user.id = user.into();
        auth.roles = match role {
            "member" => vec!["member".into(), "reader".into()],
            "admin" => vec!["admin".into(), "member".into(), "reader".into()],
            other => vec![other.into()],
        };
        auth.is_admin = role == "admin";
        auth.scope = match project {
            "system" => Scope::System,
            _ => Scope::Project(ProjectRef { id: project.into(), name: project.into(), domain }),
        };
        Ok(Arc::new(auth))
    }
}

pub struct Cloud {
    pub dir: Utf8PathBuf,
    router: web::Router,
    _dir: tempfile::TempDir,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Bytes,
    pub body: Value,
}

impl Answer {
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        self
    }

    /// As Barbican's faults say it.
    pub fn description(&self) -> &str {
        self.body["description"].as_str().unwrap_or_default()
    }

    /// The path of what a reference leads to.
    pub fn path(&self, key: &str) -> String {
        let url = self.body[key].as_str().unwrap();
        url.split_once("/key-manager").unwrap().1.to_owned()
    }
}

impl Cloud {
    pub async fn start() -> Cloud {
        let temporary = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::from_path_buf(temporary.path().to_owned()).unwrap();
        let router = Self::opened(&dir).await.unwrap();
        Cloud { dir, router, _dir: temporary }
    }

    /// Another process over the same files.
    async fn opened(dir: &Utf8PathBuf) -> Result<web::Router, Error> {
        let db = Arc::new(db::Db::open_file(&dir.join("c.db")).await.unwrap());
        db.migrate(&[barbican::MIGRATIONS]).await.unwrap();
        Ok(Barbican::open(db, &dir.join("secrets.key")).await?.router(Arc::new(Gate)))
    }

    pub async fn restart(&mut self) -> Result<(), Error> {
        self.router = Self::opened(&self.dir).await?;
        Ok(())
    }

    pub async fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "cloud");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: parts.status.as_u16(), headers: parts.headers, bytes, body }
    }

    pub async fn call(&self, token: &str, method: &str, path: &str, body: Value) -> Answer {
        let headers = [
            ("x-auth-token", token),
            ("content-type", "application/json"),
            ("openstack-api-version", "key-manager 1.2"),
        ];
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.raw(method, path, &headers, body).await
    }

    pub async fn get(&self, token: &str, path: &str) -> Answer {
        self.call(token, "GET", path, Value::Null).await
    }

    pub async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.call(token, "POST", path, body).await
    }

    /// The payload as that type.
    pub async fn payload(&self, token: &str, secret: &str, accept: &str) -> Answer {
        let headers = [("x-auth-token", token), ("accept", accept)];
        self.raw("GET", &format!("{secret}/payload"), &headers, vec![]).await
    }

    /// The path of a new secret.
    pub async fn secret(&self, token: &str, body: Value) -> String {
        self.post(token, "/v1/secrets", body).await.is(201).path("secret_ref")
    }
}
