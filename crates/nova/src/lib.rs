//! Nova, the Compute service, v2.1 with microversions up to 2.104.
//!
//! | room | URL under `/v2.1` |
//! |---|---|
//! | [`versions`] | `/` and `/v2.1` themselves |
//! | [`servers`] | `/servers`, their actions, metadata, tags, interfaces; the reconciler `nova.servers` |
//! | [`block_devices`] | `/servers/{id}/os-volume_attachments`, and which volumes a server boots with |
//! | [`instance_actions`] | `/servers/{id}/os-instance-actions` |
//! | [`flavors`] | `/flavors` |
//! | [`consoles`] | `/servers/{id}/remote-consoles`, `/os-console-auth-tokens`, and `/console` of the binary |
//! | [`keypairs`] | `/os-keypairs` |
//! | [`shares`] | `/servers/{id}/shares` |
//! | [`server_groups`] | `/os-server-groups` |
//! | [`quotas`] | `/os-quota-sets`, `/os-quota-class-sets`, `/limits` |
//! | [`services`] | `/os-services`, `/os-availability-zone` |
//! | [`migrations`] | `/os-migrations` |
//! | [`hypervisors`] | `/os-hypervisors` |
//! | [`aggregates`] | `/os-aggregates` |
//! | [`hosts`] | `/os-hosts`, until 2.42 |
//! | [`usage`] | `/os-simple-tenant-usage`, `/os-instance_usage_audit_log` |
//! | [`external_events`] | `/os-server-external-events` |
//! | [`assisted_volume_snapshots`] | `/os-assisted-volume-snapshots` |
//! | [`baremetal_nodes`] | `/os-baremetal-nodes`, until 2.35 |
//! | [`extensions`] | `/extensions` |
//! | [`gone`] | what Nova once served: 410 |
//! | [`floating_ips`], [`security_groups`], [`networks`], [`images`], [`volumes`] | other services' things in Nova's oldest words |
//! | [`metadata`] | what guests read on 169.254.169.254 and on their config drive |
//!
//! The state machine of a server is drawn in [`servers`]. Calls Placement, Glance, Neutron and Cinder, and the host through
//! [`host::Hypervisor`].

mod aggregates;
mod assisted_volume_snapshots;
mod baremetal_nodes;
mod block_devices;
mod consoles;
mod extensions;
mod external_events;
mod flavors;
mod floating_ips;
mod gone;
mod hosts;
mod hypervisors;
mod images;
mod instance_actions;
mod keypairs;
mod links;
mod metadata;
mod migrations;
mod networks;
mod paths;
mod query;
mod quotas;
mod routes;
mod schema;
mod security_groups;
mod server_groups;
mod servers;
mod services;
mod shares;
mod usage;
mod versions;
mod volumes;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use base::Result;
use cinder::Cinder;
use db::{Db, Migration};
use futures::StreamExt as _;
use glance::Glance;
use host::Hypervisor;
use neutron::Neutron;
use placement::Placement;
use reconcile::Waker;
use tokio::sync::{Notify, Semaphore, broadcast};
use web::{Gate, Loopback, Router, Service, Style};

pub const MIGRATIONS: &[Migration] = &[
    Migration { name: "nova/0001_flavors", sql: include_str!("../migrations/0001_flavors.sql") },
    Migration { name: "nova/0002_keypairs", sql: include_str!("../migrations/0002_keypairs.sql") },
    Migration { name: "nova/0003_server_groups", sql: include_str!("../migrations/0003_server_groups.sql") },
    Migration { name: "nova/0004_quotas", sql: include_str!("../migrations/0004_quotas.sql") },
    Migration { name: "nova/0005_servers", sql: include_str!("../migrations/0005_servers.sql") },
    Migration { name: "nova/0006_hosts", sql: include_str!("../migrations/0006_hosts.sql") },
    Migration { name: "nova/0010_lifecycle", sql: include_str!("../migrations/0010_lifecycle.sql") },
    Migration {
        name: "nova/0020_console_tokens",
        sql: include_str!("../migrations/0020_console_tokens.sql"),
    },
    Migration { name: "nova/0021_server_lists", sql: include_str!("../migrations/0021_server_lists.sql") },
    Migration {
        name: "nova/0022_guest_password",
        sql: include_str!("../migrations/0022_guest_password.sql"),
    },
    Migration { name: "nova/0023_soft_deletion", sql: include_str!("../migrations/0023_soft_deletion.sql") },
    Migration { name: "nova/0030_block_devices", sql: include_str!("../migrations/0030_block_devices.sql") },
];

