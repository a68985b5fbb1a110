//! Doing a step: look up the ids, send the request, remember the answer.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use openstack::{
    Deadline, ExternalGateway, FixedIp, NewApplicationCredential, NewFloatingIp, NewKeypair, NewNetwork,
    NewPort, NewRouter, NewSecurityGroup, NewSecurityGroupRule, NewServer, NewServerGroup, NewSubnet,
    Taggable, poll,
};

use crate::bootstrap::{self, Inputs};
use crate::kubernetes::Kubernetes;
use crate::node::{self, Node, Role};
use crate::observe::World;
use crate::pki::Token;
use crate::plan::{Item, Remote, Removal, Rule, Step};
use crate::state::{Credential, Secrets, Store};
use crate::{Cloud, Error, Result, Wanted};

const POLL: Duration = Duration::from_millis(500);

pub(crate) struct Executor<'a> {
    pub cloud: &'a dyn Cloud,
    pub wanted: &'a Wanted,
    pub store: &'a Store,
    pub secrets: Secrets,
    pub world: World,
    pub deadline: Deadline,
}

/// A step that a correct plan has put before this one was not done.
fn missing(what: &str) -> Error {
    Error::Internal(format!("{what} should exist by now"))
}

impl Executor<'_> {
    pub async fn run(&mut self, step: &Step) -> Result<()> {
        tracing::debug!(cluster = %self.wanted.name, %step, "step");
        match step {
            Step::DeleteCredential { id } => self.delete_credential(id).await,
            Step::CreateCredential => self.create_credential().await,
            Step::CreateNetwork => self.create_network().await,
            Step::CreateSubnet => self.create_subnet().await,
            Step::CreateRouter => self.create_router().await,
            Step::AttachSubnet => self.attach_subnet().await,
            Step::CreateSecurityGroup(role) => self.create_security_group(*role).await,
            Step::CreateRule(role, rule) => self.create_rule(*role, rule).await,
            Step::CreatePort(node) => self.create_port(*node).await,
            Step::CreateFloatingIp => self.create_floating_ip().await,
            Step::AttachFloatingIp => self.attach_floating_ip().await,
            Step::Tag(item) => self.tag(*item).await,
            Step::CreateServerGroup => self.create_server_group().await,
            Step::CreateKeypair => self.create_keypair().await,
            Step::DeleteServer { id, .. } => self.delete_server(id).await,
            Step::CreateServer(node) => self.create_server(*node).await,
            Step::AwaitServer(node) => self.await_server(*node).await,
        }
    }

    async fn delete_credential(&mut self, id: &str) -> Result<()> {
        match self.cloud.delete_application_credential(id).await {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Its secret is told once, so it is written down before anything else is done.
    pub async fn create_credential(&mut self) -> Result<()> {
        let wanted = self.wanted;
        let new = NewApplicationCredential {
            name: node::credential(&wanted.name, &wanted.uuid) + &crate::pki::letters(8),
            description: format!("The controllers of the Kubernetes cluster {} act by it", wanted.name),
            roles: roles_for_controllers(&self.cloud.roles()),
        };
        let made = self.cloud.create_application_credential(&new).await?;
        let secret = made.secret.ok_or_else(|| {
            Error::Internal("the cloud made an application credential and did not tell its secret".to_owned())
        })?;
        self.secrets.credential = Some(Credential { id: made.id, secret });
        self.store.save_secrets(&wanted.name, &self.secrets)
    }

    async fn create_network(&mut self) -> Result<()> {
        let new = NewNetwork { name: node::network(&self.wanted.name), description: self.wanted.mark() };
        let made = self.cloud.create_network(&new).await?;
        self.world.networks.push(made);
        Ok(())
    }

    async fn create_subnet(&mut self) -> Result<()> {
        let network = self.world.network_id(self.wanted).ok_or_else(|| missing("the network"))?;
        let new = NewSubnet {
            network_id: network.to_owned(),
            name: node::subnet(&self.wanted.name),
            description: self.wanted.mark(),
            ip_version: 4,
            cidr: self.wanted.node_cidr.to_string(),
            dns_nameservers: self.wanted.dns_nameservers.iter().map(ToString::to_string).collect(),
        };
        let made = self.cloud.create_subnet(&new).await?;
        self.world.subnets.push(made);
        Ok(())
    }

    async fn create_router(&mut self) -> Result<()> {
        let new = NewRouter {
            name: node::router(&self.wanted.name),
            description: self.wanted.mark(),
            external_gateway_info: ExternalGateway { network_id: self.wanted.external_network.clone() },
        };
        let made = self.cloud.create_router(&new).await?;
        self.world.routers.push(made);
        Ok(())
    }

    async fn attach_subnet(&mut self) -> Result<()> {
        let router = self.world.router().ok_or_else(|| missing("the router"))?;
        let subnet = self.world.subnet_id(self.wanted).ok_or_else(|| missing("the subnet"))?;
        Ok(self.cloud.add_router_interface(&router.id, subnet).await?)
    }

    async fn create_security_group(&mut self, role: Role) -> Result<()> {
        let name = node::security_group(&self.wanted.name, role);
        let new = NewSecurityGroup { name, description: self.wanted.mark() };
        let made = self.cloud.create_security_group(&new).await?;
        self.world.security_groups.push(made);
        Ok(())
    }

    fn security_group_id(&self, role: Role) -> Result<String> {
        let group = self.world.security_group(self.wanted, role);
        Ok(group.ok_or_else(|| missing("the security group"))?.id.clone())
    }

    async fn create_rule(&mut self, role: Role, rule: &Rule) -> Result<()> {
        let (remote_ip_prefix, remote_group_id) = match &rule.from {
            Remote::Range(range) => (Some(range.to_string()), None),
            Remote::Group(role) => (None, Some(self.security_group_id(*role)?)),
        };
        let new = NewSecurityGroupRule {
            security_group_id: self.security_group_id(role)?,
            direction: "ingress".to_owned(),
            ethertype: "IPv4".to_owned(),
            protocol: rule.protocol.map(str::to_owned),
            port_range_min: rule.ports.map(|(from, _)| from),
            port_range_max: rule.ports.map(|(_, to)| to),
            remote_ip_prefix,
            remote_group_id,
        };
        match self.cloud.create_security_group_rule(&new).await {
            // 409: the same rule is there, perhaps written in a way that we do not recognize.
            Err(error) if !error.is_conflict() => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn create_port(&mut self, node: Node) -> Result<()> {
        let network = self.world.network_id(self.wanted).ok_or_else(|| missing("the network"))?;
        let subnet = self.world.subnet_id(self.wanted).ok_or_else(|| missing("the subnet"))?;
        let new = NewPort {
            network_id: network.to_owned(),
            name: self.wanted.node_name(node),
            description: self.wanted.mark(),
            fixed_ips: vec![FixedIp { subnet_id: subnet.to_owned(), ip_address: String::new() }],
            security_groups: vec![self.security_group_id(node.role)?],
        };
        let made = self.cloud.create_port(&new).await?;
        self.world.ports.push(made);
        Ok(())
    }

    fn first_port_id(&self) -> Result<String> {
        let port = self.world.port(self.wanted, Node::FIRST);
        Ok(port.ok_or_else(|| missing("the control plane's port"))?.id.clone())
    }

    async fn create_floating_ip(&mut self) -> Result<()> {
        let new = NewFloatingIp {
            floating_network_id: self.wanted.external_network.clone(),
            port_id: self.first_port_id()?,
            description: self.wanted.mark(),
        };
        let made = self.cloud.create_floating_ip(&new).await?;
        self.world.floating_ips.push(made);
        Ok(())
    }

    async fn attach_floating_ip(&mut self) -> Result<()> {
        let port = self.first_port_id()?;
        let ip = self.world.floating_ip().ok_or_else(|| missing("the floating IP"))?;
        if let Some(other) = &ip.port_id
            && *other != port
        {
            return Err(Error::Spec(format!(
                "the floating IP {} is attached to something else (port {other}); detach it, or give another",
                ip.floating_ip_address
            )));
        }
        let id = ip.id.clone();
        self.cloud.set_floating_ip_port(&id, Some(&port)).await?;
        Ok(())
    }

    async fn tag(&mut self, item: Item) -> Result<()> {
        let world = &self.world;
        let found = match item {
            Item::Network => world.networks.first().map(|it| (Taggable::Network, &it.id, &it.tags)),
            Item::Subnet => world.subnets.first().map(|it| (Taggable::Subnet, &it.id, &it.tags)),
            Item::Router => world.router().map(|it| (Taggable::Router, &it.id, &it.tags)),
            Item::SecurityGroup(role) => {
                world.security_group(self.wanted, role).map(|it| (Taggable::SecurityGroup, &it.id, &it.tags))
            }
            Item::Port(node) => world.port(self.wanted, node).map(|it| (Taggable::Port, &it.id, &it.tags)),
            Item::FloatingIp => world.floating_ips.first().map(|it| (Taggable::FloatingIp, &it.id, &it.tags)),
        };
        let (kind, id, tags) = found.ok_or_else(|| missing("what is to be tagged"))?;
        let mut tags = tags.clone();
        tags.push(self.wanted.mark());
        Ok(self.cloud.set_tags(kind, id, &tags).await?)
    }

    async fn create_server_group(&mut self) -> Result<()> {
        let name = node::server_group(&self.wanted.name, &self.wanted.uuid);
        let policy = self.wanted.server_group_policy.clone().ok_or_else(|| missing("the policy"))?;
        let made = self.cloud.create_server_group(&NewServerGroup { name, policy }).await?;
        self.world.server_groups.push(made);
        Ok(())
    }

    async fn create_keypair(&mut self) -> Result<()> {
        let name = node::keypair(&self.wanted.name, &self.wanted.uuid);
        let public_key = self.wanted.ssh_public_key.clone().ok_or_else(|| missing("the SSH key"))?;
        let made = self.cloud.create_keypair(&NewKeypair { name, public_key }).await?;
        self.world.keypairs.push(made);
        Ok(())
    }

    async fn delete_server(&mut self, id: &str) -> Result<()> {
        let name = id.to_owned();
        remove(self.cloud, &Removal::Server { id: id.to_owned(), name: name.clone() }, self.deadline).await?;
        remove(self.cloud, &Removal::AwaitServerGone { id: id.to_owned(), name }, self.deadline).await?;
        self.world.servers.retain(|server| server.id != id);
        Ok(())
    }

    async fn create_server(&mut self, node: Node) -> Result<()> {
        self.refresh_token(node).await?;
        let wanted = self.wanted;
        let world = &self.world;
        let port = world.port(wanted, node).ok_or_else(|| missing("the node's port"))?;
        let address = world.internal_address(wanted, node).ok_or_else(|| missing("the node's address"))?;
        let api = world.internal_address(wanted, Node::FIRST).ok_or_else(|| missing("the API's address"))?;
        let floating = world.floating_ip().ok_or_else(|| missing("the floating IP"))?;
        let user_data = bootstrap::user_data(&Inputs {
            wanted,
            pki: &self.secrets.pki,
            token: &self.secrets.token,
            node,
            address,
            api_address: api,
            floating_ip: &floating.floating_ip_address,
        })?;
        let new = NewServer {
            name: wanted.node_name(node),
            image_id: wanted.image.id.clone(),
            flavor_id: match node.role {
                Role::ControlPlane => wanted.control_plane_flavor.clone(),
                Role::Worker => wanted.worker_flavor.clone(),
            },
            port_ids: vec![port.id.clone()],
            user_data,
            metadata: BTreeMap::from([
                (node::CLUSTER_KEY.to_owned(), wanted.uuid.clone()),
                (node::NAME_KEY.to_owned(), wanted.name.clone()),
                (node::ROLE_KEY.to_owned(), node.role.as_str().to_owned()),
            ]),
            key_name: world.keypairs.first().map(|keypair| keypair.name.clone()),
            server_group: world.server_groups.first().map(|group| group.id.clone()),
            availability_zone: wanted.availability_zone.clone(),
            config_drive: None,
        };
        let made = self.cloud.create_server(&new).await?;
        self.world.servers.push(made);
        Ok(())
    }

    /// A run that goes on hours later must not hand out a token that is dead before the node has booted.
    async fn refresh_token(&mut self, node: Node) -> Result<()> {
        if self.secrets.token.fresh(Timestamp::now()) {
            return Ok(());
        }
        let next = Token::generate();
        if node.role == Role::ControlPlane {
            // `kubeadm init` gives the token a new life; workers that exist already hold its text.
            self.secrets.token.expires = next.expires;
            return self.store.save_secrets(&self.wanted.name, &self.secrets);
        }
        let floating = self.world.floating_ip().ok_or_else(|| missing("the floating IP"))?;
        let server = server_url(&floating.floating_ip_address);
        let kubernetes = Kubernetes::new(self.wanted, &self.secrets.pki, &server)?;
        loop {
            let Err(reason) = kubernetes.add_token(&next).await? else { break };
            if self.deadline.passed() {
                let what = "a new join token, needed since the first has expired,";
                return Err(self.deadline.timeout(what, &reason).into());
            }
            tokio::time::sleep(POLL * 4).await;
        }
        self.secrets.token = next;
        self.store.save_secrets(&self.wanted.name, &self.secrets)
    }

    async fn await_server(&mut self, node: Node) -> Result<()> {
        let server = self.world.server(self.wanted, node).ok_or_else(|| missing("the node's server"))?;
        let (id, name) = (server.id.clone(), server.name.clone());
        let what = format!("server {name} becoming ACTIVE");
        let active = poll(&what, self.deadline, POLL, async || {
            let server = self.cloud.server(&id).await?;
            match server.status.as_str() {
                "ACTIVE" => Ok(Ok(server)),
                "ERROR" => Err(openstack::Error::ServerError {
                    id: server.id.clone(),
                    name: server.name.clone(),
                    fault: server.fault_text(),
                }),
                "SHUTOFF" | "PAUSED" | "SUSPENDED" | "SHELVED" | "SHELVED_OFFLOADED" => Ok(Ok(server)),
                status => Ok(Err(status.to_owned())),
            }
        })
        .await?;
        if active.status != "ACTIVE" {
            return Err(Error::Spec(format!(
                "server {name} is {}; start it again, then run the command again",
                active.status
            )));
        }
        self.world.servers.retain(|server| server.id != id);
        self.world.servers.push(active);
        Ok(())
    }
}

pub(crate) fn server_url(address: &str) -> String {
    format!("https://{address}:{}", bootstrap::API_PORT)
}

/// Remove one thing. What is gone already is fine; what is still held by something that is just going is tried again.
pub(crate) async fn remove(cloud: &dyn Cloud, step: &Removal, deadline: Deadline) -> Result<()> {
    tracing::debug!(%step, "removal");
    let what = step.to_string();
    let done = poll(&what, deadline, POLL, async || match remove_once(cloud, step).await {
        Ok(done) => Ok(done),
        Err(error) if error.is_not_found() => Ok(Ok(())),
        Err(error) if error.is_conflict() => Ok(Err(error.to_string())),
        // Cinder says 400 to what is in use, for instance by a server that is just going.
        Err(error) if error.status() == Some(400) && of_storage(step) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    });
    Ok(done.await?)
}

fn of_storage(step: &Removal) -> bool {
    matches!(step, Removal::Volume { .. } | Removal::Snapshot { .. })
}

/// Of the roles that we have, those that controllers need: what a member of the project may, no more. A cloud that calls
/// its members otherwise gives them all.
fn roles_for_controllers(ours: &[String]) -> Vec<String> {
    const MEMBER: [&str; 2] = ["member", "_member_"];
    /// Octavia's own and Barbican's own, where they are kept apart.
    const OTHERS: [&str; 2] = ["load-balancer_member", "creator"];
    let has = |names: &[&str], role: &String| names.iter().any(|name| name.eq_ignore_ascii_case(role));
    if !ours.iter().any(|role| has(&MEMBER, role)) {
        return Vec::new();
    }
    ours.iter().filter(|role| has(&MEMBER, role) || has(&OTHERS, role)).cloned().collect()
}

async fn remove_once(
    cloud: &dyn Cloud,
    step: &Removal,
) -> openstack::Result<std::result::Result<(), String>> {
    match step {
        Removal::Server { id, .. } => cloud.delete_server(id).await?,
        Removal::AwaitServerGone { id, .. } => {
            let server = cloud.server(id).await?;
            return Ok(match server.status.as_str() {
                "DELETED" | "SOFT_DELETED" => Ok(()),
                status => Err(format!("it is {status}")),
            });
        }
        Removal::LoadBalancer { id, .. } => cloud.delete_load_balancer(id).await?,
        Removal::AwaitLoadBalancerGone { id, .. } => {
            let status = cloud.load_balancer(id).await?.provisioning_status;
            return Ok(if status == "DELETED" { Ok(()) } else { Err(format!("it is {status}")) });
        }
        Removal::Snapshot { id, .. } => cloud.delete_volume_snapshot(id).await?,
        Removal::AwaitSnapshotGone { id, .. } => {
            return Ok(Err(format!("it is {}", cloud.volume_snapshot(id).await?.status)));
        }
        Removal::Volume { id, .. } => cloud.delete_volume(id).await?,
        Removal::AwaitVolumeGone { id, .. } => {
            return Ok(Err(format!("it is {}", cloud.volume(id).await?.status)));
        }
        Removal::Routes { router, left } => cloud.set_router_routes(router, left).await?,
        Removal::FloatingIp { id, .. } => cloud.delete_floating_ip(id).await?,
        Removal::Port { id, .. } => cloud.delete_port(id).await?,
        Removal::RouterInterface { router, subnet } => cloud.remove_router_interface(router, subnet).await?,
        Removal::Router { id, .. } => cloud.delete_router(id).await?,
        Removal::Subnet { id, .. } => cloud.delete_subnet(id).await?,
        Removal::Network { id, .. } => cloud.delete_network(id).await?,
        Removal::SecurityGroup { id, .. } => cloud.delete_security_group(id).await?,
        Removal::ServerGroup { id, .. } => cloud.delete_server_group(id).await?,
        Removal::Keypair { name } => cloud.delete_keypair(name).await?,
        Removal::Credential { id } => cloud.delete_application_credential(id).await?,
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_get_no_administrators_roles() {
        let roles = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let of = |names: &[&str]| roles_for_controllers(&roles(names));
        assert_eq!(of(&["admin", "member", "reader"]), roles(&["member"]));
        assert_eq!(
            of(&["Member", "load-balancer_member", "heat_stack_owner"]),
            roles(&["Member", "load-balancer_member"])
        );
        // All that there are: what such a cloud's roles mean is not known here.
        assert!(of(&["project-owner"]).is_empty());
    }
}
