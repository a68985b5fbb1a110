//! The real driver of networks: namespaces, links, rules, DHCP and metadata.
//!
//! ```text
//!   host                       network (external)            router              network (tenant)
//!   cml-xxxxxxxx ────────── host0 ─┐
//!   gateway addresses              br0 ─ rtr… ───────── qg-…   qr-… ───────── rtr… ─ br0 ─ tap… ═ QEMU
//!                                                                                    DHCP, metadata
//! ```
//!
//! Every apply looks at what is there and repairs the difference; a daemon that starts anew adopts what it finds
//! without touching links that carry traffic. Only sockets and rules are made again, the rules in one transaction.

mod external;
mod monitor;
mod networks;
mod routers;
mod trunks;
mod wanted;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_trait::async_trait;

use crate::ledger::{Ledger, Thing};
use crate::link::netlink::Netlink;
use crate::link::observe;
use crate::metadata::Callers;
use crate::names::{self, NetnsKind, NetnsName};
use crate::plan::{NetworkPlan, RouterPlan};
use crate::{Drift, Error, MetadataSource, Network, Present, Result, netns};

#[derive(Debug, Clone)]
pub struct Options {
    /// The cloud's name; its namespaces begin with it. At most 40 letters, digits and hyphens.
    pub prefix: String,
    /// Masquerade the external networks' traffic that leaves the host, by a table of our own.
    pub host_nat: bool,
    /// Where everything made outside the data directory is written down first. Without one, whatever has a name of
    /// this cloud is taken for its own.
    pub ledger: Option<Arc<Ledger>>,
}

impl Default for Options {
    fn default() -> Self {
        Self { prefix: "cumulet".to_owned(), host_nat: true, ledger: None }
    }
}

/// See the module's text.
pub struct LinuxNetwork {
    options: Options,
    networks: States<networks::State>,
    routers: States<routers::State>,
    /// Network -> subports of its trunks that the last apply could not serve, and why.
    unserved: Mutex<HashMap<String, BTreeMap<String, String>>>,
    callers: Arc<Callers>,
    metadata: OnceLock<Arc<dyn MetadataSource>>,
    drifts: tokio::sync::broadcast::Sender<Drift>,
}

impl LinuxNetwork {
    /// Checks that this process can do the work at all.
    pub fn new(options: Options) -> Result<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if options.prefix.is_empty() || options.prefix.len() > 40 || !options.prefix.bytes().all(plain) {
            return Err(Error::Refused(format!(
                "`{}` cannot name a cloud: use at most 40 letters, digits and hyphens",
                options.prefix
            )));
        }
        if !rustix::process::geteuid().is_root() {
            return Err(Error::Refused(
                "networks of virtual machines need root: start the cloud as root, or with --simulate"
                    .to_owned(),
            ));
        }
        Ok(Self {
            options,
            networks: States::default(),
            routers: States::default(),
            unserved: Mutex::default(),
            callers: Arc::default(),
            metadata: OnceLock::new(),
            drifts: tokio::sync::broadcast::channel(1024).0,
        })
    }

    /// The namespace of a network; [`crate::link::open_tap`] wants it.
    #[must_use]
    pub fn namespace(&self, network_id: &str) -> NetnsName {
        NetnsName::network(&self.options.prefix, network_id)
    }

    /// Before a thing is made.
    fn note(&self, thing: impl FnOnce() -> Thing) -> Result<()> {
        self.options.ledger.as_ref().map_or(Ok(()), |ledger| ledger.note(thing()))
    }

    /// After it is gone.
    fn forget(&self, thing: impl FnOnce() -> Thing) -> Result<()> {
        self.options.ledger.as_ref().map_or(Ok(()), |ledger| ledger.forget(&thing()))
    }

    fn unserved_subports(&self) -> MutexGuard<'_, HashMap<String, BTreeMap<String, String>>> {
        self.unserved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_ours(&self, name: &NetnsName) -> bool {
        self.options.ledger.as_ref().is_none_or(|ledger| ledger.has(&of_namespace(name)))
    }

    fn router_namespace(&self, router_id: &str) -> NetnsName {
        NetnsName::router(&self.options.prefix, router_id)
    }
}

