//! What of a cluster exists, asked of the cloud. Nothing else is believed.

use openstack::{
    ApplicationCredential, FloatingIp, Keypair, LoadBalancer, Network, Port, Router, Secret, SecurityGroup,
    Server, ServerGroup, Subnet, Volume, VolumeBackup, VolumeSnapshot,
};

use crate::node::{self, Node, Role};
use crate::{Cloud, Result, Wanted};

/// Everything that carries the cluster's UUID. Lists, because a lost answer can have made a thing twice: the first of
/// a name is used, all are deleted in the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct World {
    pub networks: Vec<Network>,
    pub subnets: Vec<Subnet>,
    pub routers: Vec<Router>,
    /// The routers' own ports; they carry no mark.
    pub router_interfaces: Vec<Port>,
    pub security_groups: Vec<SecurityGroup>,
    pub ports: Vec<Port>,
    pub floating_ips: Vec<FloatingIp>,
    pub server_groups: Vec<ServerGroup>,
    pub keypairs: Vec<Keypair>,
    pub servers: Vec<Server>,
    /// The user's application credentials of this cluster.
    pub credentials: Vec<ApplicationCredential>,
    /// What controllers inside the cluster made. Only looked for when a cluster is deleted.
    pub made: Made,
    /// The given floating IP, when there is one: used, not owned.
    pub adopted_floating_ip: Option<FloatingIp>,
    /// The router of the given network, with routes to this cluster's pods perhaps.
    pub adopted_router: Option<Router>,
}

/// Made in the cloud by the cluster's own controllers, and known by the cluster's name in their names, descriptions or
/// metadata: our mark they do not know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Made {
    pub load_balancers: Vec<LoadBalancer>,
    pub floating_ips: Vec<FloatingIp>,
    pub security_groups: Vec<SecurityGroup>,
    pub volumes: Vec<Volume>,
    pub snapshots: Vec<VolumeSnapshot>,
    /// The newest first: it may be a difference from one before.
    pub backups: Vec<VolumeBackup>,
    /// Ingresses' certificates and keys.
    pub secrets: Vec<Secret>,
}

impl Made {
    fn count(&self) -> usize {
        self.load_balancers.len()
            + self.floating_ips.len()
            + self.security_groups.len()
            + self.volumes.len()
            + self.snapshots.len()
            + self.backups.len()
            + self.secrets.len()
    }
}

/// A resource with one of the cluster's names that is not the cluster's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stranger {
    pub kind: &'static str,
    pub name: String,
    pub id: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    pub world: World,
    pub strangers: Vec<Stranger>,
    /// The credential whose secret we hold.
    pub credential: Option<String>,
}

impl World {
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }
    /// How many resources the cluster owns.
    pub fn count(&self) -> usize {
        self.networks.len()
            + self.subnets.len()
            + self.routers.len()
            + self.security_groups.len()
            + self.ports.len()
            + self.floating_ips.len()
            + self.server_groups.len()
            + self.keypairs.len()
            + self.servers.len()
            + self.credentials.len()
            + self.made.count()
    }

    pub fn network_id<'a>(&'a self, wanted: &'a Wanted) -> Option<&'a str> {
        let own = self.networks.first().map(|network| network.id.as_str());
        wanted.adopted_network.as_ref().map(|adopted| adopted.network_id.as_str()).or(own)
    }
    pub fn subnet_id<'a>(&'a self, wanted: &'a Wanted) -> Option<&'a str> {
        let own = self.subnets.first().map(|subnet| subnet.id.as_str());
        wanted.adopted_network.as_ref().map(|adopted| adopted.subnet_id.as_str()).or(own)
    }
    pub fn router(&self) -> Option<&Router> {
        self.routers.first()
    }
    pub fn subnet_attached(&self, subnet: &str) -> bool {
        self.router_interfaces.iter().any(|port| port.fixed_ips.iter().any(|ip| ip.subnet_id == subnet))
    }
    pub fn security_group(&self, wanted: &Wanted, role: Role) -> Option<&SecurityGroup> {
        let name = node::security_group(&wanted.name, role);
        self.security_groups.iter().find(|group| group.name == name)
    }
    pub fn port(&self, wanted: &Wanted, node: Node) -> Option<&Port> {
        let name = wanted.node_name(node);
        self.ports.iter().find(|port| port.name == name)
    }
    pub fn server(&self, wanted: &Wanted, node: Node) -> Option<&Server> {
        let name = wanted.node_name(node);
        self.servers.iter().find(|server| server.name == name)
    }
    pub fn floating_ip(&self) -> Option<&FloatingIp> {
        self.adopted_floating_ip.as_ref().or_else(|| self.floating_ips.first())
    }
    /// The address by which nodes reach the API.
    pub fn internal_address(&self, wanted: &Wanted, node: Node) -> Option<&str> {
        self.port(wanted, node)?.fixed_ips.first().map(|ip| ip.ip_address.as_str())
    }
}

