//! What is done to things that are there.

use rand::RngExt;
use rand::seq::IndexedRandom;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::text;

use crate::model::{Fact, Kind, Known, Thing};
use crate::workers::Worker;

/// Actions by the status in which they are allowed, with the status that they lead to.
const ACTIONS: &[(&str, &str, &str)] = &[
    ("ACTIVE", "os-stop", "SHUTOFF"),
    ("ACTIVE", "pause", "PAUSED"),
    ("ACTIVE", "suspend", "SUSPENDED"),
    ("ACTIVE", "reboot softly", "ACTIVE"),
    ("ACTIVE", "reboot hard", "ACTIVE"),
    ("ACTIVE", "rebuild", "ACTIVE"),
    ("ACTIVE", "rescue", "RESCUE"),
    ("ACTIVE", "shelve", "SHELVED_OFFLOADED"),
    ("ACTIVE", "resize", "VERIFY_RESIZE"),
    ("ACTIVE", "createImage", "ACTIVE"),
    ("ACTIVE", "createBackup", "ACTIVE"),
    ("SHUTOFF", "os-start", "ACTIVE"),
    ("SHUTOFF", "rebuild", "SHUTOFF"),
    ("SHUTOFF", "rescue", "RESCUE"),
    ("SHUTOFF", "resize", "VERIFY_RESIZE"),
    ("SHUTOFF", "shelve", "SHELVED_OFFLOADED"),
    ("SHUTOFF", "createImage", "SHUTOFF"),
    ("SHUTOFF", "reboot hard", "ACTIVE"),
    ("PAUSED", "unpause", "ACTIVE"),
    ("PAUSED", "shelve", "SHELVED_OFFLOADED"),
    ("PAUSED", "createImage", "PAUSED"),
    ("SUSPENDED", "resume", "ACTIVE"),
    ("SUSPENDED", "shelve", "SHELVED_OFFLOADED"),
    ("RESCUE", "unrescue", "ACTIVE"),
    ("SHELVED_OFFLOADED", "unshelve", "ACTIVE"),
    ("VERIFY_RESIZE", "confirmResize", ""),
    ("VERIFY_RESIZE", "revertResize", ""),
];

