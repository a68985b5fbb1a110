//! What the workers know of what they asked for.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use testkit::{Client, text};

/// What must be true of a thing once everything rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Its creation was accepted.
    There,
    /// Its deletion was accepted, or its creation refused.
    Gone,
    /// The daemon died before it answered: either is right.
    Unsure,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Server,
    Network,
    Router,
    FloatingIp,
    Image,
    User,
}

impl Kind {
    /// Where it lives, and its name in bodies.
    pub fn path(self) -> (&'static str, &'static str) {
        match self {
            Kind::Server => ("/compute/v2.1/servers", "server"),
            Kind::Network => ("/network/v2.0/networks", "network"),
            Kind::Router => ("/network/v2.0/routers", "router"),
            Kind::FloatingIp => ("/network/v2.0/floatingips", "floatingip"),
            Kind::Image => ("/image/v2/images", ""),
            Kind::User => ("/identity/v3/users", "user"),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Thing {
    pub kind: Kind,
    /// Unique for good: what an unanswered creation is found by.
    pub name: String,
    /// None: its creation was not answered.
    pub id: Option<String>,
    pub known: Known,
    /// A server's statuses that are right besides ERROR; an image's, if its data was accepted.
    pub statuses: BTreeSet<&'static str>,
}

/// One worker's things: nobody else touches them, so that it knows what to expect.
#[derive(Debug, Default)]
pub struct Own {
    pub things: Vec<Thing>,
}

pub struct World {
    pub admin: Client,
    pub image: String,
    pub flavor: String,
    pub network: String,
    pub external: String,
    pub workers: Vec<Own>,
}

const WORKERS: usize = 4;

impl World {
    pub async fn prepare(url: &str, dir: &Path) -> World {
        let password = std::fs::read_to_string(dir.join("data/admin-password")).expect("a password");
        let admin = Client::login(url, "admin", password.trim(), "admin").await;
        let body = json!({"name": "base", "disk_format": "raw", "container_format": "bare"});
        let image = text(&admin.post("/image/v2/images", body).await.expect(201)["id"]).to_owned();
        let file = format!("/image/v2/images/{image}/file");
        let put = reqwest::Method::PUT;
        admin.send(put, &file, "application/octet-stream", vec![0; 4096]).await.expect(204);
        let network = admin.post("/network/v2.0/networks", json!({"network": {"name": "base"}})).await;
        let network = text(&network.expect(201)["network"]["id"]).to_owned();
        let subnet = json!({"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.9.0.0/16"}});
        let subnet = admin.post("/network/v2.0/subnets", subnet).await.expect(201);
        let subnet = text(&subnet["subnet"]["id"]).to_owned();
        let external = admin.get("/network/v2.0/networks?router:external=true").await.expect(200);
        let external = text(&external["networks"][0]["id"]).to_owned();
        // A floating IP needs a way from the network to the outside.
        let router = json!({"router": {"name": "base", "external_gateway_info": {"network_id": external}}});
        let router = admin.post("/network/v2.0/routers", router).await.expect(201);
        let path = format!("/network/v2.0/routers/{}/add_router_interface", text(&router["router"]["id"]));
        admin.put(&path, json!({"subnet_id": subnet})).await.expect(200);
        let flavors = admin.get("/compute/v2.1/flavors").await.expect(200);
        let flavor = text(&flavors["flavors"][0]["id"]).to_owned();
        let quota = json!({"quota_set": {"instances": -1, "cores": -1, "ram": -1}});
        admin.put(&format!("/compute/v2.1/os-quota-sets/{}", admin.project_id), quota).await.expect(200);
        let quota =
            json!({"quota": {"network": -1, "subnet": -1, "port": -1, "router": -1, "floatingip": -1}});
        admin.put(&format!("/network/v2.0/quotas/{}", admin.project_id), quota).await.expect(200);
        let workers = (0..WORKERS).map(|_| Own::default()).collect();
        World { admin, image, flavor, network, external, workers }
    }
}

/// The one thing of a kind with this name; None if there is none.
pub async fn find(client: &Client, kind: Kind, name: &str) -> Option<String> {
    let (path, _) = kind.path();
    let filter = if kind == Kind::FloatingIp { "description" } else { "name" };
    let answer = client.get(&format!("{path}?{filter}={name}")).await.expect(200);
    let list = answer.as_object().and_then(|o| o.values().find_map(Value::as_array)).expect("a list");
    // Nova matches names as patterns.
    let same = |v: &&Value| v["name"].as_str().or(v["description"].as_str()) == Some(name);
    list.iter().find(same).map(|v| text(&v["id"]).to_owned())
}
