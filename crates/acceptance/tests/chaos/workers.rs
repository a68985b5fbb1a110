//! Tenants at work: each creates, changes and deletes things of its own until the daemon dies.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Answer, Client, text};

use crate::judge::PATIENCE;
use crate::model::{Fact, Kind, Known, Own, Tally, Thing, World};

/// So many things of a kind a worker keeps; then it deletes before it creates.
const KEEPS: usize = 4;

/// Works until the connection breaks.
pub async fn work(world: &mut World, round: usize, seed: u64) {
    let mut workers = std::mem::take(&mut world.workers);
    let shared = &*world;
    let work = workers.iter_mut().enumerate().map(|(number, own)| async move {
        let dice = StdRng::seed_from_u64(seed.wrapping_add(number as u64));
        let label = format!("r{round}w{number}");
        let mut worker = Worker { world: shared, own, dice, label, tally: Tally::default() };
        while worker.step().await.is_some() {}
        worker.tally
    });
    let tallies = futures::future::join_all(work).await;
    world.workers = workers;
    tallies.into_iter().for_each(|tally| world.tally.add(tally));
}

pub struct Worker<'a> {
    pub world: &'a World,
    pub own: &'a mut Own,
    pub dice: StdRng,
    label: String,
    tally: Tally,
}

impl Worker<'_> {
    /// One request or a few. None: the daemon is dead.
    async fn step(&mut self) -> Option<()> {
        // Servers have most to lose.
        const KINDS: [Kind; 20] = [
            Kind::Server,
            Kind::Server,
            Kind::Server,
            Kind::Server,
            Kind::Server,
            Kind::Server,
            Kind::Server,
            Kind::Server,
            Kind::Volume,
            Kind::Volume,
            Kind::Volume,
            Kind::Network,
            Kind::Port,
            Kind::SecurityGroup,
            Kind::Router,
            Kind::FloatingIp,
            Kind::Image,
            Kind::User,
            Kind::Balancer,
            Kind::Balancer,
        ];
        let kind = *KINDS.choose(&mut self.dice)?;
        let mine = self.mine(kind);
        let chosen = mine.choose(&mut self.dice).copied();
        // There is more to do to a server and its volumes than to anything else.
        let changes = if matches!(kind, Kind::Server | Kind::Volume) { 8 } else { 5 };
        match (chosen, self.dice.random_range(0..10)) {
            (Some(at), roll) if roll < changes => self.change(at).await,
            (Some(at), roll) if roll == 9 || mine.len() >= KEEPS => self.delete(at).await,
            _ => self.create(kind).await,
        }
    }

    pub fn mine(&self, kind: Kind) -> Vec<usize> {
        let things = self.own.things.iter().enumerate();
        things.filter(|(_, t)| t.kind == kind && t.known == Known::There).map(|(at, _)| at).collect()
    }

    pub fn new_name(&mut self) -> String {
        format!("{}-{:08x}", self.label, self.dice.next_u32())
    }

    /// None: it was not answered.
    pub async fn call(
        &mut self,
        what: &'static str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Option<Answer> {
        let sent = self.world.admin.try_call(method.clone(), path, body).await;
        self.judged(what, sent.ok(), &method, path)
    }

    fn judged(
        &mut self,
        what: &'static str,
        answer: Option<Answer>,
        method: &Method,
        path: &str,
    ) -> Option<Answer> {
        self.tally.count(what, answer.as_ref().map(|a| a.status < 300));
        let answer = answer?;
        // 503 asks for patience; any other failure of the cloud's own is one.
        assert!(
            answer.status < 500 || answer.status == 503,
            "{method} {path}: {} {}",
            answer.status,
            answer.body
        );
        Some(answer)
    }

    /// A request that makes one fact of a thing another. It is written down before it is asked for: an answer that never
    /// comes leaves both values right. The inner None: refused, so all is as before.
    pub async fn request(
        &mut self,
        at: usize,
        changes: &[(Fact, &str)],
        what: &'static str,
        (method, path, body): (Method, &str, Value),
    ) -> Option<Option<Answer>> {
        let before = self.own.things[at].facts.clone();
        for (fact, value) in changes {
            self.own.things[at].may_be(*fact, value);
        }
        let answer = self.call(what, method, path, Some(body)).await?;
        let thing = &mut self.own.things[at];
        if answer.status >= 300 {
            thing.facts = before;
            return Some(None);
        }
        changes.iter().for_each(|(fact, value)| thing.is(*fact, value));
        Some(Some(answer))
    }

    async fn create(&mut self, kind: Kind) -> Option<()> {
        let name = self.new_name();
        let (path, wrapper) = kind.path();
        let whole = kind == Kind::Balancer && self.dice.random_bool(0.5);
        let facts: &[(Fact, &str)] = match kind {
            Kind::Server => {
                &[(Fact::Status, "ACTIVE"), (Fact::Mark, ""), (Fact::Ports, "1"), (Fact::Vcpus, "1")]
            }
            Kind::Router => &[(Fact::Ports, "0"), (Fact::Mark, "")],
            Kind::FloatingIp => &[(Fact::Port, "")],
            Kind::Port => &[(Fact::Device, ""), (Fact::Mark, "")],
            Kind::Balancer if whole => BALANCER_WHOLE,
            Kind::Balancer => BALANCER,
            Kind::Volume => &[(Fact::Server, ""), (Fact::Size, "1"), (Fact::Mark, "")],
            _ => &[(Fact::Mark, "")],
        };
        let given = if kind == Kind::Server { self.free_port() } else { None };
        let mut body = self.body(kind, &name, given);
        if whole {
            body["listeners"] = json!([whole_listener()]);
        }
        let body = if wrapper.is_empty() { body } else { json!({ wrapper: body }) };
        let mut thing = Thing::new(kind, &name, facts);
        thing.from_volume = body["server"]["block_device_mapping_v2"].is_array();
        self.own.things.push(thing);
        let at = self.own.things.len() - 1;
        if let Some(port) = given {
            // Known for certain once the server is looked at.
            self.own.things[port].of = Some(name.clone());
            self.own.things[port].facts.remove(&Fact::Device);
        }
        let answer = self.call(created(kind), Method::POST, path, Some(body)).await?;
        let thing = &mut self.own.things[at];
        if answer.status >= 300 {
            thing.known = Known::Gone;
            return Some(());
        }
        let made = if wrapper.is_empty() { &answer.body } else { &answer.body[wrapper] };
        let id = text(&made["id"]).to_owned();
        thing.id = Some(id.clone());
        thing.known = Known::There;
        match kind {
            Kind::Network => {
                let net = self.dice.random_range(0..250);
                let subnet = json!({"network_id": id, "ip_version": 4, "cidr": format!("10.{net}.0.0/24")});
                let body = json!({ "subnet": subnet });
                let made =
                    self.call("create subnet", Method::POST, "/network/v2.0/subnets", Some(body)).await?;
                self.own.things[at].subnet = made.body["subnet"]["id"].as_str().map(str::to_owned);
            }
            Kind::Image if self.dice.random_bool(0.5) => self.upload(at, &id).await?,
            Kind::Image => self.import(at, &id).await?,
            _ => {}
        }
        Some(())
    }

    fn body(&mut self, kind: Kind, name: &str, port: Option<usize>) -> Value {
        match kind {
            Kind::Server => {
                // A slow host makes room for a kill in the middle of its work.
                let slow = self.dice.random_range(0..30).to_string();
                let nic = match port {
                    Some(at) => json!({"port": self.own.things[at].id}),
                    None => json!({"uuid": self.world.network}),
                };
                let mut body = json!({
                    "name": name,
                    "imageRef": self.world.image,
                    "flavorRef": self.world.flavors[0],
                    "networks": [nic],
                    "metadata": {"simulate:delay": slow},
                });
                if self.dice.random_bool(0.2) {
                    body["imageRef"] = json!("");
                    body["block_device_mapping_v2"] = json!([{
                        "source_type": "image", "uuid": self.world.image, "destination_type": "volume",
                        "volume_size": 1, "boot_index": 0, "delete_on_termination": true,
                    }]);
                }
                body
            }
            Kind::Router => {
                json!({"name": name, "external_gateway_info": {"network_id": self.world.external}})
            }
            Kind::FloatingIp => {
                json!({"floating_network_id": self.world.external, "description": name})
            }
            Kind::Port => json!({"name": name, "network_id": self.world.network}),
            Kind::Balancer => json!({"name": name, "vip_network_id": self.world.network}),
            Kind::Image => json!({"name": name, "disk_format": "raw", "container_format": "bare"}),
            Kind::Volume => json!({"name": name, "size": 1}),
            Kind::Network | Kind::User | Kind::SecurityGroup => json!({ "name": name }),
        }
    }

    async fn send(&mut self, what: &'static str, path: &str) -> Option<Answer> {
        let data = vec![7; self.dice.random_range(1..300_000)];
        let put = Method::PUT;
        let sent = self.world.admin.try_send(put.clone(), path, "application/octet-stream", data).await;
        self.judged(what, sent.ok(), &put, path)
    }

    async fn upload(&mut self, at: usize, id: &str) -> Option<()> {
        let thing = &mut self.own.things[at];
        thing.is(Fact::Status, "queued");
        thing.may_be(Fact::Status, "active");
        let sent = self.send("upload an image", &format!("/image/v2/images/{id}/file")).await?;
        let right = if sent.status == 204 { "active" } else { "queued" };
        self.own.things[at].is(Fact::Status, right);
        Some(())
    }

    async fn import(&mut self, at: usize, id: &str) -> Option<()> {
        let thing = &mut self.own.things[at];
        thing.is(Fact::Status, "queued");
        thing.may_be(Fact::Status, "uploading");
        let sent = self.send("stage an image", &format!("/image/v2/images/{id}/stage")).await?;
        let right = if sent.status == 204 { "uploading" } else { "queued" };
        self.own.things[at].is(Fact::Status, right);
        let path = format!("/image/v2/images/{id}/import");
        let body = json!({"method": {"name": "glance-direct"}});
        self.request(at, &[(Fact::Status, "active")], "import an image", (Method::POST, &path, body)).await?;
        Some(())
    }

    async fn delete(&mut self, at: usize) -> Option<()> {
        let thing = &self.own.things[at];
        let (kind, name) = (thing.kind, thing.name.clone());
        let id = thing.id.clone()?;
        if kind == Kind::Port && thing.of.is_some() {
            return Some(());
        }
        self.own.things[at].known = Known::Unsure;
        self.taken_along(&name, &id);
        let path = format!("{}/{id}{}", kind.path().0, with_all(kind));
        let answer = self.call(deleted(kind), Method::DELETE, &path, None).await?;
        self.own.things[at].known = match answer.status {
            202 | 204 => Known::Gone,
            _ => Known::There,
        };
        Some(())
    }

    /// What the deletion of a thing changes about others.
    fn taken_along(&mut self, name: &str, id: &str) {
        for thing in &mut self.own.things {
            match thing.kind {
                // An image that is not filled yet will not be.
                Kind::Image if thing.of.as_deref() == Some(name) && thing.known == Known::There => {
                    thing.known = Known::Unsure;
                }
                Kind::Volume if thing.facts[&Fact::Server].contains(id) => thing.may_be(Fact::Server, ""),
                Kind::FloatingIp if thing.facts[&Fact::Port].contains(id) => thing.may_be(Fact::Port, ""),
                _ => {}
            }
        }
    }
}

