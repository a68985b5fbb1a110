//! The real driver of load balancers: an HAProxy each, in a namespace of its own.
//!
//! ```text
//!   load balancer's namespace          network's namespace
//!   haproxy ═ lb-… ──────── veth ───── tap… ─ br0 ─ tap… ═ clients, members
//!   VIP, routes, rules
//! ```
//! What is in its directory and in the kernel is all there is: a daemon that starts anew goes on from that.

mod config;
mod process;
mod rules;
mod stats;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};
use ipnet::IpNet;

use crate::balancer::{BalancerPlan, BalancerView, LoadBalancers, VipPlan};
use crate::ledger::{Ledger, Thing};
use crate::link::netlink::Netlink;
use crate::link::plan::{Observed, Wanted, WantedKind, WantedLink, parse_mac};
use crate::link::{execute, observe};
use crate::names::{self, NetnsName};
use crate::network::delete_links;
use crate::nft::{self, Loaded};
use crate::process::file_error;
use crate::{Error, Result, netns};

#[derive(Debug, Clone)]
pub struct Options {
    /// The cloud's name; its namespaces begin with it.
    pub prefix: String,
    /// A directory for each load balancer is made below it.
    pub directory: Utf8PathBuf,
    pub ledger: Option<Arc<Ledger>>,
}

/// See the module's text.
pub struct HaproxyBalancers {
    options: Options,
    applied: Mutex<HashMap<String, Applied>>,
}

/// What this process knows of the kernel's state.
#[derive(Default, Clone)]
struct Applied {
    /// What was applied, and when it was looked at link by link.
    plan: Option<(BalancerPlan, Instant)>,
    rules: Option<Loaded>,
}

/// An equal plan is believed to be in force for so long, if HAProxy runs. Then it is looked at again.
const BELIEVED: Duration = Duration::from_secs(20);

impl HaproxyBalancers {
    pub fn new(options: Options) -> Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        let directory = &options.directory;
        std::fs::create_dir_all(directory).map_err(|error| file_error("making", directory, error))?;
        // HAProxy enters its jail after it has given root away.
        let open = std::fs::Permissions::from_mode(0o711);
        std::fs::set_permissions(directory, open)
            .map_err(|error| file_error("opening up", directory, error))?;
        Ok(Self { options, applied: Mutex::default() })
    }

    fn applied(&self) -> MutexGuard<'_, HashMap<String, Applied>> {
        self.applied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn directory(&self, id: &str) -> Utf8PathBuf {
        self.options.directory.join(id)
    }

    fn namespace(&self, id: &str) -> NetnsName {
        NetnsName::balancer(&self.options.prefix, id)
    }

    fn note(&self, thing: Thing) -> Result<()> {
        self.options.ledger.as_ref().map_or(Ok(()), |ledger| ledger.note(thing))
    }

    fn forget(&self, thing: &Thing) -> Result<()> {
        self.options.ledger.as_ref().map_or(Ok(()), |ledger| ledger.forget(thing))
    }

    /// The link, its addresses and routes. The other end is on the network's bridge afterwards.
    async fn connect(&self, plan: &BalancerPlan, namespace: &NetnsName, known: Applied) -> Result<Applied> {
        let network = NetnsName::network(&self.options.prefix, &plan.vip.network_id);
        let file = open(&network, &plan.id)?;
        let (vip, text, mut loaded) = (plan.vip.clone(), rules::render(plan), known.rules);
        let loaded = netns::inside(namespace, move || {
            sysctls()?;
            nft::load(&text, &mut loaded)?;
            let mut netlink = Netlink::open()?;
            let observed = observe::observe(&mut netlink)?;
            execute::reconcile(&mut netlink, &observed, &wanted(&vip), &|_| Ok(file.as_raw_fd()))?;
            Ok(loaded)
        })
        .await?;
        let vip = plan.vip.clone();
        netns::inside(&network, move || {
            let mut netlink = Netlink::open()?;
            let observed = Observed { links: observe::observe_links(&mut netlink)?, routes: Vec::new() };
            execute::reconcile(&mut netlink, &observed, &wanted_peer(&vip), &|link| {
                Err(Error::Link(format!("{link} is not there: apply its load balancer again")))
            })
        })
        .await?;
        let link = names::balancer_link(&plan.vip.port_id);
        netns::inside(namespace, move || Netlink::open()?.settle(&link)).await?;
        Ok(Applied { plan: Some((plan.clone(), Instant::now())), rules: loaded })
    }
}

fn open(network: &NetnsName, id: &str) -> Result<File> {
    let path = network.path();
    File::open(&path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::Link(format!(
            "load balancer {id} needs network namespace {network}, which is not there: apply its network first"
        )),
        _ => Error::File { operation: "open", path, source },
    })
}

