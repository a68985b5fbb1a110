//! Barbican, the Key Manager service, v1.
//!
//! | room | URL |
//! |---|---|
//! | [`discovery`] | `/`, `/v1` |
//! | [`secrets`] | `/v1/secrets`, `/v1/secrets/{id}`, its `payload` |
//! | [`metadata`] | `/v1/secrets/{id}/metadata` |
//! | [`containers`] | `/v1/containers`, `/v1/containers/{id}`, its `secrets` |
//! | [`consumers`] | `/v1/secrets/{id}/consumers`, `/v1/containers/{id}/consumers` |
//! | [`acls`] | `/v1/secrets/{id}/acl`, `/v1/containers/{id}/acl` |
//! | [`orders`] | `/v1/orders` |
//! | [`quotas`] | `/v1/quotas`, `/v1/project-quotas` |
//! | [`secret_stores`] | `/v1/secret-stores` |
//!
//! ```text
//! payload ─► encrypted under its project's key ─► a row
//!                                 └── encrypted under the key file (vault.rs), which is not in the database
//! ```
//!
//! Calls no other service; those that use secrets call [`reading`], and [`keys`] for what they encrypt.

pub mod access;
pub mod acls;
mod body;
pub mod consumers;
pub mod containers;
pub mod discovery;
pub mod keys;
pub mod metadata;
pub mod orders;
pub mod quotas;
pub mod reading;
mod refs;
pub mod secret_stores;
pub mod secrets;
pub mod vault;

use std::sync::Arc;

use base::{Microversion, Result};
use camino::Utf8Path;
use db::{Db, Migration};
use web::{Gate, Router, Routes, Service, Style};

pub use vault::Vault;

pub const MIGRATIONS: &[Migration] = &[
    Migration { name: "barbican/0001_secrets", sql: include_str!("../migrations/0001_secrets.sql") },
    Migration {
        name: "barbican/0002_orders_of_pairs",
        sql: include_str!("../migrations/0002_orders_of_pairs.sql"),
    },
];

static SERVICE: Service = Service {
    name: "key-manager",
    style: Style::Barbican,
    microversions: Some((Microversion::new(1, 0), Microversion::new(1, 2))),
    legacy_header: None,
    for_projects: true,
};

pub struct Barbican {
    pub(crate) db: Arc<Db>,
    pub(crate) vault: Vault,
}

impl Barbican {
    /// The key file is made when there are no secrets yet.
    pub async fn open(db: Arc<Db>, key_file: &Utf8Path) -> Result<Arc<Self>> {
        let vault = Vault::open(&mut *db.read().await?, key_file).await?;
        Ok(Arc::new(Barbican { db, vault }))
    }

    pub fn router(self: &Arc<Self>, gate: Gate) -> Router {
        let routes = Routes::new(&SERVICE, gate, self.clone());
        let routes = discovery::routes(routes);
        let routes = secrets::api::routes(routes);
        let routes = metadata::api::routes(routes);
        let routes = containers::api::routes(routes);
        let routes = consumers::api::routes(routes);
        let routes = acls::api::routes(routes);
        let routes = orders::api::routes(routes);
        let routes = quotas::api::routes(routes);
        secret_stores::api::routes(routes).into_router()
    }
}
