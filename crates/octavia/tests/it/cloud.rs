//! One cloud per test: Neutron and Octavia over fake drivers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base::{Auth, DomainRef, Error, ProjectRef, Scope, UserRef};
use camino::Utf8PathBuf;
use host::fake::{FakeLoadBalancers, FakeNetwork};
use http::{Method, Request};
use octavia::Octavia;
use serde_json::{Value, json};
use tower::ServiceExt;
use web::Verify;

/// Tokens are names: `admin`, `alice` and `bob` (members of projects of those names), `rita` (reader of alice's), `lbm`
/// (has Octavia's own member role there).
fn auth(token: &str) -> Option<Auth> {
    let (project, roles): (_, &[&str]) = match token {
        "admin" => ("admin", &["admin", "member", "reader"]),
        "alice" | "bob" => (token, &["member", "reader"]),
        "rita" => ("alice", &["reader"]),
        "lbm" => ("alice", &["load-balancer_member"]),
        _ => return None,
    };
    let domain = DomainRef { id: "default".into(), name: "Default".into() };
    Some(Auth {
        user: UserRef { id: token.into(), name: token.into(), domain: domain.clone() },
        scope: Scope::Project(ProjectRef { id: project.into(), name: project.into(), domain }),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        expires_at: jiff::Timestamp::MAX,
        is_admin: roles.contains(&"admin"),
    })
}

struct FakeGate;

#[async_trait]
impl Verify for FakeGate {
    async fn verify(&self, token: &str) -> Result<Arc<Auth>, Error> {
        auth(token).map(Arc::new).ok_or_else(|| Error::unauthorized("no"))
    }
}

pub struct Cloud {
    pub app: Arc<Octavia>,
    pub host: Arc<FakeLoadBalancers>,
    router: web::Router,
    network: web::Router,
    secrets: web::Router,
    _dir: tempfile::TempDir,
}

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

    #[track_caller]
    pub fn refused(self, status: u16, words: &str) {
        assert_eq!((self.status, self.body["faultstring"].as_str()), (status, Some(words)), "{}", self.body);
        assert_eq!((&self.body["faultcode"], &self.body["debuginfo"]), (&json!("Client"), &Value::Null));
    }
}

impl Cloud {
    pub async fn start() -> Cloud {
        let cloud = Self::idle().await;
        cloud.app.start().await;
        cloud
    }

    /// Nobody makes anything real.
    pub async fn idle() -> Cloud {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("c.db")).unwrap();
        let db = Arc::new(db::Db::open_file(&path).await.unwrap());
        db.migrate(&[barbican::MIGRATIONS, neutron::MIGRATIONS, octavia::MIGRATIONS]).await.unwrap();
        let config = neutron::Config {
            host: "box".into(),
            external_gateway_hosts: true,
            dns_domain: String::new(),
            default_mtu: 1450,
            quotas: vec![("trunk".into(), 7)],
        };
        let networks = Arc::new(FakeNetwork::new(Duration::ZERO));
        let neutron = neutron::Neutron::new(db.clone(), networks, config);
        neutron.start().await;
        let host = Arc::new(FakeLoadBalancers::new(Duration::ZERO));
        let keys = Utf8PathBuf::from_path_buf(dir.path().join("secrets.key")).unwrap();
        let barbican = barbican::Barbican::open(db.clone(), &keys).await.unwrap();
        let app = Octavia::new(db, neutron.clone(), barbican.clone(), host.clone());
        let gate: web::Gate = Arc::new(FakeGate);
        let (router, network) = (app.router(gate.clone()), neutron.router(gate.clone()));
        Cloud { app, host, router, network, secrets: barbican.router(gate), _dir: dir }
    }

    async fn send(
        router: &web::Router,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let request = Request::builder()
            .method(method.parse::<Method>().unwrap())
            .uri(path)
            .header("x-auth-token", token)
            .header("host", "cloud.example:5000")
            .header("content-type", "application/json")
            .body(body.map_or_else(web::axum::body::Body::empty, |b| b.to_string().into()))
            .unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = web::axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Answer { status, body }
    }

    pub async fn call(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let path = format!("/v2/lbaas/{path}");
        Self::send(&self.router, token, method, &path, body).await
    }

    pub async fn raw(&self, path: &str) -> Answer {
        self.raw_as("alice", "GET", path).await
    }

    pub async fn raw_as(&self, token: &str, method: &str, path: &str) -> Answer {
        Self::send(&self.router, token, method, path, None).await
    }

    pub async fn get(&self, path: &str) -> Value {
        self.call("alice", "GET", path, None).await.ok(200)
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("alice", "POST", path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.call("alice", "PUT", path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call("alice", "DELETE", path, None).await
    }

    pub async fn neutron(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.neutron_as("alice", method, path, body).await
    }

    pub async fn neutron_as(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        Self::send(&self.network, token, method, &format!("/v2.0/{path}"), body).await
    }

    /// In the key manager: what a POST of a noun made is referred to by.
    pub async fn keep(&self, token: &str, noun: &str, body: Value) -> String {
        let path = format!("/v1/{noun}s");
        let made = Self::send(&self.secrets, token, "POST", &path, Some(body)).await.ok(201);
        made[format!("{noun}_ref")].as_str().unwrap().to_owned()
    }

    pub async fn drop_secret(&self, token: &str, reference: &str) {
        let (_, id) = reference.rsplit_once('/').unwrap();
        let answer = Self::send(&self.secrets, token, "DELETE", &format!("/v1/secrets/{id}"), None).await;
        assert_eq!(answer.status, 204);
    }

    /// A subnet 10.0.0.0/24 of alice's: (network, subnet).
    pub async fn subnet(&self) -> (String, String) {
        let network = json!({"network": {"name": "net"}});
        let network = id(&self.neutron("POST", "networks", Some(network)).await.ok(201)["network"]);
        let subnet = json!({"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24"}});
        let subnet = id(&self.neutron("POST", "subnets", Some(subnet)).await.ok(201)["subnet"]);
        (network, subnet)
    }

    /// A load balancer that is there.
    pub async fn balancer(&self) -> String {
        let (_, subnet) = self.subnet().await;
        let body = json!({"loadbalancer": {"name": "lb", "vip_subnet_id": subnet}});
        let id = id(&self.post("loadbalancers", body).await.ok(201)["loadbalancer"]);
        self.active(&id).await;
        id
    }

    /// Makes one of a load balancer's nodes and waits until the load balancer may be changed again.
    pub async fn make(&self, balancer: &str, collection: &str, member: &str, fields: Value) -> Value {
        let made = self.post(collection, json!({ member: fields })).await.ok(201)[member].clone();
        assert_eq!(made["provisioning_status"], "PENDING_CREATE");
        self.active(balancer).await;
        made
    }

    pub async fn active(&self, balancer: &str) {
        self.until(
            &format!("loadbalancers/{balancer}"),
            "/loadbalancer/provisioning_status",
            json!("ACTIVE"),
        )
        .await;
    }

    pub async fn until(&self, path: &str, pointer: &str, value: Value) {
        let mut last = Value::Null;
        for _ in 0..600 {
            last = self.call("alice", "GET", path, None).await.body;
            if last.pointer(pointer) == Some(&value) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{path}: {pointer} never became {value}: {last}");
    }
}

pub fn id(resource: &Value) -> String {
    resource["id"].as_str().unwrap().to_owned()
}
