//! After a kill: is everything that was accepted there, and as it was asked for?

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::{Client, text};

use crate::daemon::Daemon;
use crate::model::{Fact, Kind, Known, Thing, World, find};
use crate::{leaks, workers};

/// How long the cloud may take to bring everything to rest.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What the cloud says of itself.
pub struct Seen {
    pub servers: BTreeMap<String, Value>,
    pub images: Vec<Value>,
    pub ports: Vec<Value>,
    /// Ids of the load balancers.
    pub balancers: BTreeSet<String>,
    pub volumes: Vec<Value>,
}

impl Seen {
    /// Volumes -> the servers that have them, and whether those are on the shelf.
    pub fn attached(&self) -> BTreeMap<&str, Vec<(&str, bool)>> {
        let mut by_volume: BTreeMap<&str, Vec<(&str, bool)>> = BTreeMap::new();
        for (id, server) in &self.servers {
            let shelved = server["status"] == "SHELVED_OFFLOADED";
            for volume in server["os-extended-volumes:volumes_attached"].as_array().expect("a list") {
                by_volume.entry(text(&volume["id"])).or_default().push((id, shelved));
            }
        }
        by_volume
    }
}

/// States of volumes to which nothing is being done.
const VOLUMES_AT_REST: [&str; 4] = ["available", "in-use", "reserved", "error"];

/// What is wrong, a line each.
pub async fn judge(world: &mut World, daemon: &Daemon) -> Vec<String> {
    let seen = match at_rest(&world.admin).await {
        Ok(seen) => seen,
        Err(busy) => return vec![format!("these do not come to rest: {busy}")],
    };
    let mut wrong = Vec::new();
    let admin = world.admin.clone();
    for own in &mut world.workers {
        for thing in &mut own.things {
            wrong.extend(expected(&admin, thing, &seen).await);
        }
        own.things.retain(|thing| thing.known == Known::There);
        let servers: BTreeMap<String, String> = own
            .things
            .iter()
            .filter(|t| t.kind == Kind::Server)
            .filter_map(|t| Some((t.name.clone(), t.id.clone()?)))
            .collect();
        for thing in &mut own.things {
            wrong.extend(belongs(thing, &servers, &seen));
        }
    }
    wrong.extend(leaks::find(world, daemon, &seen).await);
    wrong
}