static SERVICE: Service = Service {
    name: "compute",
    style: Style::Nova,
    microversions: Some((versions::MIN, versions::MAX)),
    legacy_header: Some("x-openstack-nova-api-version"),
    for_projects: true,
};

/// Bytes of lists that are remembered: some pages of a hundred servers.
const ANSWERS: usize = 4 << 20;

/// The root disk's name in the guest, as the API tells it.
pub(crate) const BOOT_DRIVE: &str = "/dev/vda";

/// What the operator decides.
#[derive(Debug, Clone)]
pub struct Config {
    /// Name of this host in services, hypervisors and zones.
    pub host: String,
    /// The zone of a host that no aggregate puts into another one.
    pub availability_zone: String,
    pub region: String,
    /// Appended to guests' host names in the metadata when not empty. It is best left empty: a Kubernetes node's name
    /// must be its server's name.
    pub dns_domain: String,
    /// Authorities (PEM) that guests with cloud-init trust from their first boot on: whoever signs for this cloud's own
    /// APIs. Empty: those of their images.
    pub guests_trust: String,
    /// For how long a deleted server can be restored; None: it is deleted at once.
    pub reclaim: Option<std::time::Duration>,
}

pub struct Nova {
    db: Arc<Db>,
    placement: Arc<Placement>,
    glance: Arc<Glance>,
    neutron: Arc<Neutron>,
    cinder: Arc<Cinder>,
    /// The whole APIs of Neutron, Glance and Cinder, for the calls that only pass on to them.
    network_api: Loopback,
    image_api: Loopback,
    volume_api: Loopback,
    hypervisor: Arc<dyn Hypervisor>,
    config: Config,
    waker: Waker,
    /// This boot of the host: a machine last seen in another one was not stopped by its guest.
    boot_id: String,
    looked_once: AtomicBool,
    /// Servers whose cards came or went when the last daemon died.
    half_plugged: Mutex<HashSet<String>>,
    /// Who may say where a server's volumes are.
    turns: block_devices::turns::Turns,
    /// Lists of servers.
    answers: web::Answers<db::Reads>,
    /// Turns at the host for new machines.
    starts: Semaphore,
    /// Activations that can be cut short, by server.
    waiting: Mutex<HashMap<String, Arc<Notify>>>,
}

