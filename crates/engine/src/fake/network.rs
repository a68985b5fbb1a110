//! What Neutron refuses, and how its things hang together.

use openstack::{
    FixedIp, FloatingIp, Network, NewFloatingIp, NewNetwork, NewPort, NewRouter, NewSecurityGroup,
    NewSecurityGroupRule, NewSubnet, Port, Result, Router, SecurityGroup, SecurityGroupRule, Subnet,
    Taggable,
};

use super::{Inner, status, take};

impl Inner {
    pub(super) fn create_network(&mut self, id: String, new: &NewNetwork) -> Result<Network> {
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
        self.things.networks.push(network.clone());
        Ok(network)
    }

    pub(super) fn create_subnet(&mut self, id: String, new: &NewSubnet) -> Result<Subnet> {
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
        self.things.subnets.push(subnet.clone());
        Ok(subnet)
    }

    pub(super) fn create_router(&mut self, id: String, new: &NewRouter) -> Result<Router> {
        let router = Router {
            id,
            name: new.name.clone(),
            description: new.description.clone(),
            external_gateway_info: Some(new.external_gateway_info.clone()),
            routes: vec![],
            tags: vec![],
        };
        self.things.routers.push(router.clone());
        Ok(router)
    }

    pub(super) fn create_port(&mut self, id: String, new: &NewPort) -> Result<Port> {
        let subnet_id = new.fixed_ips[0].subnet_id.clone();
        let ip_address = format!("10.6.0.{}", 10 + self.things.ports.len());
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
        self.things.ports.push(port.clone());
        Ok(port)
    }

    pub(super) fn create_floating_ip(&mut self, id: String, new: &NewFloatingIp) -> Result<FloatingIp> {
        // A floating IP works only through a router with an interface on the port's subnet.
        if !self.things.ports.iter().any(Port::is_router_interface) {
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
        self.things.floating_ips.push(ip.clone());
        Ok(ip)
    }

    pub(super) fn create_security_group(
        &mut self,
        id: String,
        new: &NewSecurityGroup,
    ) -> Result<SecurityGroup> {
        let group = SecurityGroup {
            id,
            name: new.name.clone(),
            description: new.description.clone(),
            security_group_rules: vec![],
            tags: vec![],
        };
        self.things.security_groups.push(group.clone());
        Ok(group)
    }

    pub(super) fn create_security_group_rule(
        &mut self,
        id: String,
        new: &NewSecurityGroupRule,
    ) -> Result<SecurityGroupRule> {
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
        let groups = &mut self.things.security_groups;
        let group = groups.iter_mut().find(|it| it.id == new.security_group_id);
        let group = group.ok_or_else(|| status(404, "no such group"))?;
        let same = |it: &SecurityGroupRule| SecurityGroupRule { id: rule.id.clone(), ..it.clone() } == rule;
        if group.security_group_rules.iter().any(same) {
            return Err(status(409, "the rule exists"));
        }
        group.security_group_rules.push(rule.clone());
        Ok(rule)
    }

    pub(super) fn add_router_interface(&mut self, id: String, router: &str, subnet: &str) -> Result<()> {
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
        self.things.ports.push(port);
        Ok(())
    }

    pub(super) fn remove_router_interface(&mut self, router: &str, subnet: &str) -> Result<()> {
        if self.things.floating_ips.iter().any(|ip| ip.port_id.is_some()) {
            return Err(status(409, "a floating IP needs it"));
        }
        if self.things.routers.iter().any(|it| it.id == router && !it.routes.is_empty()) {
            return Err(status(409, "a route needs it"));
        }
        take(&mut self.things.ports, |port| {
            port.device_id == router && port.fixed_ips.iter().any(|ip| ip.subnet_id == subnet)
        })
    }

    pub(super) fn set_floating_ip_port(&mut self, id: &str, port: Option<&str>) -> Result<FloatingIp> {
        let ip = self.things.floating_ips.iter_mut().find(|ip| ip.id == id);
        let ip = ip.ok_or_else(|| status(404, "no such floating IP"))?;
        ip.port_id = port.map(str::to_owned);
        Ok(ip.clone())
    }

    pub(super) fn set_tags(&mut self, kind: Taggable, id: &str, tags: &[String]) -> Result<()> {
        let things = &mut self.things;
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
    }

    pub(super) fn delete_network(&mut self, id: &str) -> Result<()> {
        let things = &mut self.things;
        if things.ports.iter().any(|port| port.network_id == id) {
            return Err(status(409, "network in use"));
        }
        things.subnets.retain(|subnet| subnet.network_id != id);
        take(&mut things.networks, |network| network.id == id)
    }

    pub(super) fn delete_subnet(&mut self, id: &str) -> Result<()> {
        if self.things.ports.iter().any(|port| port.fixed_ips.iter().any(|ip| ip.subnet_id == id)) {
            return Err(status(409, "subnet in use"));
        }
        take(&mut self.things.subnets, |subnet| subnet.id == id)
    }

    pub(super) fn delete_router(&mut self, id: &str) -> Result<()> {
        if self.things.ports.iter().any(|port| port.device_id == id) {
            return Err(status(409, "router in use"));
        }
        take(&mut self.things.routers, |router| router.id == id)
    }

    pub(super) fn delete_port(&mut self, id: &str) -> Result<()> {
        for ip in &mut self.things.floating_ips {
            ip.port_id.take_if(|port| port == id);
        }
        take(&mut self.things.ports, |port| port.id == id)
    }

    pub(super) fn delete_security_group(&mut self, id: &str) -> Result<()> {
        if self.things.ports.iter().any(|port| port.security_groups.iter().any(|group| group == id)) {
            return Err(status(409, "group in use"));
        }
        let groups = &mut self.things.security_groups;
        take(groups, |group| group.id == id)?;
        for group in groups {
            group.security_group_rules.retain(|rule| rule.remote_group_id.as_deref() != Some(id));
        }
        Ok(())
    }
}