impl Worker<'_> {
    pub async fn change(&mut self, at: usize) -> Option<()> {
        let kind = self.own.things[at].kind;
        match (kind, self.dice.random_range(0..10)) {
            (Kind::Server, 0) => self.attach(at).await,
            (Kind::Server, 1) => self.detach(at).await,
            (Kind::Server, 2..) => self.act(at).await,
            (Kind::Router, 0..4) => self.connect(at).await,
            (Kind::Router, 4..8) => self.disconnect(at).await,
            (Kind::Balancer, 0..5) => self.listen(at).await,
            (Kind::FloatingIp, _) => self.associate(at).await,
            (Kind::Volume, 0..5) => self.hand_over(at).await,
            (Kind::Volume, 5..7) => self.extend(at).await,
            (Kind::Volume, 7) => self.snapshot(at).await,
            (Kind::Volume, 8) => self.forget_snapshot(at).await,
            _ => self.mark(at).await,
        }
    }

    async fn mark(&mut self, at: usize) -> Option<()> {
        let mark = self.new_name();
        let thing = &self.own.things[at];
        let (path, wrapper) = thing.kind.path();
        let path = format!("{path}/{}", thing.id.as_deref()?);
        let described = json!({ wrapper: {"description": mark} });
        let request = match thing.kind {
            Kind::Server => (Method::POST, &*format!("{path}/metadata"), json!({"metadata": {"mark": mark}})),
            Kind::Image => return self.mark_image(at, &path, &mark).await,
            Kind::User => (Method::PATCH, &*path, described),
            _ => (Method::PUT, &*path, described),
        };
        self.request(at, &[(Fact::Mark, &mark)], "update", request).await?;
        Some(())
    }

    async fn mark_image(&mut self, at: usize, path: &str, mark: &str) -> Option<()> {
        let patch = json!([{"op": "add", "path": "/mark", "value": mark}]).to_string();
        self.own.things[at].may_be(Fact::Mark, mark);
        let kind = "application/openstack-images-v2.1-json-patch";
        let sent = self.world.admin.try_send(Method::PATCH, path, kind, patch.into()).await.ok()?;
        assert_eq!(sent.status, 200, "{}", sent.body);
        self.own.things[at].is(Fact::Mark, mark);
        Some(())
    }

    async fn act(&mut self, at: usize) -> Option<()> {
        if self.dice.random_bool(0.15) {
            return self.mark(at).await;
        }
        let Some(status) = self.own.things[at].fact(Fact::Status).map(str::to_owned) else { return Some(()) };
        let allowed: Vec<_> = ACTIONS.iter().filter(|(from, ..)| *from == status).collect();
        // One in ERROR allows deletion only, as far as these workers know.
        let Some(&&(_, action, target)) = allowed.choose(&mut self.dice) else { return Some(()) };
        let (vcpus, other) = match self.own.things[at].fact(Fact::Vcpus) {
            Some("1") => ("1", "2"),
            _ => ("2", "1"),
        };
        match action {
            // Their snapshots would keep its volume.
            "createImage" | "createBackup" if self.own.things[at].from_volume => Some(()),
            "createImage" | "createBackup" => self.copy(at, action).await,
            "resize" => {
                let flavor = if other == "2" { &self.world.flavors[1] } else { &self.world.flavors[0] };
                self.own.things[at].was_off = status == "SHUTOFF";
                let body = json!({"resize": {"flavorRef": flavor}});
                self.ask(at, &[(Fact::Status, target), (Fact::Vcpus, other)], action, body).await
            }
            "confirmResize" | "revertResize" => {
                let now = if self.own.things[at].was_off { "SHUTOFF" } else { "ACTIVE" };
                let vcpus = if action == "revertResize" { other } else { vcpus };
                let body = json!({ action: null });
                self.ask(at, &[(Fact::Status, now), (Fact::Vcpus, vcpus)], action, body).await
            }
            "reboot softly" => {
                self.ask(at, &[(Fact::Status, target)], action, json!({"reboot": {"type": "SOFT"}})).await
            }
            "reboot hard" => {
                self.ask(at, &[(Fact::Status, target)], action, json!({"reboot": {"type": "HARD"}})).await
            }
            "rebuild" => {
                let body = json!({"rebuild": {"imageRef": self.world.image}});
                self.ask(at, &[(Fact::Status, target)], action, body).await
            }
            plain => self.ask(at, &[(Fact::Status, target)], action, json!({ plain: null })).await,
        }
    }

    async fn ask(
        &mut self,
        at: usize,
        changes: &[(Fact, &str)],
        what: &'static str,
        body: Value,
    ) -> Option<()> {
        let path = format!("/compute/v2.1/servers/{}/action", self.own.things[at].id.as_deref()?);
        self.request(at, changes, what, (Method::POST, &path, body)).await?;
        Some(())
    }

    /// An image of the server's disk is a thing of its own, until it is filled only as sure as its server.
    async fn copy(&mut self, at: usize, action: &'static str) -> Option<()> {
        let name = self.new_name();
        let body = match action {
            "createBackup" => json!({"name": name, "backup_type": "daily", "rotation": 100}),
            _ => json!({ "name": name }),
        };
        let path = format!("/compute/v2.1/servers/{}/action", self.own.things[at].id.as_deref()?);
        let mut image = Thing::new(Kind::Image, &name, &[(Fact::Status, "active"), (Fact::Mark, "")]);
        image.of = Some(self.own.things[at].name.clone());
        self.own.things.push(image);
        let image = self.own.things.len() - 1;
        let answer = self.call(action, Method::POST, &path, Some(json!({ action: body }))).await?;
        let thing = &mut self.own.things[image];
        if answer.status >= 300 {
            thing.known = Known::Gone;
            return Some(());
        }
        thing.known = Known::There;
        thing.id = Some(text(&answer.body["image_id"]).to_owned());
        Some(())
    }

    async fn attach(&mut self, at: usize) -> Option<()> {
        let Some(ports) = self.count(at) else { return Some(()) };
        if ports > 3 {
            return Some(());
        }
        let path = format!("/compute/v2.1/servers/{}/os-interface", self.own.things[at].id.as_deref()?);
        let body = json!({"interfaceAttachment": {"net_id": self.world.network}});
        let change = [(Fact::Ports, &*(ports + 1).to_string())];
        self.request(at, &change, "attach an interface", (Method::POST, &path, body)).await?;
        Some(())
    }

    /// The newest one goes, so that a port that was given at the creation stays.
    async fn detach(&mut self, at: usize) -> Option<()> {
        let Some(ports) = self.count(at).filter(|ports| *ports > 1) else { return Some(()) };
        let path = format!("/compute/v2.1/servers/{}/os-interface", self.own.things[at].id.as_deref()?);
        let listed = self.call("list interfaces", Method::GET, &path, None).await?;
        let attached = listed.body["interfaceAttachments"].as_array().cloned().unwrap_or_default();
        let given: Vec<&str> = self.own.things.iter().filter_map(|t| t.id.as_deref()).collect();
        let Some(port) = attached.iter().rev().map(|a| text(&a["port_id"])).find(|id| !given.contains(id))
        else {
            return Some(());
        };
        let before = self.own.things[at].facts.clone();
        let fewer = (ports - 1).to_string();
        self.own.things[at].may_be(Fact::Ports, &fewer);
        let path = format!("{path}/{port}");
        let answer = self.call("detach an interface", Method::DELETE, &path, None).await?;
        match answer.status {
            202 => self.own.things[at].is(Fact::Ports, &fewer),
            _ => self.own.things[at].facts = before,
        }
        Some(())
    }

    fn count(&self, at: usize) -> Option<usize> {
        self.own.things[at].fact(Fact::Ports)?.parse().ok()
    }

    /// A router's new interface in one of the worker's networks.
    async fn connect(&mut self, at: usize) -> Option<()> {
        let free = |&at: &usize| self.own.things[at].subnet.is_some() && self.own.things[at].of.is_none();
        let free: Vec<usize> = self.mine(Kind::Network).into_iter().filter(free).collect();
        let (Some(&network), Some(ports)) = (free.choose(&mut self.dice), self.count(at)) else {
            return Some(());
        };
        let subnet = self.own.things[network].subnet.clone();
        // Whatever comes of it: the judge sees whose the network is.
        self.own.things[network].of = self.own.things[at].id.clone();
        self.router_interface(at, "add_router_interface", ports + 1, json!({ "subnet_id": subnet })).await
    }

    async fn disconnect(&mut self, at: usize) -> Option<()> {
        let router = self.own.things[at].id.clone();
        let mine = self.mine(Kind::Network);
        let network = mine.into_iter().find(|&n| self.own.things[n].of == router);
        let (Some(network), Some(ports)) = (network, self.count(at).filter(|ports| *ports > 0)) else {
            return Some(());
        };
        let subnet = self.own.things[network].subnet.clone();
        self.router_interface(at, "remove_router_interface", ports - 1, json!({ "subnet_id": subnet })).await
    }

    async fn router_interface(
        &mut self,
        at: usize,
        what: &'static str,
        ports: usize,
        body: Value,
    ) -> Option<()> {
        let path = format!("/network/v2.0/routers/{}/{what}", self.own.things[at].id.as_deref()?);
        let change = [(Fact::Ports, &*ports.to_string())];
        self.request(at, &change, what, (Method::PUT, &path, body)).await?;
        Some(())
    }

    /// One listener more. A load balancer that is busy refuses it.
    async fn listen(&mut self, at: usize) -> Option<()> {
        let thing = &self.own.things[at];
        let Some(before) = thing.fact(Fact::Listeners).and_then(|n| n.parse::<u16>().ok()) else {
            return Some(());
        };
        let listener = json!({"loadbalancer_id": thing.id, "protocol": "TCP", "protocol_port": 81 + before});
        let more = (before + 1).to_string();
        let request = (Method::POST, "/load-balancer/v2/lbaas/listeners", json!({ "listener": listener }));
        self.request(at, &[(Fact::Listeners, &more)], "create listener", request).await?;
        Some(())
    }

    /// A volume comes to one of the worker's servers, or goes from the one that has it.
    async fn hand_over(&mut self, at: usize) -> Option<()> {
        let volume = self.own.things[at].id.clone()?;
        let Some(has) = self.own.things[at].fact(Fact::Server).map(str::to_owned) else { return Some(()) };
        if !has.is_empty() {
            let path = format!("/compute/v2.1/servers/{has}/os-volume_attachments/{volume}");
            let request = (Method::DELETE, &*path, Value::Null);
            self.request(at, &[(Fact::Server, "")], "detach a volume", request).await?;
            return Some(());
        }
        let servers = self.mine(Kind::Server);
        let Some(server) = servers.choose(&mut self.dice).and_then(|&n| self.own.things[n].id.clone()) else {
            return Some(());
        };
        let path = format!("/compute/v2.1/servers/{server}/os-volume_attachments");
        let body = json!({"volumeAttachment": {"volumeId": volume}});
        let request = (Method::POST, &*path, body);
        self.request(at, &[(Fact::Server, &server)], "attach a volume", request).await?;
        Some(())
    }

    async fn extend(&mut self, at: usize) -> Option<()> {
        let size: Option<u32> = self.own.things[at].fact(Fact::Size).and_then(|size| size.parse().ok());
        let Some(larger) = size.map(|size| size + 1) else { return Some(()) };
        let path = format!("/volume/v3/volumes/{}/action", self.own.things[at].id.as_deref()?);
        let request = (Method::POST, &*path, json!({"os-extend": {"new_size": larger}}));
        self.request(at, &[(Fact::Size, &larger.to_string())], "extend a volume", request).await?;
        Some(())
    }

    /// It goes with its volume.
    async fn snapshot(&mut self, at: usize) -> Option<()> {
        let body = json!({"snapshot": {"volume_id": self.own.things[at].id, "force": true}});
        let path = "/volume/v3/snapshots";
        self.request(at, &[], "make a snapshot", (Method::POST, path, body)).await?;
        Some(())
    }

    /// What it leaves is merged while the daemon is killed and the volume comes and goes.
    async fn forget_snapshot(&mut self, at: usize) -> Option<()> {
        let path = format!("/volume/v3/snapshots?volume_id={}", self.own.things[at].id.as_deref()?);
        let listed = self.call("list snapshots", Method::GET, &path, None).await?;
        let Some(id) =
            listed.body["snapshots"].as_array().and_then(|all| all.last()).map(|one| text(&one["id"]))
        else {
            return Some(());
        };
        self.call("delete a snapshot", Method::DELETE, &format!("/volume/v3/snapshots/{id}"), None).await?;
        Some(())
    }

    /// A floating IP moves to a port of the worker's, or to none.
    async fn associate(&mut self, at: usize) -> Option<()> {
        let ports = self.mine(Kind::Port);
        let port = ports.choose(&mut self.dice).filter(|_| self.dice.random_bool(0.7));
        let port = port.and_then(|&port| self.own.things[port].id.clone());
        let path = format!("/network/v2.0/floatingips/{}", self.own.things[at].id.as_deref()?);
        let body = json!({"floatingip": {"port_id": port}});
        let change = [(Fact::Port, port.as_deref().unwrap_or_default())];
        self.request(at, &change, "associate a floating IP", (Method::PUT, &path, body)).await?;
        Some(())
    }

    /// One of the worker's ports for a new server, now and then.
    pub fn free_port(&mut self) -> Option<usize> {
        if self.dice.random_bool(0.6) {
            return None;
        }
        self.mine(Kind::Port).into_iter().find(|&port| self.own.things[port].of.is_none())
    }
}