/// What to look for; `wanted` is absent when a cluster is deleted of which nothing is known here but its UUID.
pub(crate) struct Looking<'a> {
    pub uuid: &'a str,
    pub name: &'a str,
    pub adopted_floating_ip: Option<&'a str>,
    pub adopted_router: Option<&'a str>,
    /// The credential whose secret we hold.
    pub credential: Option<&'a str>,
    /// Also what the cluster's own controllers made.
    pub made: bool,
}

impl<'a> Looking<'a> {
    pub fn to_create(wanted: &'a Wanted, credential: Option<&'a str>) -> Self {
        Self {
            uuid: &wanted.uuid,
            name: &wanted.name,
            adopted_floating_ip: wanted.adopted_floating_ip.as_deref(),
            adopted_router: None,
            credential,
            made: false,
        }
    }
    pub fn to_delete(uuid: &'a str, name: &'a str, adopted_router: Option<&'a str>) -> Self {
        Self { uuid, name, adopted_floating_ip: None, adopted_router, credential: None, made: true }
    }
}

/// Lists are filtered here and not by the cloud: Neutron's filters by tag and description are extensions, and a thing
/// that a filter hides would be leaked.
pub(crate) async fn observe(cloud: &dyn Cloud, looking: &Looking<'_>) -> Result<Observed> {
    let Looking { uuid, name, .. } = *looking;
    let mark = node::mark(uuid);
    let project = cloud.project_id();
    let of_project = [("project_id", project.as_str())];
    let mut sorted = Sorted { mark: &mark, strangers: Vec::new() };

    let networks = sorted.split(cloud.networks(&of_project).await?, "network", |n| n == node::network(name));
    let subnets = sorted.split(cloud.subnets(&of_project).await?, "subnet", |n| n == node::subnet(name));
    let all_routers = cloud.routers(&of_project).await?;
    let adopted_router =
        looking.adopted_router.and_then(|id| all_routers.iter().find(|router| router.id == id).cloned());
    let routers = sorted.split(all_routers, "router", |n| n == node::router(name));
    let all_groups = cloud.security_groups(&of_project).await?;
    let all_ports = cloud.ports(&of_project).await?;
    let mut router_interfaces: Vec<Port> = all_ports
        .iter()
        .filter(|port| port.is_router_interface() && routers.iter().any(|router| router.id == port.device_id))
        .cloned()
        .collect();
    // Some clouds leave a router's ports out of the project's list.
    if router_interfaces.is_empty() {
        for router in &routers {
            let of_router = cloud.ports(&[("device_id", router.id.as_str())]).await?;
            router_interfaces.extend(of_router.into_iter().filter(Port::is_router_interface));
        }
    }
    let ports = sorted.split(all_ports, "port", |n| is_node_name(n, name));
    let all_floating = cloud.floating_ips(&of_project).await?;
    let adopted_floating_ip =
        looking.adopted_floating_ip.and_then(|id| all_floating.iter().find(|ip| ip.id == id).cloned());
    let made =
        if looking.made { made(cloud, looking, &all_groups, &all_floating).await? } else { Made::default() };
    let security_groups = sorted.split(all_groups, "security group", |n| {
        Role::ALL.iter().any(|role| n == node::security_group(name, *role))
    });
    let floating_ips = sorted.split(all_floating, "floating IP", |_| false);

    let mut servers = Vec::new();
    for server in cloud.servers(&[]).await? {
        if server.metadata.get(node::CLUSTER_KEY).is_some_and(|owner| owner == uuid) {
            servers.push(server);
        } else if is_node_name(&server.name, name) {
            sorted.strangers.push(Stranger { kind: "server", name: server.name, id: server.id });
        }
    }
    servers.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    let mut server_groups = cloud.server_groups().await?;
    server_groups.retain(|group| group.name == node::server_group(name, uuid));
    let mut keypairs = cloud.keypairs().await?;
    keypairs.retain(|keypair| keypair.name == node::keypair(name, uuid));
    let mut credentials = cloud.application_credentials().await?;
    credentials.retain(|credential| credential.name.starts_with(&node::credential(name, uuid)));
    credentials.sort_by(|a, b| a.id.cmp(&b.id));

    let world = World {
        networks,
        subnets,
        routers,
        router_interfaces,
        security_groups,
        ports,
        floating_ips,
        server_groups,
        keypairs,
        servers,
        credentials,
        made,
        adopted_floating_ip,
        adopted_router,
    };
    let credential = looking.credential.map(str::to_owned);
    Ok(Observed { world, strangers: sorted.strangers, credential })
}

