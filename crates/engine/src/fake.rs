//! A cloud in memory: keeps the rules that decide in which order things can be made and deleted, and dies on request.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use openstack::{
    ApplicationCredential, Capabilities, Connection, Error, Fault, FixedIp, Flavor, FloatingIp, Image,
    Keypair, LoadBalancer, Network, NewApplicationCredential, NewFloatingIp, NewKeypair, NewNetwork, NewPort,
    NewRouter, NewSecurityGroup, NewSecurityGroupRule, NewServer, NewServerGroup, NewSubnet, Port, Result,
    Route, Router, SecurityGroup, SecurityGroupRule, Server, ServerGroup, Subnet, Taggable, Volume,
    VolumeSnapshot,
};

use crate::Cloud;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Things {
    pub networks: Vec<Network>,
    pub subnets: Vec<Subnet>,
    pub routers: Vec<Router>,
    pub ports: Vec<Port>,
    pub floating_ips: Vec<FloatingIp>,
    pub security_groups: Vec<SecurityGroup>,
    pub servers: Vec<Server>,
    pub server_groups: Vec<ServerGroup>,
    pub keypairs: Vec<Keypair>,
    pub credentials: Vec<ApplicationCredential>,
    pub load_balancers: Vec<LoadBalancer>,
    pub volumes: Vec<Volume>,
    pub snapshots: Vec<VolumeSnapshot>,
}

#[derive(Debug, Default)]
struct Inner {
    things: Things,
    counter: u32,
    /// Changing requests until the end of the engine; `None` is never.
    left: Option<u32>,
    /// Is the last request still carried out, and only its answer lost?
    last_is_done: bool,
    changes: u32,
    broken_server: Option<String>,
    restricted: bool,
}

#[derive(Default)]
pub(crate) struct FakeCloud(Mutex<Inner>);

fn status(status: u16, says: &str) -> Error {
    Error::Http { call: "fake".into(), status, service_says: says.into(), request_id: None }
}
fn killed() -> Error {
    Error::Config { message: "killed".into() }
}

impl FakeCloud {
    pub fn things(&self) -> Things {
        self.lock().things.clone()
    }
    pub fn edit(&self, change: impl FnOnce(&mut Things)) {
        change(&mut self.lock().things);
    }
    /// Let `requests` more changes through; then everything fails, as if the engine were dead.
    pub fn kill_after(&self, requests: Option<u32>, last_is_done: bool) {
        let mut inner = self.lock();
        inner.left = requests;
        inner.last_is_done = last_is_done;
    }
    pub fn changes(&self) -> u32 {
        self.lock().changes
    }
    /// The next server of this name ends in ERROR.
    pub fn break_server(&self, name: &str) {
        self.lock().broken_server = Some(name.to_owned());
    }

