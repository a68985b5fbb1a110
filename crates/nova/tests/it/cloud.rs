//! The services that servers need, joined as the binary joins them, and a client of a few lines.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base::{Auth, Ctx, DomainRef, Error, ProjectRef, Scope, UserRef};
use camino::Utf8PathBuf;
use host::fake::{FakeHypervisor, FakeNetwork, FakeOptions, FakeVolumes};
use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use web::axum::body::{Body, to_bytes};

pub struct Cloud {
    pub nova: Arc<nova::Nova>,
    pub placement: Arc<placement::Placement>,
    pub hypervisor: Arc<FakeHypervisor>,
    pub network: Arc<FakeNetwork>,
    pub barbican: Arc<barbican::Barbican>,
    pub db: Arc<db::Db>,
    router: web::Router,
    pub dir: Arc<tempfile::TempDir>,
}

/// A token is `<project>` for a member of it or `admin:<project>` for an admin in it.
struct Tokens;

#[async_trait]
impl web::Verify for Tokens {
    async fn verify(&self, token: &str) -> Result<Arc<Auth>, Error> {
        let domain = DomainRef { id: "default".into(), name: "Default".into() };
        let (admin, project) = token.strip_prefix("admin:").map_or((false, token), |p| (true, p));
        let mut roles = vec!["member".to_owned(), "reader".to_owned()];
        if admin {
            roles.push("admin".into());
        }
        Ok(Arc::new(Auth {
            user: UserRef {
                id: format!("user-{token}").replace(':', "-"),
                name: token.into(),
                domain: domain.clone(),
            },
            scope: Scope::Project(ProjectRef { id: project.into(), name: project.into(), domain }),
            roles,
            expires_at: jiff::Timestamp::MAX,
            is_admin: admin,
        }))
    }
}

pub const ADMIN: &str = "admin:ops";
pub const PROVIDER: &str = "5f0a4e3c-2f6e-4a77-9d0a-3b8f0f2f6a11";

pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Value,
}

impl Answer {
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// The message of Nova's fault with this name.
    #[track_caller]
    pub fn fault(self, status: u16, name: &str) -> String {
        let body = self.expect(status);
        assert_eq!(body[name]["code"], status, "{body}");
        body[name]["message"].as_str().unwrap().to_owned()
    }
}

impl Cloud {
    pub async fn start() -> Cloud {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let hypervisor = Arc::new(FakeHypervisor::new(FakeOptions::default()).unwrap());
        Self::start_on(dir, hypervisor, Arc::new(FakeNetwork::new(Duration::ZERO))).await
    }

    /// Services over an existing directory and machine: what a restart of the daemon is.
    pub async fn start_on(
        dir: Arc<tempfile::TempDir>,
        hypervisor: Arc<FakeHypervisor>,
        network: Arc<FakeNetwork>,
    ) -> Cloud {
        Self::start_with(dir, hypervisor, network, None).await
    }

    /// One whose deleted servers can be restored for so long.
    pub async fn start_forgiving(reclaim: Duration) -> Cloud {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let hypervisor = Arc::new(FakeHypervisor::new(FakeOptions::default()).unwrap());
        Self::start_with(dir, hypervisor, Arc::new(FakeNetwork::new(Duration::ZERO)), Some(reclaim)).await
    }

    pub async fn start_with(
        dir: Arc<tempfile::TempDir>,
        hypervisor: Arc<FakeHypervisor>,
        network: Arc<FakeNetwork>,
        reclaim: Option<Duration>,
    ) -> Cloud {
        let path = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        let db = Arc::new(db::Db::open_file(&path.join("cloud.db")).await.unwrap());
        db.migrate(&[
            barbican::MIGRATIONS,
            glance::MIGRATIONS,
            cinder::MIGRATIONS,
            placement::MIGRATIONS,
            neutron::MIGRATIONS,
            nova::MIGRATIONS,
        ])
        .await
        .unwrap();
        let glance = glance::Glance::new(db.clone(), path.join("images")).await.unwrap();
        let placement = placement::Placement::new(db.clone());
        let provider = placement::Provider { uuid: PROVIDER.into(), name: "simulated".into() };
        placement
            .set_inventory(&provider, 4096, 16 << 20, 1 << 20, placement::Ratios::default())
            .await
            .unwrap();
        let neutron = neutron::Neutron::new(
            db.clone(),
            network.clone(),
            neutron::Config {
                host: "simulated".into(),
                external_gateway_hosts: true,
                dns_domain: String::new(),
                default_mtu: 1500,
                quotas: Vec::new(),
            },
        );
        let volumes = Arc::new(FakeVolumes::new(Duration::ZERO));
        let barbican = barbican::Barbican::open(db.clone(), &path.join("secrets.key")).await.unwrap();
        let cinder = cinder::Cinder::new(
            db.clone(),
            glance.clone(),
            barbican.clone(),
            volumes.clone(),
            cinder::Config { host: "simulated".into(), availability_zone: "nova".into() },
        )
        .await
        .unwrap();
        glance.serve_keys(cinder.clone());
        let nova = nova::Nova::new(
            db.clone(),
            placement.clone(),
            glance.clone(),
            neutron.clone(),
            cinder.clone(),
            hypervisor.clone(),
            nova::Config {
                host: "simulated".into(),
                availability_zone: "nova".into(),
                region: "RegionOne".into(),
                dns_domain: String::new(),
                guests_trust: "an authority".into(),
                reclaim,
            },
        );
        host::Network::serve_metadata(&*network, nova.clone());
        cinder.serve_guests(nova.clone());
        nova.ensure_flavors(&Ctx::internal("test")).await.unwrap();
        let router = web::Router::new()
            .nest("/compute", nova.router(Arc::new(Tokens)))
            .nest("/network", neutron.router(Arc::new(Tokens)))
            .nest("/image", glance.router(Arc::new(Tokens)))
            .nest("/volume", cinder.router(Arc::new(Tokens)));
        neutron.start().await;
        cinder.start().await;
        nova.start().await;
        Cloud { nova, placement, hypervisor, network, barbican, db, router, dir }
    }