fn wanted(vip: &VipPlan) -> Wanted {
    let link = WantedLink {
        name: names::balancer_link(&vip.port_id),
        kind: WantedKind::Veth { peer: names::tap(&vip.port_id) },
        mac: parse_mac(&vip.mac),
        mtu: Some(vip.mtu),
        bridge: None,
        addresses: Some(vip.addresses.clone()),
    };
    let reachable = |hop: &std::net::IpAddr| vip.addresses.iter().any(|own: &IpNet| own.contains(hop));
    let routes = vip.routes.iter().copied().filter(|(_, hop)| reachable(hop)).collect();
    Wanted {
        links: vec![link],
        routes: Some(routes),
        port_mtu: None,
        ports: None,
        ours: &[names::BALANCER_LINKS],
    }
}

/// The end on the network's bridge. It has a machine's name, so that whatever looks after those looks after it.
fn wanted_peer(vip: &VipPlan) -> Wanted {
    let link = WantedLink {
        name: names::tap(&vip.port_id),
        kind: WantedKind::Present,
        mac: None,
        mtu: Some(vip.mtu),
        bridge: Some(names::BRIDGE),
        addresses: None,
    };
    Wanted { links: vec![link], routes: None, port_mtu: None, ports: None, ours: &[] }
}

fn sysctls() -> Result<()> {
    netns::sysctl("net/ipv4/ip_forward", "0")?;
    netns::sysctl("net/ipv4/ip_local_port_range", "1026 65535")?;
    for interface in ["all", "default"] {
        netns::sysctl(&format!("net/ipv4/conf/{interface}/promote_secondaries"), "1")?;
        if std::path::Path::new("/proc/sys/net/ipv6").exists() {
            netns::sysctl(&format!("net/ipv6/conf/{interface}/accept_ra"), "0")?;
            netns::sysctl(&format!("net/ipv6/conf/{interface}/accept_dad"), "0")?;
        }
    }
    Ok(())
}

#[async_trait]
impl LoadBalancers for HaproxyBalancers {
    async fn apply(&self, plan: &BalancerPlan) -> Result<()> {
        let (directory, namespace) = (self.directory(&plan.id), self.namespace(&plan.id));
        let mut known = self.applied().get(&plan.id).cloned().unwrap_or_default();
        let text = config::render(plan, directory.as_str(), process::most());
        let is_believed =
            known.plan.as_ref().is_some_and(|(before, at)| before == plan && at.elapsed() < BELIEVED);
        if is_believed && text.as_ref().is_none_or(|text| process::runs(&directory, text)) {
            return Ok(());
        }
        let thing = || Thing::Netns { name: namespace.as_str().to_owned() };
        self.note(thing())?;
        self.note(Thing::Balancer { id: plan.id.clone() })?;
        std::fs::create_dir_all(&directory).map_err(|error| file_error("making", &directory, error))?;
        if netns::create(&namespace, &plan.id).await? {
            known = Applied::default();
            // Of a namespace before it that lost its name, with all that ran in it.
            let old = directory.clone();
            netns::on_own_thread(move || process::stop(&old)).await?;
            let peer = names::tap(&plan.vip.port_id);
            netns::inside(&NetnsName::network(&self.options.prefix, &plan.vip.network_id), move || {
                let mut netlink = Netlink::open()?;
                netlink.index(&peer)?.map_or(Ok(()), |index| netlink.delete_link(index))
            })
            .await?;
        }
        let now = self.connect(plan, &namespace, known).await?;
        self.applied().insert(plan.id.clone(), now);
        let plan = plan.clone();
        netns::inside(&namespace, move || match text {
            Some(text) if process::runs(&directory, &text) => Ok(()),
            Some(text) => {
                tls::write(&directory, &plan)?;
                process::start(&directory, &text)?;
                tls::tidy(&directory, &plan)
            }
            None => {
                process::stop(&directory)?;
                tls::tidy(&directory, &plan)
            }
        })
        .await
    }

    async fn remove(&self, id: &str) -> Result<()> {
        let (directory, namespace) = (self.directory(id), self.namespace(id));
        if directory.exists() {
            let old = directory.clone();
            netns::on_own_thread(move || process::stop(&old)).await?;
        }
        if netns::is_namespace(&namespace.path()) {
            netns::inside(&namespace, delete_links).await?;
        }
        netns::remove(&namespace)?;
        match std::fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(file_error("removing", &directory, error));
            }
            _ => {}
        }
        self.applied().remove(id);
        self.forget(&Thing::Balancer { id: id.to_owned() })?;
        self.forget(&Thing::Netns { name: namespace.as_str().to_owned() })
    }

    async fn observe(&self, plan: &BalancerPlan) -> Result<BalancerView> {
        if plan.listeners.is_empty() {
            return Ok(BalancerView::default());
        }
        let directory = self.directory(&plan.id);
        netns::on_own_thread(move || Ok(stats::read(&stats::ask(&directory, "show stat")?))).await
    }

    async fn list(&self) -> Result<Vec<String>> {
        let directory: &Utf8Path = &self.options.directory;
        let entries = directory.read_dir_utf8().map_err(|error| file_error("listing", directory, error))?;
        Ok(entries.flatten().map(|entry| entry.file_name().to_owned()).collect())
    }
}
