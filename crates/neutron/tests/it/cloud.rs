//! One cloud per test.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base::{Auth, Ctx, DomainRef, Error, ProjectRef, Scope, UserRef};
use camino::Utf8PathBuf;
use host::plan::{NetworkPlan, PortPlan, RouterPlan};
use host::{MetadataSource, Present};
use http::{Method, Request};
use neutron::{Config, Neutron};
use serde_json::{Value, json};
use tower::ServiceExt;
use web::Verify;

/// The host's networks: what was applied last, and how often anything was.
#[derive(Default)]
pub struct Recorder {
    pub networks: Mutex<BTreeMap<String, NetworkPlan>>,
    pub routers: Mutex<BTreeMap<String, RouterPlan>>,
    /// Ids in the order they were applied.
    pub applied: Mutex<Vec<String>>,
    /// Network -> subports that it cannot serve, and why.
    pub unserved: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    /// While this is set, everything fails with it.
    pub failing: Mutex<Option<String>>,
    /// How long a router takes.
    pub slowness: Mutex<Duration>,
}

impl Recorder {
    fn check(&self) -> host::Result<()> {
        match &*self.failing.lock().unwrap() {
            Some(reason) => Err(host::Error::Refused(reason.clone())),
            None => Ok(()),
        }
    }

    pub fn network(&self, id: &str) -> Option<NetworkPlan> {
        self.networks.lock().unwrap().get(id).cloned()
    }

    pub fn router(&self, id: &str) -> Option<RouterPlan> {
        self.routers.lock().unwrap().get(id).cloned()
    }

    pub fn port(&self, network: &str, port: &str) -> Option<PortPlan> {
        self.network(network)?.ports.into_iter().find(|p| p.id == port)
    }

    /// How often this one was applied.
    pub fn times(&self, id: &str) -> usize {
        self.applied.lock().unwrap().iter().filter(|a| *a == id).count()
    }
}

#[async_trait]
impl host::Network for Recorder {
    async fn apply_network(&self, plan: &NetworkPlan) -> host::Result<()> {
        self.check()?;
        self.applied.lock().unwrap().push(plan.id.clone());
        self.networks.lock().unwrap().insert(plan.id.clone(), plan.clone());
        Ok(())
    }

    fn unserved(&self, network_id: &str) -> BTreeMap<String, String> {
        self.unserved.lock().unwrap().get(network_id).cloned().unwrap_or_default()
    }

    async fn remove_network(&self, id: &str) -> host::Result<()> {
        self.check()?;
        self.networks.lock().unwrap().remove(id);
        Ok(())
    }

    async fn apply_router(&self, plan: &RouterPlan) -> host::Result<()> {
        let slowness = *self.slowness.lock().unwrap();
        tokio::time::sleep(slowness).await;
        self.check()?;
        let gateway = plan.gateway.iter().map(|g| &g.port);
        for port in plan.interfaces.iter().chain(gateway) {
            if self.network(&port.network_id).is_none() {
                return Err(host::Error::Refused(format!("network {} is not there yet", port.network_id)));
            }
        }
        self.applied.lock().unwrap().push(plan.id.clone());
        self.routers.lock().unwrap().insert(plan.id.clone(), plan.clone());
        Ok(())
    }

    async fn remove_router(&self, id: &str) -> host::Result<()> {
        self.check()?;
        self.routers.lock().unwrap().remove(id);
        Ok(())
    }

    async fn list(&self) -> host::Result<Present> {
        Ok(Present {
            networks: self.networks.lock().unwrap().keys().cloned().collect(),
            routers: self.routers.lock().unwrap().keys().cloned().collect(),
        })
    }

    fn serve_metadata(&self, _: Arc<dyn MetadataSource>) {}
}

/// Tokens are names: `admin`, `alice` and `bob` (members of projects of those names), `rita` and `mona` (reader and manager
/// of alice's).
pub fn auth(token: &str) -> Option<Auth> {
    let (project, role) = match token {
        "admin" => ("admin", "admin"),
        "alice" | "bob" => (token, "member"),
        "rita" => ("alice", "reader"),
        "mona" => ("alice", "manager"),
        _ => return None,
    };
    let domain = DomainRef { id: "default".into(), name: "Default".into() };
    let implied = ["admin", "manager", "member", "reader"];
    let roles = implied.iter().skip_while(|r| **r != role).map(|r| (*r).to_owned()).collect();
    Some(Auth {
        user: UserRef { id: token.into(), name: token.into(), domain: domain.clone() },
        scope: Scope::Project(ProjectRef { id: project.into(), name: project.into(), domain }),
        roles,
        expires_at: jiff::Timestamp::MAX,
        is_admin: role == "admin",
    })
}

struct FakeGate;

#[async_trait]
impl Verify for FakeGate {
    async fn verify(&self, token: &str) -> Result<Arc<Auth>, Error> {
        auth(token).map(Arc::new).ok_or_else(|| Error::unauthorized("no"))
    }
}

pub fn ctx(token: &str) -> Ctx {
    let mut ctx = Ctx::internal("test");
    ctx.auth = Arc::new(auth(token).unwrap());
    ctx
}

