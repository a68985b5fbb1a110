//! Cinder, the Block Storage service, v3.
//!
//! | room | URL |
//! |---|---|
//! | [`discovery`] | `/`, `/v3`, `/v3/extensions`, `/v3/resource_filters` |
//! | [`volumes`] | `/v3/volumes`, its metadata and actions |
//! | [`snapshots`] | `/v3/snapshots` |
//! | [`attachments`] | `/v3/attachments`, and the older actions of volumes that attach |
//! | [`backups`] | `/v3/backups` |
//! | [`transfers`] | `/v3/volume-transfers`, `/v3/os-volume-transfer` |
//! | [`types`] | `/v3/types`, `/v3/default-types` |
//! | [`qos`] | `/v3/qos-specs` |
//! | [`groups`], [`group_types`], [`group_snapshots`] | `/v3/groups`, `/v3/group_types`, `/v3/group_snapshots` |
//! | [`quotas`] | `/v3/os-quota-sets`, `/v3/os-quota-class-sets`, `/v3/limits` |
//! | [`services`] | `/v3/os-services`, `/v3/os-hosts`, `/v3/os-availability-zone`, `/v3/scheduler-stats`, `/v3/capabilities` |
//! | [`messages`] | `/v3/messages` |
//! | [`layers`] | what volumes and snapshots are made of |
//!
//! A project's id may stand behind `/v3`. Rows say which layers there shall be; the reconciler `cinder.volumes` makes their
//! files. [`compute`] and [`within`] are how a service that runs machines uses volumes. Calls Glance, and Barbican for the keys of
//! encrypted volumes ([`keys`]).

mod asker;
pub mod attachments;
pub mod backups;
pub mod compute;
pub mod discovery;
mod flatten;
mod form;
pub mod group_snapshots;
pub mod group_types;
pub mod groups;
pub mod hold;
mod keys;
pub mod layers;
mod listing;
mod merge;
pub mod messages;
mod policy;
pub mod qos;
pub mod quotas;
mod reconcile;
pub mod services;
pub mod snapshots;
pub mod transfers;
pub mod types;
mod values;
pub mod volumes;
pub mod within;
mod words;

use std::sync::{Arc, OnceLock};

use barbican::Barbican;
use base::{Microversion, Result};
use db::{Db, Migration};
use glance::Glance;
use tower::ServiceExt;
use web::{Gate, Router, Routes, Service, Style};

pub use attachments::Attachment;
pub use compute::{Connection, Disk, Guests};
pub use snapshots::Snapshot;
pub use volumes::create::NewVolume;
pub use volumes::{Status, Volume};

pub const MIGRATIONS: &[Migration] = &[
    Migration { name: "cinder/0001_volumes", sql: include_str!("../migrations/0001_volumes.sql") },
    Migration { name: "cinder/0002_groups", sql: include_str!("../migrations/0002_groups.sql") },
    Migration { name: "cinder/0003_encryption", sql: include_str!("../migrations/0003_encryption.sql") },
];

static SERVICE: Service = Service {
    name: "volume",
    style: Style::Nova,
    microversions: Some((Microversion::new(3, 0), Microversion::new(3, 70))),
    legacy_header: None,
    for_projects: false,
};

#[derive(Debug, Clone)]
pub struct Config {
    /// This machine's name.
    pub host: String,
    pub availability_zone: String,
}

pub struct Cinder {
    db: Arc<Db>,
    glance: Arc<Glance>,
    keys: keys::Keys,
    driver: Arc<dyn host::Volumes>,
    config: Config,
    /// `volume/<id>`, `snapshot/<id>`, `backup/<id>` and `layer/<id>`.
    waker: ::reconcile::Waker,
    guests: OnceLock<Arc<dyn Guests>>,
    merging: merge::Merging,
}

impl Cinder {
    /// Makes the type that volumes have unless they ask for another one.
    pub async fn new(
        db: Arc<Db>,
        glance: Arc<Glance>,
        barbican: Arc<Barbican>,
        driver: Arc<dyn host::Volumes>,
        config: Config,
    ) -> Result<Arc<Self>> {
        types::store::ensure_default(&db).await?;
        Ok(Arc::new(Cinder {
            db,
            glance,
            keys: keys::Keys::new(barbican),
            driver,
            config,
            waker: ::reconcile::Waker::new(),
            guests: OnceLock::new(),
            merging: merge::Merging::default(),
        }))
    }

    /// Whoever runs machines; told once, before [`Cinder::start`].
    pub fn serve_guests(&self, guests: Arc<dyn Guests>) {
        // A second one is a mistake of the assembler's that changes nothing.
        let _ = self.guests.set(guests);
    }

    pub async fn start(self: &Arc<Self>) {
        let options = ::reconcile::Options::default();
        ::reconcile::spawn(self.waker.clone(), Arc::new(reconcile::Volumes(self.clone())), options);
    }

    /// Takes no new work.
    pub fn stop(&self) {
        self.waker.stop();
    }

    pub fn router(self: &Arc<Self>, gate: Gate) -> Router {
        let routes = Routes::new(&SERVICE, gate, self.clone());
        let routes = discovery::routes(routes);
        let routes = volumes::api::routes(routes);
        let routes = snapshots::api::routes(routes);
        let routes = attachments::api::routes(routes);
        let routes = backups::api::routes(routes);
        let routes = transfers::api::routes(routes);
        let routes = types::api::routes(routes);
        let routes = qos::routes(routes);
        let routes = quotas::api::routes(routes);
        let routes = groups::api::routes(routes);
        let routes = group_types::api::routes(routes);
        let routes = group_snapshots::api::routes(routes);
        let routes = services::routes(routes);
        let routes = messages::api::routes(routes);
        Router::new().fallback_service(routes.into_router().map_request(asker::without_project))
    }

    /// The backend's name in the words of Cinder's scheduler: one pool of one backend of this host.
    pub(crate) fn pool(&self) -> String {
        format!("{}#files", self.backend())
    }

    pub(crate) fn backend(&self) -> String {
        format!("{}@files", self.config.host)
    }
}
