//! Tenants at work: each creates, acts on and deletes things of its own until the daemon dies.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Answer, Client, text};

use crate::model::{Kind, Known, Own, Thing, World};

/// So many things of a kind a worker keeps; then it deletes before it creates.
const KEEPS: usize = 4;

/// Works until the connection breaks; tells how many requests were answered.
pub async fn work(world: &mut World, round: usize, seed: u64) -> usize {
    let mut workers = std::mem::take(&mut world.workers);
    let shared = &*world;
    let work = workers.iter_mut().enumerate().map(|(number, own)| async move {
        let dice = StdRng::seed_from_u64(seed.wrapping_add(number as u64));
        let mut worker =
            Worker { world: shared, own, dice, answered: 0, label: format!("r{round}w{number}") };
        while worker.step().await.is_some() {}
        worker.answered
    });
    let done = futures::future::join_all(work).await.into_iter().sum();
    world.workers = workers;
    done
}

struct Worker<'a> {
    world: &'a World,
    own: &'a mut Own,
    dice: StdRng,
    answered: usize,
    label: String,
}

impl Worker<'_> {
    /// One request or a few. None: the daemon is dead.
    async fn step(&mut self) -> Option<()> {
        const KINDS: [Kind; 9] = [
            Kind::Server,
            Kind::Server,
            Kind::Server,
            Kind::Server,
            Kind::Network,
            Kind::Router,
            Kind::FloatingIp,
            Kind::Image,
            Kind::User,
        ];
        let kind = *KINDS.choose(&mut self.dice)?;
        let mine: Vec<usize> = (0..self.own.things.len())
            .filter(|&i| self.own.things[i].kind == kind && self.own.things[i].known == Known::There)
            .collect();
        let chosen = mine.choose(&mut self.dice).copied();
        match (chosen, self.dice.random_range(0..10)) {
            (Some(at), _) if mine.len() >= KEEPS => self.delete(at).await,
            (Some(at), 0..2) => self.delete(at).await,
            (Some(at), 2..6) if kind == Kind::Server => self.act(at).await,
            _ => self.create(kind).await,
        }
    }

    async fn call(&mut self, method: Method, path: &str, body: Option<Value>) -> Option<Answer> {
        let answer = self.world.admin.try_call(method.clone(), path, body).await.ok()?;
        self.answered += 1;
        // 503 asks for patience; any other failure of the cloud's own is one.
        assert!(
            answer.status < 500 || answer.status == 503,
            "{method} {path}: {} {}",
            answer.status,
            answer.body
        );
        Some(answer)
    }

    async fn create(&mut self, kind: Kind) -> Option<()> {
        let name = format!("{}-{:08x}", self.label, self.dice.next_u32());
        let (path, wrapper) = kind.path();
        let body = self.body(kind, &name);
        let body = if wrapper.is_empty() { body } else { json!({ wrapper: body }) };
        let statuses = if kind == Kind::Server { ["ACTIVE"].into() } else { [].into() };
        // Written down before it is asked for: an answer that never comes leaves it unsure.
        self.own.things.push(Thing { kind, name: name.clone(), id: None, known: Known::Unsure, statuses });
        let at = self.own.things.len() - 1;
        let answer = self.call(Method::POST, path, Some(body)).await?;
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
                self.call(Method::POST, "/network/v2.0/subnets", Some(json!({ "subnet": subnet }))).await?;
            }
            Kind::Image => self.upload(at, &id).await?,
            _ => {}
        }
        Some(())
    }

    fn body(&mut self, kind: Kind, name: &str) -> Value {
        match kind {
            Kind::Server => {
                // A slow host makes room for a kill in the middle of its work.
                let slow = self.dice.random_range(0..30).to_string();
                json!({
                    "name": name,
                    "imageRef": self.world.image,
                    "flavorRef": self.world.flavor,
                    "networks": [{"uuid": self.world.network}],
                    "metadata": {"simulate:delay": slow},
                })
            }
            Kind::Router => {
                json!({"name": name, "external_gateway_info": {"network_id": self.world.external}})
            }
            Kind::FloatingIp => {
                json!({"floating_network_id": self.world.external, "description": name})
            }
            Kind::Image => json!({"name": name, "disk_format": "raw", "container_format": "bare"}),
            Kind::Network | Kind::User => json!({ "name": name }),
        }
    }

    async fn upload(&mut self, at: usize, id: &str) -> Option<()> {
        let data = vec![7; self.dice.random_range(1..300_000)];
        let path = format!("/image/v2/images/{id}/file");
        self.own.things[at].statuses = ["queued", "active"].into();
        let sent = self.world.admin.try_send(Method::PUT, &path, "application/octet-stream", data).await;
        if sent.ok()?.status == 204 {
            self.own.things[at].statuses = ["active"].into();
        }
        Some(())
    }

    async fn act(&mut self, at: usize) -> Option<()> {
        const ACTIONS: [(&str, &str); 6] = [
            ("os-stop", "SHUTOFF"),
            ("os-start", "ACTIVE"),
            ("pause", "PAUSED"),
            ("unpause", "ACTIVE"),
            ("soft", "ACTIVE"),
            ("hard", "ACTIVE"),
        ];
        let (action, target) = *ACTIONS.choose(&mut self.dice)?;
        let id = self.own.things[at].id.clone()?;
        let body = match action {
            "soft" => json!({"reboot": {"type": "SOFT"}}),
            "hard" => json!({"reboot": {"type": "HARD"}}),
            other => json!({ other: null }),
        };
        let before = self.own.things[at].statuses.clone();
        self.own.things[at].statuses.insert(target);
        let path = format!("/compute/v2.1/servers/{id}/action");
        let answer = self.call(Method::POST, &path, Some(body)).await?;
        // Refused as its state forbids it: all is as before.
        self.own.things[at].statuses = if answer.status == 202 { [target].into() } else { before };
        Some(())
    }

    async fn delete(&mut self, at: usize) -> Option<()> {
        let (path, _) = self.own.things[at].kind.path();
        let id = self.own.things[at].id.clone()?;
        self.own.things[at].known = Known::Unsure;
        let answer = self.call(Method::DELETE, &format!("{path}/{id}"), None).await?;
        self.own.things[at].known = match answer.status {
            202 | 204 => Known::Gone,
            _ => Known::There,
        };
        Some(())
    }
}

/// Deletes everything that is left of the workers' things.
pub async fn clear(client: &Client, own: &mut Own) {
    for thing in own.things.iter_mut().filter(|t| t.known == Known::There) {
        let (path, _) = thing.kind.path();
        let id = thing.id.as_deref().expect("a thing that is there has an id");
        let answer = client.delete(&format!("{path}/{id}")).await;
        assert!(answer.status < 300, "DELETE {path}/{id}: {} {}", answer.status, answer.body);
        thing.known = Known::Gone;
    }
}
