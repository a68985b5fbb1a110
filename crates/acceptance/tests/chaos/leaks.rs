//! After a kill: is there anything that nobody asked for, or that belongs to nothing any more?

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use camino::Utf8Path;
use cumulet::control::{self, Request};
use serde_json::Value;
use testkit::{Client, text};

use crate::daemon::Daemon;
use crate::judge::{PATIENCE, Seen, list};
use crate::model::{Kind, World};

pub async fn find(world: &World, daemon: &Daemon, seen: &Seen) -> Vec<String> {
    let mut wrong = on_the_host(daemon, seen);
    wrong.extend(strays(world, seen));
    wrong.extend(files(daemon, seen));
    wrong.extend(volumes(world, seen).await);
    wrong.extend(counted(world, seen).await);
    wrong.extend(planes(&world.admin, daemon).await);
    wrong
}

/// The fake host's machines by id, with the state they are in.
pub fn machines(daemon: &Daemon) -> BTreeMap<String, String> {
    let dir = daemon.data.path().join("fake-vms");
    let state = |id: &str| {
        let record = std::fs::read(dir.join(format!("{id}.json"))).expect("a machine's file");
        let record: Value = serde_json::from_slice(&record).expect("a machine's file is JSON");
        text(&record["state"]).to_owned()
    };
    names(&dir)
        .iter()
        .filter_map(|name| name.strip_suffix(".json"))
        .map(|id| (id.to_owned(), state(id)))
        .collect()
}

fn names(dir: &Utf8Path) -> BTreeSet<String> {
    let entries = dir.read_dir_utf8().expect("a directory of the cloud");
    entries.map(|entry| entry.expect("an entry").file_name().to_owned()).collect()
}

/// Every server has its machine, in its state, and every machine its server.
fn on_the_host(daemon: &Daemon, seen: &Seen) -> Vec<String> {
    let machines = machines(daemon);
    let mut wrong: Vec<String> = machines
        .keys()
        .filter(|id| !seen.servers.contains_key(*id))
        .map(|id| format!("machine {id} has no server"))
        .collect();
    for (id, server) in &seen.servers {
        let machine = machines.get(id).map(String::as_str);
        let right = match text(&server["status"]) {
            "ERROR" => true,
            "SHELVED_OFFLOADED" => machine.is_none(),
            "ACTIVE" | "RESCUE" => machine == Some("running"),
            "PAUSED" => machine == Some("paused"),
            "SHUTOFF" | "SUSPENDED" => machine == Some("stopped"),
            _ => machine.is_some(),
        };
        if !right {
            wrong.push(format!("server {id} is {} and its machine is {machine:?}", server["status"]));
        }
    }
    wrong
}

/// Rows of ports and images that belong to nothing.
fn strays(world: &World, seen: &Seen) -> Vec<String> {
    let things = || world.workers.iter().flat_map(|own| &own.things);
    let known = |kind: Kind| -> BTreeSet<&str> {
        things().filter(|t| t.kind == kind).filter_map(|t| t.id.as_deref()).collect()
    };
    let (ports, images) = (known(Kind::Port), known(Kind::Image));
    let mut wrong = Vec::new();
    for port in &seen.ports {
        let (id, device) = (text(&port["id"]), text(&port["device_id"]));
        let owner = text(&port["device_owner"]);
        let lost = match owner {
            "" => !ports.contains(id),
            "Octavia" => !seen.balancers.contains(device.trim_start_matches("lb-")),
            compute if compute.starts_with("compute:") => !seen.servers.contains_key(device),
            _ => false,
        };
        if lost {
            wrong.push(format!("port {id} of {owner:?} {device:?} belongs to nothing"));
        }
    }
    let shelved: BTreeSet<String> = seen
        .servers
        .values()
        .filter(|s| s["status"] == "SHELVED_OFFLOADED" || s["status"] == "ERROR")
        .map(|s| format!("{}-shelved", text(&s["name"])))
        .collect();
    for image in &seen.images {
        let (id, name) = (text(&image["id"]), image["name"].as_str().unwrap_or_default());
        if id != world.image && !images.contains(id) && !shelved.contains(name) {
            wrong.push(format!("image {id} ({name}, {}) belongs to nothing", image["status"]));
        }
    }
    wrong
}

