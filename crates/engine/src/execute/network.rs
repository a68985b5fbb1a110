//! Networks, routers, security groups, ports and floating IPs.

use openstack::{
    ExternalGateway, FixedIp, NewFloatingIp, NewNetwork, NewPort, NewRouter, NewSecurityGroup,
    NewSecurityGroupRule, NewSubnet, Taggable,
};

use super::{Executor, missing};
use crate::node::{self, Node, Role};
use crate::plan::{Item, Remote, Rule};
use crate::{Error, Result};

impl Executor<'_> {
    pub(super) async fn create_network(&mut self) -> Result<()> {
        let new = NewNetwork { name: node::network(&self.wanted.name), description: self.wanted.mark() };
        let made = self.cloud.create_network(&new).await?;
        self.world.networks.push(made);
        Ok(())
    }

    pub(super) async fn create_subnet(&mut self) -> Result<()> {
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

    pub(super) async fn create_router(&mut self) -> Result<()> {
        let new = NewRouter {
            name: node::router(&self.wanted.name),
            description: self.wanted.mark(),
            external_gateway_info: ExternalGateway { network_id: self.wanted.external_network.clone() },
        };
        let made = self.cloud.create_router(&new).await?;
        self.world.routers.push(made);
        Ok(())
    }

    pub(super) async fn attach_subnet(&mut self) -> Result<()> {
        let router = self.world.router().ok_or_else(|| missing("the router"))?;
        let subnet = self.world.subnet_id(self.wanted).ok_or_else(|| missing("the subnet"))?;
        Ok(self.cloud.add_router_interface(&router.id, subnet).await?)
    }

    pub(super) async fn create_security_group(&mut self, role: Role) -> Result<()> {
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

    pub(super) async fn create_rule(&mut self, role: Role, rule: &Rule) -> Result<()> {
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

    pub(super) async fn create_port(&mut self, node: Node) -> Result<()> {
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

    pub(super) async fn create_floating_ip(&mut self) -> Result<()> {
        let new = NewFloatingIp {
            floating_network_id: self.wanted.external_network.clone(),
            port_id: self.first_port_id()?,
            description: self.wanted.mark(),
        };
        let made = self.cloud.create_floating_ip(&new).await?;
        self.world.floating_ips.push(made);
        Ok(())
    }

    pub(super) async fn attach_floating_ip(&mut self) -> Result<()> {
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

    pub(super) async fn tag(&mut self, item: Item) -> Result<()> {
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
}
