//! What the workers know of what they asked for.

use std::collections::{BTreeMap, BTreeSet};
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
    /// The daemon died before it answered, or somebody else's deletion may have taken it along: either is right.
    Unsure,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Server,
    Network,
    Port,
    SecurityGroup,
    Router,
    FloatingIp,
    Image,
    User,
    Balancer,
    Volume,
}

impl Kind {
    /// Where it lives, and its name in bodies.
    pub fn path(self) -> (&'static str, &'static str) {
        match self {
            Kind::Server => ("/compute/v2.1/servers", "server"),
            Kind::Network => ("/network/v2.0/networks", "network"),
            Kind::Port => ("/network/v2.0/ports", "port"),
            Kind::SecurityGroup => ("/network/v2.0/security-groups", "security_group"),
            Kind::Router => ("/network/v2.0/routers", "router"),
            Kind::FloatingIp => ("/network/v2.0/floatingips", "floatingip"),
            Kind::Image => ("/image/v2/images", ""),
            Kind::User => ("/identity/v3/users", "user"),
            Kind::Balancer => ("/load-balancer/v2/lbaas/loadbalancers", "loadbalancer"),
            Kind::Volume => ("/volume/v3/volumes", "volume"),
        }
    }
}

/// Something about a thing that requests change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// Of servers, images and load balancers.
    Status,
    /// Whatever a client may write on a thing: a description, a metadata item, a property.
    Mark,
    /// Of a server or a load balancer: how many ports it has. Of a router: how many interfaces.
    Ports,
    /// Of a server: those of its flavor.
    Vcpus,
    /// A floating IP's port.
    Port,
    /// A port's server.
    Device,
    /// Of a load balancer: how many.
    Listeners,
    /// A volume's server.
    Server,
    /// A volume's, in GiB.
    Size,
}

/// The values that are right: one after an answer, two when the answer never came.
pub type Facts = BTreeMap<Fact, BTreeSet<String>>;

#[derive(Debug, Clone)]
pub struct Thing {
    pub kind: Kind,
    /// Unique for good: what an unanswered creation is found by.
    pub name: String,
    /// None: its creation was not answered.
    pub id: Option<String>,
    pub known: Known,
    pub facts: Facts,
    /// A network's; without one nothing can be connected to it.
    pub subnet: Option<String>,
    /// The thing that this one belongs to: an image's server, a port's server, a network's router.
    pub of: Option<String>,
    /// A server boots from a volume of its own.
    pub from_volume: bool,
    /// A server did not run when its resize was asked for.
    pub was_off: bool,
}

impl Thing {
    pub fn new(kind: Kind, name: &str, facts: &[(Fact, &str)]) -> Thing {
        let facts = facts.iter().map(|(fact, value)| (*fact, [(*value).to_owned()].into())).collect();
        let (known, name) = (Known::Unsure, name.to_owned());
        Thing {
            kind,
            name,
            id: None,
            known,
            facts,
            subnet: None,
            of: None,
            from_volume: false,
            was_off: false,
        }
    }

    /// The value of a fact that is certain.
    pub fn fact(&self, fact: Fact) -> Option<&str> {
        let values = self.facts.get(&fact)?;
        values.first().filter(|_| values.len() == 1).map(String::as_str)
    }

    pub fn is(&mut self, fact: Fact, value: &str) {
        self.facts.insert(fact, [value.to_owned()].into());
    }

    pub fn may_be(&mut self, fact: Fact, value: &str) {
        self.facts.entry(fact).or_default().insert(value.to_owned());
    }
}

/// One worker's things: nobody else touches them, so that it knows what to expect.
#[derive(Debug, Default)]
pub struct Own {
    pub things: Vec<Thing>,
}