async fn made(
    cloud: &dyn Cloud,
    looking: &Looking<'_>,
    groups: &[SecurityGroup],
    floating_ips: &[FloatingIp],
) -> Result<Made> {
    let cluster = node::cluster_name(looking.name, looking.uuid);
    let capabilities = cloud.capabilities().await?;
    let mut made = Made {
        security_groups: groups.iter().filter(|it| tells_of(&it.description, &cluster)).cloned().collect(),
        ..Made::default()
    };
    if capabilities.load_balancers() {
        let ours = |it: &LoadBalancer| {
            let named = |kind: &str| it.name.starts_with(&format!("kube_{kind}_{cluster}_"));
            named("service") || named("ingress") || tells_of(&it.description, &cluster)
        };
        made.load_balancers = or_none(cloud.load_balancers().await)?;
        made.load_balancers.retain(ours);
        made.load_balancers.sort_by(|a, b| a.id.cmp(&b.id));
    }
    // A description alone is no proof: controllers write one on addresses that they were given, and leave those be that
    // their users want to keep.
    let serves = |ip: &&FloatingIp| {
        let port = ip.port_id.as_deref();
        tells_of(&ip.description, &cluster)
            && made.load_balancers.iter().any(|balancer| port == Some(&balancer.vip_port_id))
    };
    made.floating_ips = floating_ips.iter().filter(serves).cloned().collect();
    if capabilities.volumes() {
        let ours = |metadata: &std::collections::BTreeMap<String, String>| {
            metadata.get(node::VOLUME_KEY).is_some_and(|of| *of == cluster)
        };
        made.volumes = or_none(cloud.volumes().await)?;
        made.volumes.retain(|volume| ours(&volume.metadata));
        made.volumes.sort_by(|a, b| a.id.cmp(&b.id));
        made.snapshots = or_none(cloud.volume_snapshots().await)?;
        made.snapshots.retain(|snapshot| ours(&snapshot.metadata));
        made.snapshots.sort_by(|a, b| a.id.cmp(&b.id));
        made.backups = or_none(cloud.volume_backups().await)?;
        made.backups.retain(|backup| ours(&backup.metadata));
        made.backups.sort_by(|a, b| (&b.created_at, &b.id).cmp(&(&a.created_at, &a.id)));
    }
    if capabilities.keys() {
        made.secrets = or_none(cloud.secrets().await)?;
        made.secrets.retain(|secret| secret.name.starts_with(&format!("kube_ingress_{cluster}_")));
        made.secrets.sort_by(|a, b| a.id().cmp(b.id()));
    }
    Ok(made)
}

/// Who may not list things of a kind, or where nobody serves them, has had none made either: the controllers act with the
/// same rights.
fn or_none<T>(listed: openstack::Result<Vec<T>>) -> Result<Vec<T>> {
    match listed {
        Err(error) if error.status() == Some(403) || matches!(error, openstack::Error::NoService { .. }) => {
            tracing::warn!(%error, "taken for none");
            Ok(Vec::new())
        }
        listed => Ok(listed?),
    }
}