const BALANCER: &[(Fact, &str)] =
    &[(Fact::Status, "ACTIVE"), (Fact::Mark, ""), (Fact::Ports, "1"), (Fact::Listeners, "0")];
const BALANCER_WHOLE: &[(Fact, &str)] =
    &[(Fact::Status, "ACTIVE"), (Fact::Mark, ""), (Fact::Ports, "1"), (Fact::Listeners, "1")];

/// With a pool of two members.
fn whole_listener() -> Value {
    let member = |last: u8| json!({"address": format!("10.250.0.{last}"), "protocol_port": 80});
    let pool = json!({
        "name": "pool", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "members": [member(8), member(9)],
    });
    json!({"name": "whole", "protocol": "HTTP", "protocol_port": 80, "default_pool": pool})
}

/// Load balancers and volumes go with what hangs on them.
fn with_all(kind: Kind) -> &'static str {
    if matches!(kind, Kind::Balancer | Kind::Volume) { "?cascade=true" } else { "" }
}

fn created(kind: Kind) -> &'static str {
    match kind {
        Kind::Server => "create server",
        Kind::Network => "create network",
        Kind::Port => "create port",
        Kind::SecurityGroup => "create security group",
        Kind::Router => "create router",
        Kind::FloatingIp => "create floating IP",
        Kind::Image => "create image",
        Kind::User => "create user",
        Kind::Balancer => "create load balancer",
        Kind::Volume => "create volume",
    }
}

