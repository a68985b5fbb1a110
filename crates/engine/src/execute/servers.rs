//! Key pairs, server groups and servers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use openstack::{NewKeypair, NewServer, NewServerGroup, poll};

use super::{Executor, POLL, missing, remove, server_url};
use crate::bootstrap::{self, Inputs};
use crate::kubernetes::Kubernetes;
use crate::node::{self, Node, Role};
use crate::pki::Token;
use crate::plan::Removal;
use crate::{Error, Result};

impl Executor<'_> {
    pub(super) async fn create_server_group(&mut self) -> Result<()> {
        let name = node::server_group(&self.wanted.name, &self.wanted.uuid);
        let policy = self.wanted.server_group_policy.clone().ok_or_else(|| missing("the policy"))?;
        let made = self.cloud.create_server_group(&NewServerGroup { name, policy }).await?;
        self.world.server_groups.push(made);
        Ok(())
    }

    pub(super) async fn create_keypair(&mut self) -> Result<()> {
        let name = node::keypair(&self.wanted.name, &self.wanted.uuid);
        let public_key = self.wanted.ssh_public_key.clone().ok_or_else(|| missing("the SSH key"))?;
        let made = self.cloud.create_keypair(&NewKeypair { name, public_key }).await?;
        self.world.keypairs.push(made);
        Ok(())
    }

    pub(super) async fn delete_server(&mut self, id: &str) -> Result<()> {
        let name = id.to_owned();
        remove(self.cloud, &Removal::Server { id: id.to_owned(), name: name.clone() }, self.deadline).await?;
        remove(self.cloud, &Removal::AwaitServerGone { id: id.to_owned(), name }, self.deadline).await?;
        self.world.servers.retain(|server| server.id != id);
        Ok(())
    }

    pub(super) async fn create_server(&mut self, node: Node) -> Result<()> {
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
    pub(super) async fn refresh_token(&mut self, node: Node) -> Result<()> {
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

    pub(super) async fn await_server(&mut self, node: Node) -> Result<()> {
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