/// A volume has one server at most, and both say so; one that a worker did not make is what a server boots from.
async fn volumes(world: &World, seen: &Seen) -> Vec<String> {
    let made: BTreeSet<&str> = world
        .workers
        .iter()
        .flat_map(|own| &own.things)
        .filter(|thing| thing.kind == Kind::Volume)
        .filter_map(|thing| thing.id.as_deref())
        .collect();
    let attached = seen.attached();
    let mut wrong = Vec::new();
    for volume in &seen.volumes {
        let (id, status) = (text(&volume["id"]), text(&volume["status"]));
        let right = match attached.get(id).map(Vec::as_slice) {
            None => "available",
            Some([(_, false)]) => "in-use",
            // Given to it while it was there already, or before.
            Some([(_, true)]) if status == "in-use" => status,
            Some([(_, true)]) => "reserved",
            Some(several) => {
                wrong.push(format!("volume {id} has several servers: {several:?}"));
                continue;
            }
        };
        if status != right {
            wrong.push(format!("volume {id} is {status} and not {right}: {:?}", attached.get(id)));
        }
        if !made.contains(id) && !attached.contains_key(id) {
            wrong.push(format!("volume {id} ({}) belongs to nothing", volume["name"]));
        }
    }
    for (id, servers) in &attached {
        if !seen.volumes.iter().any(|volume| volume["id"] == **id) {
            wrong.push(format!("volume {id} of {servers:?} is gone"));
        }
    }
    let attachments = list(&world.admin, "/volume/v3/attachments?limit=1000", "attachments").await;
    if attachments.len() != attached.len() {
        wrong.push(format!("{} attachments of {} volumes", attachments.len(), attached.len()));
    }
    wrong
}

/// The images' data, and nothing but it.
fn files(daemon: &Daemon, seen: &Seen) -> Vec<String> {
    let with = |status: &str| -> BTreeSet<String> {
        let of = seen.images.iter().filter(|i| i["status"] == status);
        of.map(|i| text(&i["id"]).to_owned()).collect()
    };
    let store = daemon.data.images();
    let staging = store.join("staging");
    let mut wrong = Vec::new();
    for (dir, right) in [(&store, with("active")), (&staging, with("uploading"))] {
        let mut found = names(dir);
        found.remove("staging");
        wrong.extend(found.difference(&right).map(|name| format!("{dir}/{name} is left over")));
        wrong.extend(right.difference(&found).map(|id| format!("the data of image {id} is gone from {dir}")));
    }
    wrong
}

/// Quotas and Placement count what is there.
async fn counted(world: &World, seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    let admin = &world.admin;
    let limits = admin.get("/compute/v2.1/limits").await.expect(200);
    let used = &limits["limits"]["absolute"]["totalInstancesUsed"];
    if used.as_u64() != Some(seen.servers.len() as u64) {
        wrong.push(format!("the quota counts {used} servers, there are {}", seen.servers.len()));
    }
    if seen.servers.values().any(|s| s["status"] == "ERROR") {
        // Whether one holds anything depends on how far it came.
        return wrong;
    }
    let vcpus = |s: &Value| s["flavor"]["vcpus"].as_u64().expect("vcpus");
    // Until a resize is confirmed the quota has the new flavor and Placement both.
    let cores: u64 = seen.servers.values().map(vcpus).sum();
    let used = &limits["limits"]["absolute"]["totalCoresUsed"];
    if used.as_u64() != Some(cores) {
        wrong.push(format!("the quota counts {used} cores of {cores}"));
    }
    let held: u64 = seen
        .servers
        .values()
        .map(|s| match text(&s["status"]) {
            "SHELVED_OFFLOADED" => 0,
            "VERIFY_RESIZE" => 3,
            _ => vcpus(s),
        })
        .sum();
    let providers = list(admin, "/placement/resource_providers", "resource_providers").await;
    let usages = format!("/placement/resource_providers/{}/usages", text(&providers[0]["uuid"]));
    let used = admin.get(&usages).await.expect(200)["usages"]["VCPU"].clone();
    if used.as_u64() != Some(held) {
        wrong.push(format!("Placement counts {used} VCPU of {held}"));
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
