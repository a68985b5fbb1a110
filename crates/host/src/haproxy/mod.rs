//! The real driver of load balancers: an HAProxy each, in a namespace of its own.
//!
//! ```text
//!   load balancer's namespace          network's namespace
//!   haproxy ═ lb-… ──────── veth ───── tap… ─ br0 ─ tap… ═ clients, members
//!   VIP, routes, rules                 another network's namespace
//!           ╘ lb-… ──────── veth ───── tap… ─ br0 ─ tap… ═ members there
//! ```
//! What is in its directory and in the kernel is all there is: a daemon that starts anew goes on from that.

mod backend;
mod checks;
mod config;
mod enforced;
mod forward;
mod links;
mod policies;
mod probe;
mod process;
mod rules;
mod stats;
#[cfg(test)]
mod tests;
mod tls;
mod totals;
mod words;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};

use self::checks::Checks;
use self::enforced::Enforced;
use crate::balancer::{BalancerPlan, BalancerView, LoadBalancers};
use crate::ledger::{Ledger, Thing};
use crate::names::NetnsName;
use crate::network::delete_links;
use crate::process::file_error;
use crate::{Result, netns};

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
    rules: Arc<Mutex<Enforced>>,
    checks: Arc<Checks>,
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
        // A change that ends halfway leaves neither the plan before it in force nor its own.
        if let Some(applied) = self.applied().get_mut(&plan.id) {
            applied.plan = None;
        }
        let thing = || Thing::Netns { name: namespace.as_str().to_owned() };
        self.note(thing())?;
        self.note(Thing::Balancer { id: plan.id.clone() })?;
        std::fs::create_dir_all(&directory).map_err(|error| file_error("making", &directory, error))?;
        if netns::create(&namespace, &plan.id).await? {
            known = Applied::default();
            self.applied().remove(&plan.id);
            // Of a namespace before it that lost its name, with all that ran in it.
            let old = directory.clone();
            netns::on_own_thread(move || process::stop(&old)).await?;
            links::cut(&self.options.prefix, plan).await?;
        }
        links::connect(&self.options.prefix, plan, &namespace, &known.rules).await?;
        serve(plan, &namespace, &directory, text).await?;
        let checks = checks::renew(known.checks, plan, &namespace, &directory, &known.rules).await?;
        let now = Applied { plan: Some((plan.clone(), Instant::now())), rules: known.rules, checks };
        self.applied().insert(plan.id.clone(), now);
        Ok(())
    }

    async fn remove(&self, id: &str) -> Result<()> {
        let (directory, namespace) = (self.directory(id), self.namespace(id));
        self.applied().remove(id);
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
        self.forget(&Thing::Balancer { id: id.to_owned() })?;
        self.forget(&Thing::Netns { name: namespace.as_str().to_owned() })
    }

    async fn observe(&self, plan: &BalancerPlan) -> Result<BalancerView> {
        let mut view = BalancerView::default();
        let known = self.applied().get(&plan.id).cloned().unwrap_or_default();
        if plan.listeners.iter().any(|listener| !listener.forwarded) {
            let directory = self.directory(&plan.id);
            let said = netns::on_own_thread(move || {
                let mut view = stats::read(&stats::ask(&directory, "show stat")?);
                totals::add(&directory, &mut view);
                Ok(view)
            });
            view = said.await?;
        }
        if plan.listeners.iter().any(|listener| listener.forwarded) {
            let (plan, namespace) = (plan.clone(), self.namespace(&plan.id));
            let counted = netns::inside(&namespace, move || enforced::counters(&plan)).await?;
            view.counters.extend(counted);
        }
        view.members.extend(known.checks.health());
        Ok(view)
    }

    async fn list(&self) -> Result<Vec<String>> {
        let directory: &Utf8Path = &self.options.directory;
        let entries = directory.read_dir_utf8().map_err(|error| file_error("listing", directory, error))?;
        Ok(entries.flatten().map(|entry| entry.file_name().to_owned()).collect())
    }
}

/// HAProxy, as the plan wants it. `text`: its configuration; None: nothing listens.
async fn serve(
    plan: &BalancerPlan,
    namespace: &NetnsName,
    directory: &Utf8Path,
    text: Option<String>,
) -> Result<()> {
    let (plan, directory) = (plan.clone(), directory.to_owned());
    netns::inside(namespace, move || match text {
        Some(text) if process::runs(&directory, &text) => Ok(()),
        Some(text) => {
            tls::write(&directory, &plan)?;
            process::start(&directory, &text)?;
            tls::tidy(&directory, &plan)
        }
        None => {
            process::stop(&directory)?;
            totals::forget(&directory)?;
            tls::tidy(&directory, &plan)
        }
    })
    .await
}
