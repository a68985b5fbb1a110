//! From what is wanted and what exists: what is missing, in order. Pure; the goldens are in `tests.rs`.
//!
//! Steps name things, not ids, because most ids do not exist when the plan is made; `execute` looks them up in the
//! [`World`] that it keeps current. One step is one request that changes something.

mod removal;
mod rules;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

pub(crate) use removal::{Removal, plan_removal};
pub(crate) use rules::{Remote, Rule};

use std::fmt;

use crate::node::{Node, Role};
use crate::observe::{Observed, World};
use crate::{Error, Result, Wanted};

/// A thing of the cluster that can carry tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Item {
    Network,
    Subnet,
    Router,
    SecurityGroup(Role),
    Port(Node),
    FloatingIp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// One whose secret nobody has: its answer was lost.
    DeleteCredential {
        id: String,
    },
    /// By which the cluster's controllers will act on the cloud.
    CreateCredential,
    CreateNetwork,
    CreateSubnet,
    CreateRouter,
    AttachSubnet,
    CreateSecurityGroup(Role),
    CreateRule(Role, Rule),
    CreatePort(Node),
    CreateFloatingIp,
    /// To the first control-plane node's port.
    AttachFloatingIp,
    /// Write the cluster's mark as a tag, too.
    Tag(Item),
    CreateServerGroup,
    CreateKeypair,
    /// One in ERROR: nothing brings it back.
    DeleteServer {
        node: Node,
        id: String,
    },
    CreateServer(Node),
    AwaitServer(Node),
}

/// Under which heading a step is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Credential,
    Network,
    SecurityGroups,
    Addresses,
    Machines,
}

impl Stage {
    /// The credential first: where it is refused, nothing else has been made.
    pub const ALL: [Stage; 5] =
        [Stage::Credential, Stage::Network, Stage::SecurityGroups, Stage::Addresses, Stage::Machines];

    pub fn title(self) -> &'static str {
        match self {
            Stage::Credential => "Credential of the controllers",
            Stage::Network => "Network and router",
            Stage::SecurityGroups => "Security groups",
            Stage::Addresses => "Ports and floating IP",
            Stage::Machines => "Machines",
        }
    }
}

impl Step {
    pub fn stage(&self) -> Stage {
        match self {
            Step::DeleteCredential { .. } | Step::CreateCredential => Stage::Credential,
            Step::CreateNetwork | Step::CreateSubnet | Step::CreateRouter | Step::AttachSubnet => {
                Stage::Network
            }
            Step::Tag(Item::Network | Item::Subnet | Item::Router) => Stage::Network,
            Step::CreateSecurityGroup(_) | Step::CreateRule(..) | Step::Tag(Item::SecurityGroup(_)) => {
                Stage::SecurityGroups
            }
            Step::CreatePort(_) | Step::CreateFloatingIp | Step::AttachFloatingIp => Stage::Addresses,
            Step::Tag(Item::Port(_) | Item::FloatingIp) => Stage::Addresses,
            Step::CreateServerGroup | Step::CreateKeypair => Stage::Machines,
            Step::DeleteServer { .. } | Step::CreateServer(_) | Step::AwaitServer(_) => Stage::Machines,
        }
    }
}

/// # Errors
/// [`Error::Foreign`]: a name is taken by something that is not the cluster's. A second thing of the same name beside
/// it would be legal in OpenStack, and nobody could tell them apart.
pub(crate) fn plan_create(wanted: &Wanted, observed: &Observed) -> Result<Vec<Step>> {
    if let Some(stranger) = observed.strangers.first() {
        return Err(Error::Foreign {
            kind: stranger.kind,
            name: stranger.name.clone(),
            id: stranger.id.clone(),
        });
    }
    let mut plan = Planner { wanted, world: &observed.world, steps: Vec::new() };
    plan.credential(observed.credential.as_deref());
    plan.network();
    plan.security_groups();
    plan.addresses();
    plan.machines();
    Ok(plan.steps)
}

struct Planner<'a> {
    wanted: &'a Wanted,
    world: &'a World,
    steps: Vec<Step>,
}

