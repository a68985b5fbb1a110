//! A Glance to ask.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base::{Auth, Ctx, DomainRef, Error, ProjectRef, Scope};
use bytes::Bytes;
use camino::Utf8PathBuf;
use glance::{Config, DownloadRules, Glance, Store};
use http::{HeaderMap, Request};
use serde_json::{Value, json};
use tower::ServiceExt;
use web::Verify;
use web::axum::body::Body;

/// `admin`, `member@p1`, `reader@p2`, `admin@system`: the token is its own description.
struct Gate;

#[async_trait]
impl Verify for Gate {
    async fn verify(&self, token: &str) -> Result<Arc<Auth>, Error> {
        let mut auth = (*Ctx::internal("test").auth).clone();
        let (role, project) = token.split_once('@').unwrap_or((token, "admins"));
        let domain = DomainRef { id: "default".into(), name: "Default".into() };
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
    pub glance: Arc<Glance>,
    pub dir: Utf8PathBuf,
    router: web::Router,
    _dir: Option<tempfile::TempDir>,
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

    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default().trim_end_matches("<br /><br />\n\n\n")
    }

    pub fn id(&self) -> String {
        self.body["id"].as_str().unwrap().to_owned()
    }

    /// Ids of a list of images.
    pub fn ids(&self) -> Vec<&str> {
        self.body["images"].as_array().unwrap().iter().map(|i| i["id"].as_str().unwrap()).collect()
    }
}

pub fn config(dir: &Utf8PathBuf) -> Config {
    let store = |id: &str| Store { id: id.into(), description: String::new(), dir: dir.join(id) };
    Config {
        stores: vec![store("file"), store("second")],
        download: DownloadRules { allowed: vec!["127.0.0.0/8".parse().unwrap()], ..DownloadRules::default() },
        ..Config::at(dir.join("file"))
    }
}

impl Cloud {
    pub async fn start() -> Cloud {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Cloud {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        let mut config = config(&path);
        change(&mut config);
        let mut cloud = Self::open(path, config).await;
        cloud._dir = Some(dir);
        cloud
    }

    async fn open(dir: Utf8PathBuf, config: Config) -> Cloud {
        let db = Arc::new(db::Db::open_file(&dir.join("test.db")).await.unwrap());
        db.migrate(&[glance::MIGRATIONS]).await.unwrap();
        let glance = Glance::open(db, config).await.unwrap();
        glance.start().await;
        let router = glance.router(Arc::new(Gate));
        Cloud { glance, dir, router, _dir: None }
    }

    /// As after a kill: another process on the same directory.
    pub async fn again(self) -> Cloud {
        self.glance.stop();
        let mut cloud = Self::open(self.dir.clone(), config(&self.dir)).await;
        cloud._dir = self._dir;
        cloud
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = web::axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status, headers, bytes, body }
    }

    pub async fn ask(&self, who: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let kind = match method {
            "PATCH" => "application/openstack-images-v2.1-json-patch",
            _ => "application/json",
        };
        let request = Request::builder().method(method).uri(path).header("x-auth-token", who);
        let body = body.map_or_else(Body::empty, |b| Body::from(b.to_string()));
        self.send(request.header("content-type", kind).body(body).unwrap()).await
    }

    pub async fn get(&self, who: &str, path: &str) -> Answer {
        self.ask(who, "GET", path, None).await
    }

    pub async fn put_data(&self, who: &str, path: &str, bytes: impl Into<Body>) -> Answer {
        let request = Request::builder().method("PUT").uri(path).header("x-auth-token", who);
        self.send(request.header("content-type", "application/octet-stream").body(bytes.into()).unwrap())
            .await
    }

    /// A queued raw image; answers its path.
    pub async fn image(&self, who: &str, also: Value) -> String {
        let mut body = json!({"name": "a", "disk_format": "raw", "container_format": "bare"});
        body.as_object_mut().unwrap().extend(also.as_object().unwrap().clone());
        let made = self.ask(who, "POST", "/v2/images", Some(body)).await.is(201);
        format!("/v2/images/{}", made.id())
    }

    /// An active one.
    pub async fn active(&self, who: &str, also: Value) -> String {
        let path = self.image(who, also).await;
        self.put_data(who, &format!("{path}/file"), "data").await.is(204);
        path
    }

    /// Looks at an image until it is as wanted.
    pub async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..500 {
            let seen = self.get("admin", path).await.is(200).body;
            if wanted(&seen) {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{path} did not become as wanted: {}", self.get("admin", path).await.body);
    }
}