pub struct Cloud {
    pub app: Arc<Neutron>,
    pub host: Arc<Recorder>,
    pub db: Arc<db::Db>,
    /// The external network.
    pub public: String,
    router: web::Router,
    _dir: tempfile::TempDir,
}

/// A status and a body.
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    #[track_caller]
    pub fn ok(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// The type of the error.
    #[track_caller]
    pub fn refused(self, status: u16, kind: &str) -> String {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.body["NeutronError"]["type"], kind, "{}", self.body);
        assert_eq!(self.body["NeutronError"]["detail"], "");
        self.body["NeutronError"]["message"].as_str().unwrap().to_owned()
    }
}

impl Cloud {
    pub async fn start() -> Cloud {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("c.db")).unwrap();
        let db = Arc::new(db::Db::open_file(&path).await.unwrap());
        db.migrate(&[neutron::MIGRATIONS]).await.unwrap();
        let host = Arc::new(Recorder::default());
        let config = Config {
            host: "box".into(),
            external_gateway_hosts: true,
            dns_domain: "cloud.internal".into(),
            default_mtu: 1450,
            quotas: vec![("trunk".into(), 7)],
        };
        let app = Neutron::new(db.clone(), host.clone(), config);
        app.start().await;
        let ip = |text: &str| text.parse().unwrap();
        let public = app
            .ensure_external(
                &Ctx::internal("test"),
                "public",
                "172.24.4.0/24".parse().unwrap(),
                ip("172.24.4.1"),
                (ip("172.24.4.2"), ip("172.24.4.254")),
                None,
            )
            .await
            .unwrap();
        let router = app.router(Arc::new(FakeGate));
        Cloud { app, host, db, public, router, _dir: dir }
    }

    pub async fn call(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.send(token, method, path, body, None).await
    }

    /// With an `If-Match`.
    pub async fn demanding(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
        demand: &str,
    ) -> Answer {
        self.send(token, method, path, body, Some(demand)).await
    }

    async fn send(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
        demand: Option<&str>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method.parse::<Method>().unwrap())
            .uri(path)
            .header("x-auth-token", token)
            .header("host", "cloud.example:5000");
        if let Some(demand) = demand {
            request = request.header("if-match", demand);
        }
        let request =
            request.body(body.map_or_else(web::axum::body::Body::empty, |b| b.to_string().into())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = web::axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Answer { status, body }
    }

    pub async fn get(&self, token: &str, path: &str) -> Answer {
        self.call(token, "GET", path, None).await
    }

    pub async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.call(token, "POST", path, Some(body)).await
    }

    pub async fn put(&self, token: &str, path: &str, body: Value) -> Answer {
        self.call(token, "PUT", path, Some(body)).await
    }

    pub async fn delete(&self, token: &str, path: &str) -> Answer {
        self.call(token, "DELETE", path, None).await
    }

    /// Makes a `member` of `collection` for alice and answers it.
    pub async fn make(&self, collection: &str, member: &str, attributes: Value) -> Value {
        self.make_as("alice", collection, member, attributes).await
    }

    pub async fn make_as(&self, token: &str, collection: &str, member: &str, attributes: Value) -> Value {
        let body = json!({ member: attributes });
        self.post(token, &format!("/v2.0/{collection}"), body).await.ok(201)[member].clone()
    }

    pub async fn network(&self, name: &str) -> String {
        id(&self.make("networks", "network", json!({ "name": name })).await)
    }

    pub async fn subnet(&self, network: &str, cidr: &str) -> Value {
        self.make("subnets", "subnet", json!({"network_id": network, "ip_version": 4, "cidr": cidr})).await
    }

    pub async fn port(&self, network: &str) -> Value {
        self.make("ports", "port", json!({ "network_id": network })).await
    }

    /// A network with a subnet behind a router with a gateway: (network, subnet, router).
    pub async fn behind_router(&self, cidr: &str) -> (String, String, String) {
        let network = self.network("inner").await;
        let subnet = id(&self.subnet(&network, cidr).await);
        let gateway = json!({"name": "r", "external_gateway_info": {"network_id": self.public}});
        let router = id(&self.make("routers", "router", gateway).await);
        let path = format!("/v2.0/routers/{router}/add_router_interface");
        self.put("alice", &path, json!({ "subnet_id": subnet })).await.ok(200);
        (network, subnet, router)
    }

    /// Waits until what `look` sees is true.
    pub async fn until<R: Future<Output = bool>>(&self, what: &str, look: impl Fn() -> R) {
        for _ in 0..1000 {
            if look().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("never came true: {what}");
    }

    /// Waits until `path` shows that value at `/member/attribute`.
    pub async fn until_shows(&self, path: &str, pointer: &str, value: Value) {
        let what = format!("{path} {pointer} = {value}");
        self.until(&what, || async { self.get("admin", path).await.body.pointer(pointer) == Some(&value) })
            .await;
    }
}

pub fn id(resource: &Value) -> String {
    resource["id"].as_str().unwrap().to_owned()
}

/// The addresses of a port.
pub fn addresses(port: &Value) -> Vec<String> {
    let ips = port["fixed_ips"].as_array().unwrap();
    ips.iter().map(|ip| ip["ip_address"].as_str().unwrap().to_owned()).collect()
}

pub fn ids(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(id).collect()
}