impl Nova {
    pub fn new(
        db: Arc<Db>,
        placement: Arc<Placement>,
        glance: Arc<Glance>,
        neutron: Arc<Neutron>,
        cinder: Arc<Cinder>,
        hypervisor: Arc<dyn Hypervisor>,
        config: Config,
    ) -> Arc<Self> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Arc::new(Nova {
            network_api: Loopback::new(|gate| neutron.router(gate)),
            image_api: Loopback::new(|gate| glance.router(gate)),
            volume_api: Loopback::new(|gate| cinder.router(gate)),
            db,
            placement,
            glance,
            neutron,
            cinder,
            hypervisor,
            config,
            waker: Waker::new(),
            boot_id: boot.trim().to_owned(),
            looked_once: AtomicBool::new(false),
            half_plugged: Mutex::default(),
            turns: block_devices::turns::Turns::default(),
            answers: web::Answers::new(ANSWERS),
            starts: Semaphore::new(servers::reconcile::STARTS),
            waiting: Mutex::default(),
        })
    }

    pub fn router(self: &Arc<Self>, gate: Gate) -> Router {
        routes::routes(self.clone(), gate)
    }

    /// What consoles' URLs lead to; to be mounted at `/console`.
    pub fn consoles(self: &Arc<Self>) -> Router {
        consoles::proxy::router(self.clone())
    }

    /// How the reconciler `nova.servers` fares.
    pub fn status(&self) -> reconcile::Status {
        self.waker.status()
    }

    /// Starts the reconciler and listens to machines that stop by themselves.
    pub async fn start(self: &Arc<Self>) {
        if let Err(error) = self.ensure_host().await {
            tracing::error!(?error, "the row of this host could not be written");
        }
        if let Err(error) = self.remember_half_plugged().await {
            tracing::error!(?error, "the requests that were cut off are not known");
        }
        let changes = self.hypervisor.changes();
        reconcile::spawn(
            self.waker.clone(),
            Arc::new(servers::reconcile::Servers(self.clone())),
            servers::reconcile::OPTIONS,
        );
        tokio::spawn(listen(Arc::downgrade(self), changes));
    }

    async fn ensure_host(&self) -> Result<()> {
        let name = self.hypervisor.capacity().await.map_err(base::Error::internal)?.hostname;
        let provider = self.placement.provider_named(&name).await?;
        services::store::ensure(&self.db, &self.config.host, provider).await
    }

    /// Takes no new work.
    pub fn stop(&self) {
        self.waker.stop();
    }

    /// For `cumulet down`: takes no new work and stops all machines gracefully; those that ran will run again at the
    /// next start.
    pub async fn quiesce(&self) -> Result<()> {
        self.waker.stop();
        let running = db::write!(self.db, |tx| servers::store::mark_resume(tx).await)?;
        futures::stream::iter(running)
            .for_each_concurrent(16, |id| async move {
                if let Err(error) = self.hypervisor.stop(&id, Some(QUIESCE_GRACE)).await {
                    tracing::warn!(server = id, %error, "the machine did not stop");
                }
            })
            .await;
        // Paused machines cannot hear the power button.
        for id in self.hypervisor.list().await.map_err(base::Error::internal)? {
            if let Err(error) = self.hypervisor.stop(&id, None).await {
                tracing::warn!(server = id, %error, "the machine did not stop");
            }
        }
        Ok(())
    }

    /// Whether its user wants its machine to stand still, or has just said so.
    pub async fn is_to_stand_still(&self, id: &str) -> Result<bool> {
        use servers::{TaskState, VmState};
        let server = servers::store::get(&mut *self.db.read().await?, id).await?;
        Ok(server.is_some_and(|server| {
            matches!(server.vm_state, VmState::Paused | VmState::Suspended)
                || matches!(server.task_state, Some(TaskState::Pausing | TaskState::Suspending))
        }))
    }

    /// Cuts short what is waiting for this server's guest: a wish that does not wait has come.
    pub(crate) fn preempt(&self, id: &str) {
        if let Some(notify) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
            notify.notify_waiters();
        }
    }

    /// What `work` comes to; None when the server wishes something else than it did when it was read.
    pub(crate) async fn unless_preempted<T>(
        &self,
        server: &servers::Server,
        work: impl Future<Output = T> + Send,
    ) -> Option<T> {
        let notify = Arc::new(Notify::new());
        let notified = notify.notified();
        let _forget = Waiting { nova: self, id: &server.id };
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(server.id.clone(), notify.clone());
        // Listening began before this look, so that a wish between the two is not missed. The work begins after it: its
        // own steps change the task too, and are no other wish.
        if self.task_of(&server.id).await.is_ok_and(|task| task != server.task_state) {
            return None;
        }
        tokio::select! {
            done = work => Some(done),
            () = notified => None,
        }
    }

    async fn task_of(&self, id: &str) -> Result<Option<servers::TaskState>> {
        let server = servers::store::get(&mut *self.db.read().await?, id).await?;
        Ok(server.and_then(|s| s.task_state))
    }
}

/// The cloud's data came from an archive and lies elsewhere now: machines that ran will run again at the next start.
pub async fn moved(db: &Db, from: &str, to: &str) -> Result<()> {
    db::write!(db, |tx| {
        servers::store::rename_files(tx, from, to).await?;
        servers::store::mark_resume(tx).await?;
        Ok(())
    })
}

/// How long `cumulet down` waits for a guest.
const QUIESCE_GRACE: std::time::Duration = std::time::Duration::from_secs(20);

struct Waiting<'a> {
    nova: &'a Nova,
    id: &'a str,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.nova.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(self.id);
    }
}

async fn listen(nova: std::sync::Weak<Nova>, mut changes: broadcast::Receiver<String>) {
    loop {
        let event = changes.recv().await;
        let Some(nova) = nova.upgrade() else { return };
        match event {
            Ok(id) => nova.waker.wake(&id),
            Err(broadcast::error::RecvError::Lagged(_)) => match nova.hypervisor.list().await {
                Ok(ids) => ids.iter().for_each(|id| nova.waker.wake(id)),
                Err(error) => tracing::warn!(%error, "events of machines were lost"),
            },
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}