    pub fn as_(&self, token: &'static str) -> Client<'_> {
        Client { cloud: self, token, version: "2.96" }
    }

    /// An active image of one MiB.
    pub async fn image(&self, token: &'static str) -> String {
        let client = self.as_(token);
        let body = json!({"name": "tiny", "disk_format": "raw", "container_format": "bare"});
        let image = client.call("POST", "/image/v2/images", Some(body)).await.expect(201);
        let id = image["id"].as_str().unwrap().to_owned();
        let put = client.send("PUT", &format!("/image/v2/images/{id}/file"), vec![0; 1 << 20]).await;
        assert_eq!(put.status, 204, "{}", put.body);
        id
    }

    /// A network with a subnet 10.0.<n>.0/24.
    pub async fn network(&self, token: &'static str, name: &str, n: u8) -> String {
        let client = self.as_(token);
        let body = json!({"network": {"name": name}});
        let network = client.call("POST", "/network/v2.0/networks", Some(body)).await.expect(201);
        let id = network["network"]["id"].as_str().unwrap().to_owned();
        let subnet = json!({"subnet": {
            "network_id": id, "ip_version": 4, "cidr": format!("10.0.{n}.0/24"), "dns_nameservers": ["9.9.9.9"],
        }});
        client.call("POST", "/network/v2.0/subnets", Some(subnet)).await.expect(201);
        id
    }
}

pub struct Client<'a> {
    cloud: &'a Cloud,
    token: &'static str,
    version: &'static str,
}

impl<'a> Client<'a> {
    pub fn at(self, version: &'static str) -> Client<'a> {
        Client { version, ..self }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.compute("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.compute("POST", path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.compute("PUT", path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.compute("DELETE", path, None).await
    }

    /// `path` below `/compute/v2.1`.
    async fn compute(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.call(method, &format!("/compute/v2.1{path}"), body).await
    }

    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let (kind, body) = match body {
            Some(body) => ("application/json", body.to_string().into_bytes()),
            None => ("application/json", Vec::new()),
        };
        self.request(method, path, kind, body).await
    }

    pub async fn send(&self, method: &str, path: &str, body: Vec<u8>) -> Answer {
        self.request(method, path, "application/octet-stream", body).await
    }

    pub async fn patch_image(&self, id: &str, changes: Value) -> Answer {
        let (path, kind) = (format!("/image/v2/images/{id}"), "application/openstack-images-v2.1-json-patch");
        self.request("PATCH", &path, kind, changes.to_string().into_bytes()).await
    }

    async fn request(&self, method: &str, path: &str, kind: &str, body: Vec<u8>) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "cloud")
            .header("x-auth-token", self.token)
            .header("openstack-api-version", format!("compute {}, volume 3.70", self.version))
            .header("content-type", kind)
            .body(Body::from(body))
            .unwrap();
        let response = self.cloud.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub async fn server(&self, body: Value) -> String {
        let made = self.post("/servers", json!({"server": body})).await.expect(202);
        made["server"]["id"].as_str().unwrap().to_owned()
    }

    pub async fn action(&self, id: &str, body: Value) -> Answer {
        self.post(&format!("/servers/{id}/action"), body).await
    }

    /// Waits until the server has this status and no task; its view.
    pub async fn wait(&self, id: &str, status: &str) -> Value {
        for _ in 0..2000 {
            let server = self.get(&format!("/servers/{id}")).await.expect(200)["server"].take();
            if server["OS-EXT-STS:task_state"].is_null() {
                if server["status"] == status {
                    return server;
                }
                assert!(server["status"] != "ERROR", "{server}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("server {id} does not become {status}");
    }

    pub async fn wait_gone(&self, id: &str) {
        for _ in 0..2000 {
            if self.get(&format!("/servers/{id}")).await.status == 404 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("server {id} does not go");
    }
}