/// Everything is deleted: nothing may be left on the host, in quotas or in Placement.
pub async fn empty(world: &mut World, daemon: &Daemon) -> Vec<String> {
    for own in &mut world.workers {
        workers::clear(&world.admin, own).await;
    }
    let deadline = Instant::now() + PATIENCE;
    while !list(&world.admin, "/compute/v2.1/servers", "servers").await.is_empty() {
        assert!(Instant::now() < deadline, "servers are not deleted");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut wrong = judge(world, daemon).await;
    let volumes = list(&world.admin, "/volume/v3/volumes", "volumes").await;
    wrong.extend(volumes.iter().map(|volume| format!("volume {} is left", volume["id"])));
    wrong.extend(leaks::machines(daemon).into_keys().map(|id| format!("machine {id} is left on the host")));
    wrong
}

pub async fn list(client: &Client, path: &str, key: &str) -> Vec<Value> {
    client.get(path).await.expect(200)[key].as_array().expect("a list").clone()
}

/// Everything, once nothing is on its way anywhere.
///
/// The lists are read one after another, so that what ends in between is in one list as it was and in the next as
/// it is: only what looks the same twice is at rest.
async fn at_rest(admin: &Client) -> Result<Seen, String> {
    let deadline = Instant::now() + PATIENCE;
    let mut before = None;
    loop {
        let look = Look::take(admin).await;
        let busy = look.busy();
        if busy.is_empty() && before.as_ref() == Some(&look) {
            return Ok(look.seen(admin).await);
        }
        if Instant::now() > deadline {
            return Err(if busy.is_empty() { "every look is another".to_owned() } else { busy.join(", ") });
        }
        before = Some(look);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The lists of what may be on its way somewhere.
#[derive(PartialEq)]
struct Look {
    servers: Vec<Value>,
    images: Vec<Value>,
    balancers: Vec<Value>,
    volumes: Vec<Value>,
}

impl Look {
    async fn take(admin: &Client) -> Self {
        let (balancers, _) = Kind::Balancer.path();
        Self {
            servers: list(admin, "/compute/v2.1/servers/detail?limit=1000", "servers").await,
            images: list(admin, "/image/v2/images?limit=1000", "images").await,
            balancers: list(admin, balancers, "loadbalancers").await,
            volumes: list(admin, "/volume/v3/volumes/detail?limit=1000", "volumes").await,
        }
    }

    /// What is on its way, by name and state.
    fn busy(&self) -> Vec<String> {
        let servers =
            self.servers.iter().filter(|s| s["status"] == "BUILD" || !s["OS-EXT-STS:task_state"].is_null());
        // Only on the shelf a reservation lasts.
        let shelved = self.servers.iter().filter(|s| s["status"] == "SHELVED_OFFLOADED");
        let kept: BTreeSet<&str> = shelved
            .flat_map(|s| s["os-extended-volumes:volumes_attached"].as_array().expect("a list"))
            .map(|volume| text(&volume["id"]))
            .collect();
        let moving = |v: &&Value| {
            let status = text(&v["status"]);
            !VOLUMES_AT_REST.contains(&status) || status == "reserved" && !kept.contains(text(&v["id"]))
        };
        let images = self.images.iter().filter(|i| i["status"] == "saving" || i["status"] == "importing");
        let balancers =
            self.balancers.iter().filter(|b| text(&b["provisioning_status"]).starts_with("PENDING"));
        servers
            .map(|s| format!("{} {} {}", s["name"], s["status"], s["OS-EXT-STS:task_state"]))
            .chain(self.volumes.iter().filter(moving).map(|v| format!("{} {}", v["name"], v["status"])))
            .chain(images.map(|i| format!("{} {}", i["name"], i["status"])))
            .chain(balancers.map(|b| format!("{} {}", b["name"], b["provisioning_status"])))
            .collect()
    }

    async fn seen(self, admin: &Client) -> Seen {
        Seen {
            balancers: self.balancers.iter().map(|b| text(&b["id"]).to_owned()).collect(),
            servers: self.servers.into_iter().map(|s| (text(&s["id"]).to_owned(), s)).collect(),
            images: self.images,
            ports: list(admin, "/network/v2.0/ports?limit=1000", "ports").await,
            volumes: self.volumes,
        }
    }
}

/// Compares one thing with what its worker was told, and makes sure of what was unsure.
async fn expected(admin: &Client, thing: &mut Thing, seen: &Seen) -> Vec<String> {
    let (path, wrapper) = thing.kind.path();
    if thing.id.is_none() && thing.known == Known::Unsure {
        thing.id = find(admin, thing.kind, &thing.name).await;
    }
    let found = match &thing.id {
        Some(id) => Some(admin.get(&format!("{path}/{id}")).await).filter(|a| a.status != 404),
        None => None,
    };
    let what =
        format!("{:?} {} ({})", thing.kind, thing.name, thing.id.as_deref().unwrap_or("never answered"));
    let Some(found) = found else {
        let lost = thing.known == Known::There;
        thing.known = Known::Gone;
        return if lost { vec![format!("{what} was accepted and is lost")] } else { Vec::new() };
    };
    if thing.known == Known::Gone {
        return vec![format!("{what} was deleted and is there")];
    }
    thing.known = Known::There;
    let body = found.expect(200);
    let body = if wrapper.is_empty() { &body } else { &body[wrapper] };
    let mut wrong = Vec::new();
    let failed = body["status"] == "ERROR" && thing.kind == Kind::Server;
    if failed {
        let reason = body["fault"]["message"].as_str().unwrap_or_default();
        println!("# {what} is in ERROR: {reason}");
        // Nothing fails on this host, so a server only fails for what its user took away.
        if !reason.contains("Image not found") {
            wrong.push(format!("{what} is in ERROR: {reason}"));
        }
    }
    for (fact, right) in &mut thing.facts {
        let is = told(thing.kind, *fact, body, seen);
        if !right.contains(&is) && !failed {
            wrong.push(format!("{what}: {fact:?} is {is:?} and not one of {right:?}"));
        }
        *right = [is].into();
    }
    wrong
}

/// A fact as the cloud tells it.
fn told(kind: Kind, fact: Fact, body: &Value, seen: &Seen) -> String {
    let plain = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let id = &body["id"];
    match (fact, kind) {
        (Fact::Status, Kind::Balancer) => plain(&body["provisioning_status"]),
        (Fact::Listeners, _) => body["listeners"].as_array().map_or(0, Vec::len).to_string(),
        (Fact::Ports, Kind::Balancer) => {
            let device = format!("lb-{}", text(id));
            seen.ports.iter().filter(|p| p["device_id"] == device.as_str()).count().to_string()
        }
        (Fact::Status, _) => plain(&body["status"]),
        (Fact::Mark, Kind::Server) => plain(&body["metadata"]["mark"]),
        (Fact::Mark, Kind::Image) => plain(&body["mark"]),
        (Fact::Mark, Kind::SecurityGroup) if body["description"] == body["name"] => String::new(),
        (Fact::Mark, _) => plain(&body["description"]),
        (Fact::Ports, Kind::Router) => {
            let interface =
                |p: &&Value| p["device_id"] == *id && p["device_owner"] == "network:router_interface";
            seen.ports.iter().filter(interface).count().to_string()
        }
        (Fact::Ports, _) => seen.ports.iter().filter(|p| p["device_id"] == *id).count().to_string(),
        (Fact::Vcpus, _) => body["flavor"]["vcpus"].to_string(),
        (Fact::Port, _) => plain(&body["port_id"]),
        (Fact::Device, _) => plain(&body["device_id"]),
        (Fact::Size, _) => body["size"].to_string(),
        (Fact::Server, _) => {
            let servers = seen.attached().remove(text(id)).unwrap_or_default();
            servers.iter().map(|(server, _)| *server).collect::<Vec<_>>().join(" ")
        }
    }
}

/// Makes sure of what a thing belongs to: a port given to a server is the server's for as long as that lives.
fn belongs(thing: &mut Thing, servers: &BTreeMap<String, String>, seen: &Seen) -> Option<String> {
    match thing.kind {
        Kind::Network => {
            let id = thing.id.as_deref()?;
            let interface =
                |p: &&Value| p["network_id"] == id && p["device_owner"] == "network:router_interface";
            thing.of = seen.ports.iter().find(interface).map(|p| text(&p["device_id"]).to_owned());
            None
        }
        Kind::Port => {
            let port = seen.ports.iter().find(|p| thing.id.as_deref() == p["id"].as_str())?;
            let server = thing.of.as_ref().and_then(|name| servers.get(name));
            let failed = server.is_some_and(|id| seen.servers.get(id).is_none_or(|s| s["status"] == "ERROR"));
            if server.is_none() {
                thing.of = None;
            }
            let right = server.map(String::as_str).unwrap_or_default();
            let is = text(&port["device_id"]);
            (is != right && !failed)
                .then(|| format!("port {} has the device {is:?} and not {right:?}", thing.name))
        }
        // Filled by now: what happens to its server is not its business any more.
        Kind::Image => {
            thing.of = None;
            None
        }
        _ => None,
    }
}