/// How often each request was (accepted, refused, cut off by the kill).
#[derive(Debug, Default)]
pub struct Tally(BTreeMap<&'static str, (usize, usize, usize)>);

impl Tally {
    pub fn count(&mut self, what: &'static str, accepted: Option<bool>) {
        let counts = self.0.entry(what).or_default();
        match accepted {
            Some(true) => counts.0 += 1,
            Some(false) => counts.1 += 1,
            None => counts.2 += 1,
        }
    }

    pub fn add(&mut self, other: Tally) {
        for (what, (accepted, refused, cut)) in other.0 {
            let counts = self.0.entry(what).or_default();
            *counts = (counts.0 + accepted, counts.1 + refused, counts.2 + cut);
        }
    }

    pub fn requests(&self) -> usize {
        self.0.values().map(|(accepted, refused, cut)| accepted + refused + cut).sum()
    }

    pub fn lines(&self) -> Vec<String> {
        let line = |(what, (accepted, refused, cut)): (&&str, &(usize, usize, usize))| {
            format!("{what}: {accepted} accepted, {refused} refused, {cut} not answered")
        };
        self.0.iter().map(line).collect()
    }
}

pub struct World {
    pub admin: Client,
    password: String,
    pub image: String,
    /// Of one and of two VCPUs, and otherwise the same.
    pub flavors: [String; 2],
    pub network: String,
    pub external: String,
    pub workers: Vec<Own>,
    pub tally: Tally,
}

const WORKERS: usize = 4;

impl World {
    pub async fn prepare(url: &str, dir: &Path) -> World {
        let password = std::fs::read_to_string(dir.join("data/admin-password")).expect("a password");
        let password = password.trim().to_owned();
        let admin = Client::login(url, "admin", &password, "admin").await;
        let body = json!({"name": "base", "disk_format": "raw", "container_format": "bare"});
        let image = text(&admin.post("/image/v2/images", body).await.expect(201)["id"]).to_owned();
        let file = format!("/image/v2/images/{image}/file");
        let put = reqwest::Method::PUT;
        admin.send(put, &file, "application/octet-stream", vec![0; 4096]).await.expect(204);
        let network = admin.post("/network/v2.0/networks", json!({"network": {"name": "base"}})).await;
        let network = text(&network.expect(201)["network"]["id"]).to_owned();
        let subnet = json!({"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.250.0.0/16"}});
        let subnet = admin.post("/network/v2.0/subnets", subnet).await.expect(201);
        let subnet = text(&subnet["subnet"]["id"]).to_owned();
        let external = admin.get("/network/v2.0/networks?router:external=true").await.expect(200);
        let external = text(&external["networks"][0]["id"]).to_owned();
        // A floating IP needs a way from the network to the outside.
        let router = json!({"router": {"name": "base", "external_gateway_info": {"network_id": external}}});
        let router = admin.post("/network/v2.0/routers", router).await.expect(201);
        let path = format!("/network/v2.0/routers/{}/add_router_interface", text(&router["router"]["id"]));
        admin.put(&path, json!({"subnet_id": subnet})).await.expect(200);
        let flavors = [flavor(&admin, 1).await, flavor(&admin, 2).await];
        let quota = json!({"quota_set": {"instances": -1, "cores": -1, "ram": -1}});
        admin.put(&format!("/compute/v2.1/os-quota-sets/{}", admin.project_id), quota).await.expect(200);
        let kinds = ["network", "subnet", "port", "router", "floatingip", "security_group"];
        let quota: BTreeMap<&str, i64> = kinds.map(|kind| (kind, -1)).into();
        let path = format!("/network/v2.0/quotas/{}", admin.project_id);
        admin.put(&path, json!({ "quota": quota })).await.expect(200);
        let quota = json!({"quota_set": {"volumes": -1, "gigabytes": -1, "snapshots": -1}});
        admin.put(&format!("/volume/v3/os-quota-sets/{}", admin.project_id), quota).await.expect(200);
        let workers = (0..WORKERS).map(|_| Own::default()).collect();
        World { admin, password, image, flavors, network, external, workers, tally: Tally::default() }
    }
}

impl World {
    /// The last token may have ended with the clock's jump.
    pub async fn login(&mut self) {
        self.admin = Client::login(&self.admin.url, "admin", &self.password, "admin").await;
    }
}

async fn flavor(admin: &Client, vcpus: u32) -> String {
    let flavor = json!({"name": format!("of-{vcpus}"), "vcpus": vcpus, "ram": 64, "disk": 1});
    let made = admin.post("/compute/v2.1/flavors", json!({ "flavor": flavor })).await.expect(200);
    text(&made["flavor"]["id"]).to_owned()
}

/// The one thing of a kind with this name; None if there is none.
pub async fn find(client: &Client, kind: Kind, name: &str) -> Option<String> {
    let (path, _) = kind.path();
    let filter = if kind == Kind::FloatingIp { "description" } else { "name" };
    let answer = client.get(&format!("{path}?{filter}={name}")).await.expect(200);
    let list = answer.as_object().and_then(|o| o.values().find_map(Value::as_array)).expect("a list");
    // Nova matches names as patterns.
    let same = |v: &&Value| match kind {
        Kind::FloatingIp => v["description"] == name,
        _ => v["name"] == name,
    };
    list.iter().find(same).map(|v| text(&v["id"]).to_owned())
}