fn deleted(kind: Kind) -> &'static str {
    match kind {
        Kind::Server => "delete server",
        Kind::Network => "delete network",
        Kind::Port => "delete port",
        Kind::SecurityGroup => "delete security group",
        Kind::Router => "delete router",
        Kind::FloatingIp => "delete floating IP",
        Kind::Image => "delete image",
        Kind::User => "delete user",
        Kind::Balancer => "delete load balancer",
        Kind::Volume => "delete volume",
    }
}

/// Deletes everything that is left of the workers' things, what others depend on last.
pub async fn clear(client: &Client, own: &mut Own) {
    own.things.sort_by_key(|thing| match thing.kind {
        Kind::Server | Kind::FloatingIp | Kind::Balancer => 0,
        Kind::Router => 1,
        Kind::Volume => 3,
        _ => 2,
    });
    for thing in own.things.iter_mut().filter(|t| t.known == Known::There) {
        let (path, _) = thing.kind.path();
        let id = thing.id.as_deref().expect("a thing that is there has an id");
        if thing.kind == Kind::Router {
            disconnect_all(client, id).await;
        }
        let whole = format!("{path}/{id}{}", with_all(thing.kind));
        let deadline = Instant::now() + PATIENCE;
        let mut answer = client.delete(&whole).await;
        // Its server may still be on its way out.
        while thing.kind == Kind::Volume && answer.status == 400 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
            answer = client.delete(&whole).await;
        }
        assert!(answer.status < 300, "DELETE {path}/{id}: {} {}", answer.status, answer.body);
        thing.known = Known::Gone;
    }
}

async fn disconnect_all(client: &Client, router: &str) {
    let path = format!("/network/v2.0/ports?device_id={router}&device_owner=network:router_interface");
    let ports = client.get(&path).await.expect(200);
    for port in ports["ports"].as_array().expect("a list") {
        let path = format!("/network/v2.0/routers/{router}/remove_router_interface");
        client.put(&path, json!({"port_id": port["id"]})).await.expect(200);
    }
}