    /// From now on we are logged in by a restricted application credential.
    pub fn restrict(&self) {
        self.lock().restricted = true;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn read<T>(&self, look: impl FnOnce(&mut Things) -> T) -> Result<T> {
        let mut inner = self.lock();
        if inner.left == Some(0) { Err(killed()) } else { Ok(look(&mut inner.things)) }
    }

    fn change<T>(&self, act: impl FnOnce(&mut Inner, String) -> Result<T>) -> Result<T> {
        let mut inner = self.lock();
        match inner.left {
            Some(0) => return Err(killed()),
            Some(1) => {
                inner.left = Some(0);
                if inner.last_is_done {
                    let id = inner.next_id();
                    let _ = act(&mut inner, id);
                }
                return Err(killed());
            }
            Some(left) => inner.left = Some(left - 1),
            None => {}
        }
        inner.changes += 1;
        let id = inner.next_id();
        act(&mut inner, id)
    }
}

impl Inner {
    fn next_id(&mut self) -> String {
        self.counter += 1;
        format!("id-{:04}", self.counter)
    }
}

/// Remove by id; 404 when it is not there.
fn take<T>(list: &mut Vec<T>, is: impl Fn(&T) -> bool) -> Result<()> {
    let before = list.len();
    list.retain(|item| !is(item));
    if list.len() == before { Err(status(404, "not found")) } else { Ok(()) }
}

#[async_trait]
impl Cloud for FakeCloud {
    fn cloud_name(&self) -> String {
        "fake".into()
    }
    fn project_id(&self) -> String {
        "project".into()
    }
    async fn capabilities(&self) -> Result<Capabilities> {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let network_extensions =
            names(&["standard-attr-tag", "router", "extraroute", "allowed-address-pairs"]);
        let services = names(&["load-balancer", "block-storage"]);
        Ok(Capabilities { network_extensions, compute_microversion: (2, 96), services })
    }
    fn connection(&self) -> Result<Connection> {
        let auth_url = "http://172.24.4.1:5000/v3".to_owned();
        Ok(Connection { auth_url, region: None, interface: None, ca: None, insecure: false })
    }
    fn roles(&self) -> Vec<String> {
        vec!["admin".into(), "member".into()]
    }
    fn may_make_credentials(&self) -> bool {
        !self.lock().restricted
    }
    async fn compute_zones(&self) -> Result<Vec<String>> {
        self.read(|_| vec!["nova".to_owned()])
    }
    async fn volume_zones(&self) -> Result<Vec<String>> {
        self.read(|_| vec!["nova".to_owned()])
    }
    async fn application_credentials(&self) -> Result<Vec<ApplicationCredential>> {
        // The secret is told once.
        let known = |it: &ApplicationCredential| ApplicationCredential { secret: None, ..it.clone() };
        self.read(|things| things.credentials.iter().map(known).collect())
    }
    async fn create_application_credential(
        &self,
        new: &NewApplicationCredential,
    ) -> Result<ApplicationCredential> {
        self.change(|inner, id| {
            if inner.things.credentials.iter().any(|it| it.name == new.name) {
                return Err(status(409, "a credential of that name exists"));
            }
            let (name, description) = (new.name.clone(), new.description.clone());
            let secret = Some(format!("secret of {id}"));
            let made = ApplicationCredential { id, name, description, secret };
            inner.things.credentials.push(made.clone());
            Ok(made)
        })
    }
    async fn delete_application_credential(&self, id: &str) -> Result<()> {
        self.change(|inner, _| take(&mut inner.things.credentials, |it| it.id == id))
    }
    async fn load_balancers(&self) -> Result<Vec<LoadBalancer>> {
        self.read(|things| things.load_balancers.clone())
    }
    /// Each look moves one that goes on, and at last its port goes with it.
    async fn load_balancer(&self, id: &str) -> Result<LoadBalancer> {
        self.read(|things| {
            let at = things.load_balancers.iter().position(|it| it.id == id)?;
            if things.load_balancers[at].provisioning_status == "PENDING_DELETE" {
                let gone = things.load_balancers.remove(at);
                things.ports.retain(|port| port.id != gone.vip_port_id);
                return Some(gone);
            }
            Some(things.load_balancers[at].clone())
        })?
        .ok_or_else(|| status(404, "no such load balancer"))
    }
    async fn delete_load_balancer(&self, id: &str) -> Result<()> {
        self.change(|inner, _| {
            let found = inner.things.load_balancers.iter_mut().find(|it| it.id == id);
            let found = found.ok_or_else(|| status(404, "no such load balancer"))?;
            if found.provisioning_status != "ACTIVE" {
                return Err(status(409, "the load balancer is immutable"));
            }
            found.provisioning_status = "PENDING_DELETE".into();
            Ok(())
        })
    }
    async fn volumes(&self) -> Result<Vec<Volume>> {
        self.read(|things| things.volumes.clone())
    }
    async fn volume(&self, id: &str) -> Result<Volume> {
        let found = self.read(|things| things.volumes.iter().find(|it| it.id == id).cloned())?;
        found.ok_or_else(|| status(404, "no such volume"))
    }
    async fn delete_volume(&self, id: &str) -> Result<()> {
        self.change(|inner, _| {
            if inner.things.snapshots.iter().any(|it| it.volume_id == id) {
                return Err(status(400, "the volume has snapshots"));
            }
            take(&mut inner.things.volumes, |it| it.id == id)
        })
    }
    async fn volume_snapshots(&self) -> Result<Vec<VolumeSnapshot>> {
        self.read(|things| things.snapshots.clone())
    }
    async fn volume_snapshot(&self, id: &str) -> Result<VolumeSnapshot> {
        let found = self.read(|things| things.snapshots.iter().find(|it| it.id == id).cloned())?;
        found.ok_or_else(|| status(404, "no such snapshot"))
    }
    async fn delete_volume_snapshot(&self, id: &str) -> Result<()> {
        self.change(|inner, _| take(&mut inner.things.snapshots, |it| it.id == id))
    }
    async fn set_router_routes(&self, router: &str, routes: &[Route]) -> Result<()> {
        self.change(|inner, _| {
            let found = inner.things.routers.iter_mut().find(|it| it.id == router);
            found.ok_or_else(|| status(404, "no such router"))?.routes = routes.to_vec();
            Ok(())
        })
    }
    async fn networks(&self, filters: &[(&str, &str)]) -> Result<Vec<Network>> {
        let external = filters.contains(&("router:external", "true"));
        self.read(|things| things.networks.iter().filter(|it| !external || it.external).cloned().collect())
    }
    async fn subnets(&self, _: &[(&str, &str)]) -> Result<Vec<Subnet>> {
        self.read(|things| things.subnets.clone())
    }
    async fn routers(&self, _: &[(&str, &str)]) -> Result<Vec<Router>> {
        self.read(|things| things.routers.clone())
    }
    async fn ports(&self, filters: &[(&str, &str)]) -> Result<Vec<Port>> {
        let device = filters.iter().find(|(key, _)| *key == "device_id").map(|(_, id)| (*id).to_owned());
        self.read(|things| {
            things
                .ports
                .iter()
                .filter(|it| device.as_ref().is_none_or(|id| it.device_id == *id))
                .cloned()
                .collect()
        })
    }
    async fn floating_ips(&self, _: &[(&str, &str)]) -> Result<Vec<FloatingIp>> {
        self.read(|things| things.floating_ips.clone())
    }
    async fn security_groups(&self, _: &[(&str, &str)]) -> Result<Vec<SecurityGroup>> {
        self.read(|things| things.security_groups.clone())
    }
    async fn servers(&self, _: &[(&str, &str)]) -> Result<Vec<Server>> {
        self.read(|things| things.servers.clone())
    }
    async fn server_groups(&self) -> Result<Vec<ServerGroup>> {
        self.read(|things| things.server_groups.clone())
    }
    async fn keypairs(&self) -> Result<Vec<Keypair>> {
        self.read(|things| things.keypairs.clone())
    }
    async fn flavors(&self) -> Result<Vec<Flavor>> {
        let flavor = |id: &str, vcpus, ram| Flavor { id: id.into(), name: id.into(), vcpus, ram, disk: 20 };
        self.read(|_| vec![flavor("small", 1, 2048), flavor("medium", 2, 4096)])
    }
    async fn images(&self, _: &[(&str, &str)]) -> Result<Vec<Image>> {
        let name = "debian-13-kubernetes-v1.36.3".to_owned();
        let (min_disk, min_ram) = (4, 0);
        let other = Default::default();
        let (size, created_at) = (None, None);
        let image = Image {
            id: "image".into(),
            name,
            status: "active".into(),
            min_disk,
            min_ram,
            size,
            created_at,
            other,
        };
        self.read(|_| vec![image])
    }
    /// Each look moves a server on.
    async fn server(&self, id: &str) -> Result<Server> {
        self.read(|things| {
            let server = things.servers.iter_mut().find(|server| server.id == id)?;
            match server.status.as_str() {
                "BUILD" if server.fault.is_some() => server.status = "ERROR".into(),
                "BUILD" => server.status = "ACTIVE".into(),
                "GOING" => {
                    things.servers.retain(|server| server.id != id);
                    for port in things.ports.iter_mut().filter(|port| port.device_id == id) {
                        port.device_id.clear();
                    }
                    return None;
                }
                "DELETING" => server.status = "GOING".into(),
                _ => {}
            }
            Some(server.clone())
        })?
        .ok_or_else(|| status(404, "no such server"))
    }
    async fn console_log(&self, _: &str, _: u32) -> Result<String> {
        self.read(|_| "booting".to_owned())
    }
    async fn create_network(&self, new: &NewNetwork) -> Result<Network> {
        self.change(|inner, id| {
            let network = Network {
                id,
                name: new.name.clone(),
                description: new.description.clone(),
                status: "ACTIVE".into(),
                external: false,
                shared: false,
                mtu: Some(1500),
                subnets: vec![],
                tags: vec![],
            };
            inner.things.networks.push(network.clone());
            Ok(network)
        })
    }
    async fn create_subnet(&self, new: &NewSubnet) -> Result<Subnet> {
        self.change(|inner, id| {
            let subnet = Subnet {
                id,
                network_id: new.network_id.clone(),
                name: new.name.clone(),
                description: new.description.clone(),
                cidr: new.cidr.clone(),
                ip_version: 4,
                gateway_ip: None,
                dns_nameservers: vec![],
                tags: vec![],
            };
            inner.things.subnets.push(subnet.clone());
            Ok(subnet)
        })
    }
    async fn create_router(&self, new: &NewRouter) -> Result<Router> {
        self.change(|inner, id| {
            let router = Router {
                id,
                name: new.name.clone(),
                description: new.description.clone(),
                external_gateway_info: Some(new.external_gateway_info.clone()),
                routes: vec![],
                tags: vec![],
            };
            inner.things.routers.push(router.clone());
            Ok(router)
        })
    }
    async fn create_port(&self, new: &NewPort) -> Result<Port> {
        self.change(|inner, id| {
            let subnet_id = new.fixed_ips[0].subnet_id.clone();
            let ip_address = format!("10.6.0.{}", 10 + inner.things.ports.len());
            let port = Port {
                id,
                network_id: new.network_id.clone(),
                name: new.name.clone(),
                description: new.description.clone(),
                device_id: String::new(),
                device_owner: String::new(),
                status: "DOWN".into(),
                fixed_ips: vec![FixedIp { subnet_id, ip_address }],
                security_groups: new.security_groups.clone(),
                tags: vec![],
            };
            inner.things.ports.push(port.clone());
            Ok(port)
        })
    }
    async fn create_floating_ip(&self, new: &NewFloatingIp) -> Result<FloatingIp> {
        self.change(|inner, id| {
            // A floating IP works only through a router with an interface on the port's subnet.
            if !inner.things.ports.iter().any(Port::is_router_interface) {
                return Err(status(404, "external network is not reachable from the subnet"));
            }
            let ip = FloatingIp {
                id,
                floating_ip_address: "172.24.4.7".into(),
                floating_network_id: new.floating_network_id.clone(),
                fixed_ip_address: None,
                port_id: Some(new.port_id.clone()),
                status: "ACTIVE".into(),
                description: new.description.clone(),
                tags: vec![],
            };
            inner.things.floating_ips.push(ip.clone());
            Ok(ip)
        })
    }
    async fn create_security_group(&self, new: &NewSecurityGroup) -> Result<SecurityGroup> {
        self.change(|inner, id| {
            let group = SecurityGroup {
                id,
                name: new.name.clone(),
                description: new.description.clone(),
                security_group_rules: vec![],
                tags: vec![],
            };
            inner.things.security_groups.push(group.clone());
            Ok(group)
        })
    }
    async fn create_security_group_rule(&self, new: &NewSecurityGroupRule) -> Result<SecurityGroupRule> {
        self.change(|inner, id| {
            let rule = SecurityGroupRule {
                id,
                security_group_id: new.security_group_id.clone(),
                direction: new.direction.clone(),
                ethertype: Some(new.ethertype.clone()),
                protocol: new.protocol.clone(),
                port_range_min: new.port_range_min,
                port_range_max: new.port_range_max,
                // As Neutron may write it back.
                remote_ip_prefix: new.remote_ip_prefix.clone().filter(|range| range != "0.0.0.0/0"),
                remote_group_id: new.remote_group_id.clone(),
            };
            let groups = &mut inner.things.security_groups;
            let group = groups.iter_mut().find(|it| it.id == new.security_group_id);
            let group = group.ok_or_else(|| status(404, "no such group"))?;
            let same =
                |it: &SecurityGroupRule| SecurityGroupRule { id: rule.id.clone(), ..it.clone() } == rule;
            if group.security_group_rules.iter().any(same) {
                return Err(status(409, "the rule exists"));
            }
            group.security_group_rules.push(rule.clone());
            Ok(rule)
        })
    }
    async fn create_server(&self, new: &NewServer) -> Result<Server> {
        self.change(|inner, id| {
            let broken = inner.broken_server.take_if(|name| *name == new.name).is_some();
            let fault = Fault { code: 500, message: "No valid host was found.".into(), details: None };
            let server = Server {
                id: id.clone(),
                name: new.name.clone(),
                status: "BUILD".into(),
                fault: broken.then_some(fault),
                metadata: new.metadata.clone(),
                addresses: Default::default(),
                task_state: None,
            };
            let ports = &mut inner.things.ports;
            let port =
                ports.iter_mut().find(|it| it.id == new.port_ids[0]).ok_or_else(|| status(400, "no port"))?;
            if !port.device_id.is_empty() {
                return Err(status(409, "port in use"));
            }
            port.device_id = id;
            inner.things.servers.push(server.clone());
            Ok(server)
        })
    }
    async fn create_server_group(&self, new: &NewServerGroup) -> Result<ServerGroup> {
        self.change(|inner, id| {
            let group = ServerGroup { id, name: new.name.clone() };
            inner.things.server_groups.push(group.clone());
            Ok(group)
        })
    }
    async fn create_keypair(&self, new: &NewKeypair) -> Result<Keypair> {
        self.change(|inner, _| {
            let keypair = Keypair { name: new.name.clone(), fingerprint: String::new() };
            inner.things.keypairs.push(keypair.clone());
            Ok(keypair)
        })
    }
    async fn add_router_interface(&self, router: &str, subnet: &str) -> Result<()> {
        self.change(|inner, id| {
            let port = Port {
                id,
                network_id: "of the subnet".into(),
                name: String::new(),
                description: String::new(),
                device_id: router.to_owned(),
                device_owner: "network:router_interface".into(),
                status: "ACTIVE".into(),
                fixed_ips: vec![FixedIp { subnet_id: subnet.to_owned(), ip_address: "10.6.0.1".into() }],
                security_groups: vec![],
                tags: vec![],
            };
            inner.things.ports.push(port);
            Ok(())
        })
    }
    async fn remove_router_interface(&self, router: &str, subnet: &str) -> Result<()> {
        self.change(|inner, _| {
            if inner.things.floating_ips.iter().any(|ip| ip.port_id.is_some()) {
                return Err(status(409, "a floating IP needs it"));
            }
            if inner.things.routers.iter().any(|it| it.id == router && !it.routes.is_empty()) {
                return Err(status(409, "a route needs it"));
            }
            take(&mut inner.things.ports, |port| {
                port.device_id == router && port.fixed_ips.iter().any(|ip| ip.subnet_id == subnet)
            })
        })
    }
    async fn set_floating_ip_port(&self, id: &str, port: Option<&str>) -> Result<FloatingIp> {
        self.change(|inner, _| {
            let ip = inner.things.floating_ips.iter_mut().find(|ip| ip.id == id);
            let ip = ip.ok_or_else(|| status(404, "no such floating IP"))?;
            ip.port_id = port.map(str::to_owned);
            Ok(ip.clone())
        })
    }
    async fn set_tags(&self, kind: Taggable, id: &str, tags: &[String]) -> Result<()> {
        self.change(|inner, _| {
            let things = &mut inner.things;
            let found = match kind {
                Taggable::Network => things.networks.iter_mut().find(|it| it.id == id).map(|it| &mut it.tags),
                Taggable::Subnet => things.subnets.iter_mut().find(|it| it.id == id).map(|it| &mut it.tags),
                Taggable::Router => things.routers.iter_mut().find(|it| it.id == id).map(|it| &mut it.tags),
                Taggable::Port => things.ports.iter_mut().find(|it| it.id == id).map(|it| &mut it.tags),
                Taggable::FloatingIp => {
                    things.floating_ips.iter_mut().find(|it| it.id == id).map(|it| &mut it.tags)
                }
                Taggable::SecurityGroup => {
                    things.security_groups.iter_mut().find(|it| it.id == id).map(|it| &mut it.tags)
                }
            };
            *found.ok_or_else(|| status(404, "nothing to tag"))? = tags.to_vec();
            Ok(())
        })
    }
    async fn delete_network(&self, id: &str) -> Result<()> {
        self.change(|inner, _| {
            let things = &mut inner.things;
            if things.ports.iter().any(|port| port.network_id == id) {
                return Err(status(409, "network in use"));
            }
            things.subnets.retain(|subnet| subnet.network_id != id);
            take(&mut things.networks, |network| network.id == id)
        })
    }
    async fn delete_subnet(&self, id: &str) -> Result<()> {
        self.change(|inner, _| {
            if inner.things.ports.iter().any(|port| port.fixed_ips.iter().any(|ip| ip.subnet_id == id)) {
                return Err(status(409, "subnet in use"));
            }
            take(&mut inner.things.subnets, |subnet| subnet.id == id)
        })
    }
    async fn delete_router(&self, id: &str) -> Result<()> {
        self.change(|inner, _| {
            if inner.things.ports.iter().any(|port| port.device_id == id) {
                return Err(status(409, "router in use"));
            }
            take(&mut inner.things.routers, |router| router.id == id)
        })
    }
    async fn delete_port(&self, id: &str) -> Result<()> {
        self.change(|inner, _| {
            for ip in &mut inner.things.floating_ips {
                ip.port_id.take_if(|port| port == id);
            }
            take(&mut inner.things.ports, |port| port.id == id)
        })
    }
    async fn delete_floating_ip(&self, id: &str) -> Result<()> {
        self.change(|inner, _| take(&mut inner.things.floating_ips, |ip| ip.id == id))
    }
    async fn delete_security_group(&self, id: &str) -> Result<()> {
        self.change(|inner, _| {
            if inner.things.ports.iter().any(|port| port.security_groups.iter().any(|group| group == id)) {
                return Err(status(409, "group in use"));
            }
            let groups = &mut inner.things.security_groups;
            take(groups, |group| group.id == id)?;
            for group in groups {
                group.security_group_rules.retain(|rule| rule.remote_group_id.as_deref() != Some(id));
            }
            Ok(())
        })
    }
    async fn delete_server(&self, id: &str) -> Result<()> {
        self.change(|inner, _| {
            let server = inner.things.servers.iter_mut().find(|server| server.id == id);
            server.ok_or_else(|| status(404, "no such server"))?.status = "DELETING".into();
            Ok(())
        })
    }
    async fn delete_server_group(&self, id: &str) -> Result<()> {
        self.change(|inner, _| take(&mut inner.things.server_groups, |group| group.id == id))
    }
    async fn delete_keypair(&self, name: &str) -> Result<()> {
        self.change(|inner, _| take(&mut inner.things.keypairs, |keypair| keypair.name == name))
    }
}
