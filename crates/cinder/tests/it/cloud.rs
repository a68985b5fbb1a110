//! A Cinder to ask.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barbican::Barbican;
use base::{Auth, Ctx, DomainRef, Error, ProjectRef, Scope};
use camino::Utf8PathBuf;
use cinder::{Cinder, Config};
use glance::Glance;
use host::fake::FakeVolumes;
use http::{HeaderMap, Request};
use serde_json::{Value, json};
use tower::ServiceExt;
use web::Verify;
use web::axum::body::Body;

/// `admin`, `member@p1`, `reader@p2`: the token is its own description.
struct Gate;

pub fn auth(token: &str) -> Auth {
    let mut auth = (*Ctx::internal("test").auth).clone();
    let (role, project) = token.split_once('@').unwrap_or((token, "ad"));
    let domain = DomainRef { id: "default".into(), name: "Default".into() };
    auth.roles = match role {
        "member" => vec!["member".into(), "reader".into()],
        "admin" => vec!["admin".into(), "member".into(), "reader".into()],
        other => vec![other.into()],
    };
    auth.is_admin = role == "admin";
    auth.scope = Scope::Project(ProjectRef { id: project.into(), name: project.into(), domain });
    auth
}

pub fn ctx(token: &str) -> Ctx {
    Ctx { auth: Arc::new(auth(token)), ..Ctx::internal("test") }
}

#[async_trait]
impl Verify for Gate {
    async fn verify(&self, token: &str) -> Result<Arc<Auth>, Error> {
        Ok(Arc::new(auth(token)))
    }
}

pub struct Cloud {
    pub cinder: Arc<Cinder>,
    pub glance: Arc<Glance>,
    pub barbican: Arc<Barbican>,
    pub db: Arc<db::Db>,
    pub driver: Arc<FakeVolumes>,
    router: web::Router,
    dir: Utf8PathBuf,
    _dir: Option<tempfile::TempDir>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// Of the fault.
    pub fn message(&self) -> &str {
        let fault = self.body.as_object().and_then(|map| map.values().next());
        fault.and_then(|fault| fault["message"].as_str()).unwrap_or_default()
    }

    /// Of the only thing in the body.
    pub fn id(&self) -> String {
        self.body.as_object().unwrap().values().next().unwrap()["id"].as_str().unwrap().to_owned()
    }

    pub fn ids(&self, collection: &str) -> Vec<String> {
        let all = self.body[collection].as_array().unwrap();
        all.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    }
}

impl Cloud {
    pub async fn start() -> Cloud {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        let mut cloud = Self::open(path, Arc::new(FakeVolumes::new(Duration::ZERO)), true).await;
        cloud._dir = Some(dir);
        cloud
    }

    /// `working` false: nothing happens but what calls do themselves.
    async fn open(dir: Utf8PathBuf, driver: Arc<FakeVolumes>, working: bool) -> Cloud {
        let db = Arc::new(db::Db::open(&dir.join("test.db"), db::Commits::Quick).await.unwrap());
        db.migrate(&[barbican::MIGRATIONS, glance::MIGRATIONS, cinder::MIGRATIONS]).await.unwrap();
        let glance = Glance::new(db.clone(), dir.join("images")).await.unwrap();
        let barbican = Barbican::open(db.clone(), &dir.join("secrets.key")).await.unwrap();
        let config = Config { host: "machine".into(), availability_zone: "nova".into() };
        let cinder = Cinder::new(db.clone(), glance.clone(), barbican.clone(), driver.clone(), config);
        let cinder = cinder.await.unwrap();
        glance.serve_keys(cinder.clone());
        if working {
            cinder.start().await;
        }
        let router = cinder.router(Arc::new(Gate));
        Cloud { cinder, glance, barbican, db, driver, router, dir, _dir: None }
    }

    /// As after a kill: another process with the same rows and files.
    pub async fn again(mut self) -> Cloud {
        self.cinder.stop();
        let mut cloud = Self::open(self.dir.clone(), self.driver.clone(), true).await;
        cloud._dir = self._dir.take();
        cloud
    }