#[async_trait]
impl Network for LinuxNetwork {
    async fn apply_network(&self, plan: &NetworkPlan) -> Result<()> {
        let state = self.networks.of(&plan.id);
        let mut state = state.lock().await;
        self.apply_network_to(plan, &mut state).await
    }

    fn unserved(&self, network_id: &str) -> BTreeMap<String, String> {
        self.unserved_subports().get(network_id).cloned().unwrap_or_default()
    }

    async fn remove_network(&self, id: &str) -> Result<()> {
        let state = self.networks.of(id);
        let mut state = state.lock().await;
        self.remove_network_from(id, &mut state).await?;
        self.networks.forget(id);
        self.unserved_subports().remove(id);
        Ok(())
    }

    async fn apply_router(&self, plan: &RouterPlan) -> Result<()> {
        let state = self.routers.of(&plan.id);
        let mut state = state.lock().await;
        self.apply_router_to(plan, &mut state).await
    }

    async fn remove_router(&self, id: &str) -> Result<()> {
        let state = self.routers.of(id);
        let mut state = state.lock().await;
        self.remove_router_from(id, &mut state).await?;
        self.routers.forget(id);
        Ok(())
    }

    async fn list(&self) -> Result<Present> {
        let mut present = Present::default();
        for (kind, name) in netns::list(&self.options.prefix)? {
            if !self.is_ours(&name) {
                continue;
            }
            let Some(id) = id_of(&name).await? else {
                // A crash left a file without a namespace behind it.
                netns::remove_empty(&name)?;
                continue;
            };
            match kind {
                NetnsKind::Network => present.networks.push(id),
                NetnsKind::Router => present.routers.push(id),
                // Theirs is another driver.
                NetnsKind::Balancer => {}
            }
        }
        Ok(present)
    }

    fn drifts(&self) -> tokio::sync::broadcast::Receiver<Drift> {
        self.drifts.subscribe()
    }

    fn serve_metadata(&self, source: Arc<dyn MetadataSource>) {
        if self.metadata.set(source).is_err() {
            tracing::warn!("metadata has a source already: the first one stays");
        }
    }
}

fn of_namespace(name: &NetnsName) -> Thing {
    Thing::Netns { name: name.as_str().to_owned() }
}

/// A namespace's full id is the alias of its loopback link.
pub(crate) async fn id_of(name: &NetnsName) -> Result<Option<String>> {
    if !netns::is_namespace(&name.path()) {
        return Ok(None);
    }
    netns::inside(name, || {
        let links = observe::observe(&mut Netlink::open()?)?.links;
        Ok(links.into_iter().find(|link| link.name == "lo").and_then(|link| link.alias))
    })
    .await
}

/// Deletes the links that we and QEMU made, now. The kernel would do so too, but in its own time.
pub(crate) fn delete_links() -> Result<()> {
    let mut netlink = Netlink::open()?;
    let ours = [
        "tap",
        "ifb",
        "rtr",
        "qr-",
        "qg-",
        names::TRUNK_LINKS,
        names::BALANCER_LINKS,
        names::BRIDGE,
        names::HOST_LINK_PEER,
    ];
    for link in observe::observe(&mut netlink)?.links {
        if ours.iter().any(|prefix| link.name.starts_with(prefix)) {
            netlink.delete_link(link.index)?;
        }
    }
    Ok(())
}

/// One state per id, each behind its own lock: different networks are applied at the same time.
struct States<S>(Mutex<HashMap<String, Arc<tokio::sync::Mutex<S>>>>);

impl<S> Default for States<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S: Default> States<S> {
    fn of(&self, id: &str) -> Arc<tokio::sync::Mutex<S>> {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(states.entry(id.to_owned()).or_default())
    }

    fn forget(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}
