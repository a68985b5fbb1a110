//! After a kill: is everything that was accepted there, is nothing there that should not be?

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use cumulet::control::{self, Request};
use serde_json::Value;
use testkit::{Client, text};

use crate::daemon::Daemon;
use crate::model::{Kind, Known, Thing, World, find};
use crate::workers;

/// How long the cloud may take to bring everything to rest.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is wrong, a line each.
pub async fn judge(world: &mut World, daemon: &Daemon) -> Vec<String> {
    let servers = match at_rest(&world.admin).await {
        Ok(servers) => servers,
        Err(busy) => return vec![format!("these servers do not come to rest: {busy}")],
    };
    let mut wrong = Vec::new();
    let admin = world.admin.clone();
    for own in &mut world.workers {
        for thing in &mut own.things {
            wrong.extend(expected(&admin, thing, &servers).await);
        }
        own.things.retain(|thing| thing.known == Known::There);
    }
    wrong.extend(leaks(world, daemon, &servers).await);
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
    let machines = machines(daemon);
    if !machines.is_empty() {
        wrong.push(format!("machines are left on the host: {machines:?}"));
    }
    wrong
}

async fn list(client: &Client, path: &str, key: &str) -> Vec<Value> {
    client.get(path).await.expect(200)[key].as_array().expect("a list").clone()
}

/// All servers by id, once none is on its way anywhere.
async fn at_rest(admin: &Client) -> Result<BTreeMap<String, Value>, String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let servers = list(admin, "/compute/v2.1/servers/detail?limit=1000", "servers").await;
        let busy: Vec<String> = servers
            .iter()
            .filter(|s| s["status"] == "BUILD" || !s["OS-EXT-STS:task_state"].is_null())
            .map(|s| format!("{} {} {}", s["name"], s["status"], s["OS-EXT-STS:task_state"]))
            .collect();
        if busy.is_empty() {
            return Ok(servers.into_iter().map(|s| (text(&s["id"]).to_owned(), s)).collect());
        }
        if Instant::now() > deadline {
            return Err(busy.join(", "));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Compares one thing with what its worker was told, and makes sure of what was unsure.
async fn expected(admin: &Client, thing: &mut Thing, servers: &BTreeMap<String, Value>) -> Option<String> {
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
    match (thing.known, found.is_some()) {
        (Known::There, false) => return Some(format!("{what} was accepted and is lost")),
        (Known::Gone, true) => return Some(format!("{what} was deleted and is there")),
        (_, false) => {
            thing.known = Known::Gone;
            return None;
        }
        (_, true) => thing.known = Known::There,
    }
    let body = found?.body;
    let status = match thing.kind {
        Kind::Server => text(&servers.get(thing.id.as_deref()?)?["status"]).to_owned(),
        Kind::Image => text(&body["status"]).to_owned(),
        _ => return None,
    };
    if status == "ERROR" {
        println!("# {what} is in ERROR: {}", body[wrapper]["fault"]["message"]);
        let reason = body[wrapper]["fault"]["message"].as_str().unwrap_or_default();
        return reason.is_empty().then(|| format!("{what} is in ERROR without a reason"));
    }
    if thing.statuses.is_empty() {
        return None;
    }
    let right = thing.statuses.iter().find(|s| **s == status).copied();
    match right {
        None => Some(format!("{what} is {status} and not {:?}", thing.statuses)),
        Some(now) => {
            thing.statuses = [now].into();
            None
        }
    }
}

/// Ids of the machines on the fake host.
fn machines(daemon: &Daemon) -> BTreeSet<String> {
    let dir = daemon.data.path().join("fake-vms");
    let names =
        dir.read_dir_utf8().expect("the fake host's machines").map(|e| e.unwrap().file_name().to_owned());
    names.filter_map(|n| n.strip_suffix(".json").map(Into::into)).collect()
}

/// Rows against the host's view, and what servers hold against the servers there are.
async fn leaks(world: &World, daemon: &Daemon, servers: &BTreeMap<String, Value>) -> Vec<String> {
    let mut wrong = Vec::new();
    let admin = &world.admin;
    let machines = machines(daemon);
    for stray in machines.iter().filter(|id| !servers.contains_key(*id)) {
        wrong.push(format!("machine {stray} has no server"));
    }
    let working = |s: &Value| s["status"] != "ERROR";
    for (id, server) in servers.iter().filter(|(_, s)| working(s)) {
        if !machines.contains(id) {
            wrong.push(format!("server {id} is {} and has no machine", server["status"]));
        }
    }
    let ports = list(admin, "/network/v2.0/ports?device_owner=compute:nova&limit=1000", "ports").await;
    let mut held: BTreeMap<&str, usize> = BTreeMap::new();
    for port in &ports {
        *held.entry(text(&port["device_id"])).or_default() += 1;
    }
    wrong.extend(
        held.keys()
            .filter(|id| !servers.contains_key(**id))
            .map(|id| format!("a port of server {id} is left")),
    );
    for (id, _) in servers.iter().filter(|(_, s)| working(s)) {
        let count = held.get(id.as_str()).copied().unwrap_or(0);
        if count != 1 {
            wrong.push(format!("server {id} has {count} ports"));
        }
    }
    wrong.extend(counted(world, servers).await);
    wrong.extend(planes(admin, daemon).await);
    wrong
}

/// Quotas and Placement count what is there.
async fn counted(world: &World, servers: &BTreeMap<String, Value>) -> Vec<String> {
    let mut wrong = Vec::new();
    let admin = &world.admin;
    let limits = admin.get("/compute/v2.1/limits").await.expect(200);
    let used = &limits["limits"]["absolute"]["totalInstancesUsed"];
    if used.as_u64() != Some(servers.len() as u64) {
        wrong.push(format!("the quota counts {used} servers, there are {}", servers.len()));
    }
    let holding = servers.values().filter(|s| s["status"] != "ERROR").count() as u64;
    let providers = list(admin, "/placement/resource_providers", "resource_providers").await;
    let usages = format!("/placement/resource_providers/{}/usages", text(&providers[0]["uuid"]));
    let usages = admin.get(&usages).await.expect(200);
    let flavor = admin.get(&format!("/compute/v2.1/flavors/{}", world.flavor)).await.expect(200);
    let each = flavor["flavor"]["vcpus"].as_u64().expect("vcpus");
    if usages["usages"]["VCPU"].as_u64() != Some(holding * each) {
        wrong.push(format!(
            "Placement counts {} VCPU for {holding} servers of {each}",
            usages["usages"]["VCPU"]
        ));
    }
    wrong
}

/// The host has exactly the networks and routers that there are rows for.
async fn planes(admin: &Client, daemon: &Daemon) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let networks = list(admin, "/network/v2.0/networks?limit=1000", "networks").await.len();
        let routers = list(admin, "/network/v2.0/routers?limit=1000", "routers").await.len();
        let told = control::ask(&daemon.data, &Request::Status).await.expect("a status");
        let real = |key: &str| told[key].as_u64().expect("a number") as usize;
        if (real("networks"), real("routers")) == (networks, routers) {
            return Vec::new();
        }
        if Instant::now() > deadline {
            return vec![format!(
                "the host has {} networks and {} routers, there are {networks} and {routers}",
                told["networks"], told["routers"]
            )];
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