    pub async fn ask(&self, who: &str, method: &str, path: &str, body: Value) -> Answer {
        self.ask_at(who, "3.70", method, path, body).await
    }

    pub async fn ask_at(&self, who: &str, version: &str, method: &str, path: &str, body: Value) -> Answer {
        self.ask_with(who, &[("openstack-api-version", &format!("volume {version}"))], method, path, body)
            .await
    }

    pub async fn ask_with(
        &self,
        who: &str,
        headers: &[(&str, &str)],
        method: &str,
        path: &str,
        body: Value,
    ) -> Answer {
        let request = Request::builder().method(method).uri(path).header("x-auth-token", who);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = request.header("content-type", "application/json").body(body).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = web::axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Answer { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }

    pub async fn delete_image(&self, who: &str, id: &str) {
        let request = Request::builder().method("DELETE").uri(format!("/v2/images/{id}"));
        let request = request.header("x-auth-token", who).body(Body::empty()).unwrap();
        let response = self.glance.router(Arc::new(Gate)).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 204);
    }

    pub async fn get(&self, who: &str, path: &str) -> Answer {
        self.ask(who, "GET", path, Value::Null).await
    }

    pub async fn delete(&self, who: &str, path: &str) -> Answer {
        self.ask(who, "DELETE", path, Value::Null).await
    }

    pub async fn post(&self, who: &str, path: &str, body: Value) -> Answer {
        self.ask(who, "POST", path, body).await
    }

    pub async fn act(&self, who: &str, id: &str, body: Value) -> Answer {
        self.post(who, &format!("/v3/volumes/{id}/action"), body).await
    }

    /// An available one.
    pub async fn volume(&self, who: &str, also: Value) -> String {
        let mut body = json!({"size": 1});
        body.as_object_mut().unwrap().extend(also.as_object().unwrap().clone());
        let id = self.post(who, "/v3/volumes", json!({ "volume": body })).await.is(202).id();
        self.until(&id, "available").await;
        id
    }

    pub async fn snapshot(&self, who: &str, volume: &str) -> String {
        let body = json!({"snapshot": {"volume_id": volume, "name": "s"}});
        let id = self.post(who, "/v3/snapshots", body).await.is(202).id();
        self.settled(&format!("/v3/snapshots/{id}"), "/snapshot/status", "available").await;
        id
    }

    pub async fn until(&self, id: &str, status: &str) -> Value {
        self.settled(&format!("/v3/volumes/{id}"), "/volume/status", status).await
    }

    /// Looks until it is as wanted.
    pub async fn settled(&self, path: &str, place: &str, wanted: &str) -> Value {
        let mut seen = Value::Null;
        for _ in 0..1000 {
            seen = self.get("admin", path).await.is(200).body;
            if seen.pointer(place).is_some_and(|value| value == wanted) {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{path} did not become {wanted}: {seen}");
    }

    /// Looks until there are so many files.
    pub async fn files(&self, wanted: usize) {
        use host::Volumes;
        for _ in 0..6000 {
            if self.driver.list().await.unwrap().len() == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("there are {:?}, not {wanted}", self.driver.list().await.unwrap());
    }

    /// A raw image of half a GiB of nothing, as far as anybody looks.
    pub async fn image(&self, who: &str) -> String {
        let body = json!({"name": "i", "disk_format": "raw", "container_format": "bare", "color": "red", "min_disk": 1});
        let ctx = ctx(who);
        let image = self.glance.plan_image(&ctx, &body).unwrap();
        let project = image.owner.clone().unwrap();
        db::write!(self.db, |tx| self.glance.insert_image(tx, &ctx, &image, &project).await).unwrap();
        let file = self.glance.scratch_file(&image.id, "test");
        std::fs::write(&file, vec![7; 4096]).unwrap();
        self.glance.fill_image(&ctx, &image.id, "raw", &file).await.unwrap();
        image.id
    }
}