impl Planner<'_> {
    fn create(&mut self, exists: bool, step: Step) {
        if !exists {
            self.steps.push(step);
        }
    }

    /// `held` is the one whose secret we have; all others are worth nothing to anybody.
    fn credential(&mut self, held: Option<&str>) {
        let usable = |id: &str| self.wanted.acts() && held == Some(id);
        let (kept, lost): (Vec<_>, Vec<_>) = self.world.credentials.iter().partition(|it| usable(&it.id));
        self.steps.extend(lost.into_iter().map(|it| Step::DeleteCredential { id: it.id.clone() }));
        self.create(!self.wanted.acts() || !kept.is_empty(), Step::CreateCredential);
    }

    /// `tags` are those that the item has now; `None` when it is still to be made.
    fn tag(&mut self, item: Item, tags: Option<&[String]>) {
        let mark = self.wanted.mark();
        let tagged = tags.is_some_and(|tags| tags.contains(&mark));
        if self.wanted.tags && !tagged {
            self.steps.push(Step::Tag(item));
        }
    }

    fn network(&mut self) {
        if self.wanted.adopted_network.is_some() {
            return;
        }
        let world = self.world;
        let network = world.networks.first();
        self.create(network.is_some(), Step::CreateNetwork);
        self.tag(Item::Network, network.map(|network| network.tags.as_slice()));
        let subnet = world.subnets.first();
        self.create(subnet.is_some(), Step::CreateSubnet);
        self.tag(Item::Subnet, subnet.map(|subnet| subnet.tags.as_slice()));
        let router = world.router();
        self.create(router.is_some(), Step::CreateRouter);
        self.tag(Item::Router, router.map(|router| router.tags.as_slice()));
        let attached = subnet.is_some_and(|subnet| world.subnet_attached(&subnet.id));
        self.create(attached, Step::AttachSubnet);
    }

    /// All groups before all rules: rules name groups.
    fn security_groups(&mut self) {
        for role in Role::ALL {
            let group = self.world.security_group(self.wanted, role);
            self.create(group.is_some(), Step::CreateSecurityGroup(role));
            self.tag(Item::SecurityGroup(role), group.map(|group| group.tags.as_slice()));
        }
        let group_id = |role| self.world.security_group(self.wanted, role).map(|group| group.id.as_str());
        for role in Role::ALL {
            let group = self.world.security_group(self.wanted, role);
            for rule in rules::wanted(self.wanted, role) {
                let exists = group.is_some_and(|group| {
                    group.security_group_rules.iter().any(|existing| rule.is(existing, group_id))
                });
                self.create(exists, Step::CreateRule(role, rule));
            }
        }
    }

    fn addresses(&mut self) {
        for node in self.wanted.nodes() {
            let port = self.world.port(self.wanted, node);
            self.create(port.is_some(), Step::CreatePort(node));
            self.tag(Item::Port(node), port.map(|port| port.tags.as_slice()));
        }
        let floating = self.world.floating_ip();
        let first_port = self.world.port(self.wanted, Node::FIRST).map(|port| port.id.as_str());
        let attached = floating.is_some_and(|ip| ip.port_id.is_some() && ip.port_id.as_deref() == first_port);
        if self.wanted.adopted_floating_ip.is_some() {
            self.create(attached, Step::AttachFloatingIp);
            return;
        }
        self.create(floating.is_some(), Step::CreateFloatingIp);
        self.tag(Item::FloatingIp, floating.map(|ip| ip.tags.as_slice()));
        // A new one is created attached.
        self.create(floating.is_none() || attached, Step::AttachFloatingIp);
    }

    fn machines(&mut self) {
        let grouped = self.wanted.server_group_policy.is_none() || !self.world.server_groups.is_empty();
        self.create(grouped, Step::CreateServerGroup);
        let keyed = self.wanted.ssh_public_key.is_none() || !self.world.keypairs.is_empty();
        self.create(keyed, Step::CreateKeypair);
        let mut awaited = Vec::new();
        for node in self.wanted.nodes() {
            match self.world.server(self.wanted, node) {
                Some(server) if server.is_error() => {
                    self.steps.push(Step::DeleteServer { node, id: server.id.clone() });
                    self.steps.push(Step::CreateServer(node));
                }
                Some(server) if server.status == "ACTIVE" => continue,
                Some(_) => {}
                None => self.steps.push(Step::CreateServer(node)),
            }
            awaited.push(Step::AwaitServer(node));
        }
        // All nodes are created before any is waited for: workers boot while the control plane does.
        self.steps.append(&mut awaited);
    }
}

/// One line a step: goldens, logs, and the note below a running stage.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node_text = |node: &Node| format!("{} {}", node.role.as_str(), node.index);
        match self {
            Step::DeleteCredential { id } => {
                write!(f, "delete application credential {id}, whose secret is lost")
            }
            Step::CreateCredential => f.write_str("create application credential"),
            Step::CreateNetwork => f.write_str("create network"),
            Step::CreateSubnet => f.write_str("create subnet"),
            Step::CreateRouter => f.write_str("create router"),
            Step::AttachSubnet => f.write_str("attach subnet to router"),
            Step::CreateSecurityGroup(role) => write!(f, "create security group of {}", role.as_str()),
            Step::CreateRule(role, rule) => write!(f, "allow to {}: {rule}", role.as_str()),
            Step::CreatePort(node) => write!(f, "create port of {}", node_text(node)),
            Step::CreateFloatingIp => f.write_str("create floating IP of the API"),
            Step::AttachFloatingIp => f.write_str("attach floating IP of the API"),
            Step::Tag(item) => match item {
                Item::Network => f.write_str("tag network"),
                Item::Subnet => f.write_str("tag subnet"),
                Item::Router => f.write_str("tag router"),
                Item::SecurityGroup(role) => write!(f, "tag security group of {}", role.as_str()),
                Item::Port(node) => write!(f, "tag port of {}", node_text(node)),
                Item::FloatingIp => f.write_str("tag floating IP of the API"),
            },
            Step::CreateServerGroup => f.write_str("create server group"),
            Step::CreateKeypair => f.write_str("create key pair"),
            Step::DeleteServer { node, id } => write!(f, "delete failed server {id} of {}", node_text(node)),
            Step::CreateServer(node) => write!(f, "create server of {}", node_text(node)),
            Step::AwaitServer(node) => write!(f, "await server of {}", node_text(node)),
        }
    }
}