/// Does a controller's description, `.. cluster <name>` with or without more after a comma, tell of this cluster?
fn tells_of(description: &str, cluster: &str) -> bool {
    description
        .split_once(&format!(" cluster {cluster}"))
        .is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with(','))
}

/// The UUIDs of clusters called `name` that the cloud knows of: for deleting one whose local state is lost.
pub(crate) async fn clusters_named(cloud: &dyn Cloud, name: &str) -> Result<Vec<String>> {
    let project = cloud.project_id();
    let of_project = [("project_id", project.as_str())];
    let mut found = Vec::new();
    for server in cloud.servers(&[]).await? {
        if server.metadata.get(node::NAME_KEY).is_some_and(|owner| owner == name) {
            found.extend(server.metadata.get(node::CLUSTER_KEY).cloned());
        }
    }
    let of = |text: &str| text.strip_prefix(node::CLUSTER_KEY)?.strip_prefix('=').map(str::to_owned);
    for network in cloud.networks(&of_project).await? {
        if network.name == node::network(name) {
            found.extend(of(&network.description));
        }
    }
    for group in cloud.security_groups(&of_project).await? {
        if Role::ALL.iter().any(|role| group.name == node::security_group(name, *role)) {
            found.extend(of(&group.description));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn is_node_name(text: &str, cluster: &str) -> bool {
    let Some(rest) = text.strip_prefix(cluster).and_then(|rest| rest.strip_prefix('-')) else { return false };
    Role::ALL.iter().any(|role| {
        let index = rest.strip_prefix(role.as_str()).and_then(|rest| rest.strip_prefix('-'));
        index.is_some_and(|index| !index.is_empty() && index.chars().all(|c| c.is_ascii_digit()))
    })
}

struct Sorted<'a> {
    mark: &'a str,
    strangers: Vec<Stranger>,
}

impl Sorted<'_> {
    /// Keep what is ours; remember what merely has our name.
    fn split<T: Marked>(
        &mut self,
        all: Vec<T>,
        kind: &'static str,
        our_name: impl Fn(&str) -> bool,
    ) -> Vec<T> {
        let mut ours = Vec::new();
        for item in all {
            if item.description() == self.mark || item.tags().iter().any(|tag| tag == self.mark) {
                ours.push(item);
            } else if our_name(item.name()) {
                let (name, id) = (item.name().to_owned(), item.id().to_owned());
                self.strangers.push(Stranger { kind, name, id });
            }
        }
        // The same thing comes first in each observation, in whichever order the cloud lists.
        ours.sort_by(|a, b| (a.name(), a.id()).cmp(&(b.name(), b.id())));
        ours
    }
}

trait Marked {
    fn id(&self) -> &str;
    fn name(&self) -> &str;
    fn description(&self) -> &str;
    fn tags(&self) -> &[String];
}

macro_rules! marked {
    ($kind:ty, $name:ident) => {
        impl Marked for $kind {
            fn id(&self) -> &str {
                &self.id
            }
            fn name(&self) -> &str {
                &self.$name
            }
            fn description(&self) -> &str {
                &self.description
            }
            fn tags(&self) -> &[String] {
                &self.tags
            }
        }
    };
}
marked!(Network, name);
marked!(Subnet, name);
marked!(Router, name);
marked!(Port, name);
marked!(SecurityGroup, name);
marked!(FloatingIp, floating_ip_address);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_descriptions_are_understood() {
        for ours in [
            "Kubernetes external service default/web from cluster demo-1",
            "Floating IP for Kubernetes external service default/web from cluster demo-1",
            "Security Group for default/web Service LoadBalancer in cluster demo-1",
            "Kubernetes Ingress web in namespace default from cluster demo-1, version: 77",
        ] {
            assert!(tells_of(ours, "demo-1"), "{ours}");
        }
        for other in
            ["", "demo-1", "service x from cluster demo-12", "service x from cluster demo", "cluster demo-1"]
        {
            assert!(!tells_of(other, "demo-1"), "{other}");
        }
    }
}
