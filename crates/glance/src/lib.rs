//! Glance, the Image service, v2.
//!
//! | room | URL |
//! |---|---|
//! | [`discovery`] | `/`, `/versions`, `/v2/schemas/..` |
//! | [`images`] | `/v2/images`, `/v2/images/{id}`, its tags and actions |
//! | [`data`] | `/v2/images/{id}/file`, `/stage` |
//! | [`imports`] | `/v2/images/{id}/import` |
//! | [`tasks`] | `/v2/tasks`, `/v2/images/{id}/tasks` |
//! | [`stores`] | `/v2/info/..`, `/v2/stores/..`, `/v2/images/{id}/locations` |
//! | [`members`] | `/v2/images/{id}/members` |
//! | [`metadefs`] | `/v2/metadefs/..` |
//! | [`cache`] | `/v2/cache`, of which there is none |
//!
//! The data of an image is one file in each of its stores; it never changes once the image is active, so that a virtual
//! machine's disk may be an overlay over it. Calls no other service.

mod cache;
pub mod data;
pub mod discovery;
pub mod images;
pub mod imports;
pub mod keys;
pub mod members;
pub mod metadefs;
mod snapshots;
pub mod stores;
pub mod tasks;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use base::{Ctx, Error, Result};
use camino::Utf8PathBuf;
use db::{Db, Migration};
use reconcile::{Options, Waker};
use web::{Gate, Router, Routes, Service, Style};

pub use data::Store;
pub use images::{Image, Status, Visibility};
pub use imports::download::Rules as DownloadRules;
pub use keys::Keys;

pub const MIGRATIONS: &[Migration] = &[
    Migration { name: "glance/0001_images", sql: include_str!("../migrations/0001_images.sql") },
    Migration { name: "glance/0002_stores_tasks", sql: include_str!("../migrations/0002_stores_tasks.sql") },
    Migration { name: "glance/0003_metadefs", sql: include_str!("../migrations/0003_metadefs.sql") },
];

/// What tokens for the system or a domain are told is for the rooms to say: 404 for one image, 403 for lists.
static SERVICE: Service = Service {
    name: "image",
    style: Style::Glance,
    microversions: None,
    legacy_header: None,
    for_projects: false,
};

#[derive(Debug, Clone)]
pub struct Config {
    /// The first is the default one.
    pub stores: Vec<Store>,
    /// Data that waits for its import; best on the file system of the default store.
    pub staging: Utf8PathBuf,
    pub download: DownloadRules,
    /// Bytes of one image.
    pub image_limit: i64,
    /// Bytes of a project's images in all stores together; None: no limit.
    pub project_limit: Option<i64>,
}

impl Config {
    /// One store, in `dir`.
    pub fn at(dir: Utf8PathBuf) -> Self {
        let staging = dir.join("staging");
        let store = Store { id: "file".into(), description: "files on this machine".into(), dir };
        Config {
            stores: vec![store],
            staging,
            download: DownloadRules::default(),
            image_limit: 1 << 40,
            project_limit: None,
        }
    }
}

pub struct Glance {
    pub(crate) db: Arc<Db>,
    pub(crate) files: data::Files,
    pub(crate) download: DownloadRules,
    pub(crate) keys: OnceLock<Arc<dyn Keys>>,
    /// By task's id.
    pub(crate) importing: Waker,
    /// By image's id.
    pub(crate) hashing: Waker,
    image_limit: i64,
    project_limit: Option<i64>,
}

impl Glance {
    /// One store, in a directory that is made if it is missing.
    pub async fn new(db: Arc<Db>, store_dir: Utf8PathBuf) -> Result<Arc<Self>> {
        Self::open(db, Config::at(store_dir)).await
    }

    /// Uploads that a crash cut off are forgotten: their images are queued again.
    pub async fn open(db: Arc<Db>, config: Config) -> Result<Arc<Self>> {
        let glance = Arc::new(Glance {
            db,
            files: data::Files::open(config.stores, config.staging)?,
            download: config.download,
            keys: OnceLock::new(),
            importing: Waker::new(),
            hashing: Waker::new(),
            image_limit: config.image_limit,
            project_limit: config.project_limit,
        });
        for id in images::store::requeue_unfinished(&glance.db).await? {
            tracing::warn!(image = id, "the upload was cut off; the image is queued again");
        }
        glance.sweep().await?;
        metadefs::standard::load(&glance.db).await?;
        Ok(glance)
    }

    /// Files without rows, and images whose staging was cut off.
    async fn sweep(&self) -> Result<()> {
        let mut staged = HashSet::new();
        for image in images::store::staging(&self.db).await? {
            if self.files.staged(&image.id).is_file() || image.status == Status::Importing {
                staged.insert(image.id);
                continue;
            }
            tracing::warn!(image = image.id, "the staging was cut off; the image is queued again");
            images::store::edit(
                &self.db,
                &Ctx::internal("start"),
                "image.stage_failed",
                &image.id,
                |image| {
                    image.requeue();
                    Ok(())
                },
            )
            .await?;
        }
        let mut stored = HashMap::new();
        for (id, stores) in images::store::with_data(&self.db).await? {
            stored.insert(id, serde_json::from_str(&stores).map_err(Error::internal)?);
        }
        self.files.sweep(&stored, &staged)
    }

    /// Runs imports, and hashes what is not hashed yet.
    pub async fn start(self: &Arc<Self>) {
        let importing = Options { parallel: 4, ..Options::default() };
        reconcile::spawn(
            self.importing.clone(),
            Arc::new(imports::reconcile::Imports::new(self.clone())),
            importing,
        );
        let hashing = Options { parallel: 1, ..Options::default() };
        reconcile::spawn(self.hashing.clone(), Arc::new(data::hashing::Hashing(self.clone())), hashing);
    }

    /// Takes no new work.
    pub fn stop(&self) {
        self.importing.stop();
        self.hashing.stop();
    }

    pub fn router(self: &Arc<Self>, gate: Gate) -> Router {
        let routes = Routes::new(&SERVICE, gate, self.clone());
        let routes = discovery::routes(routes);
        let routes = images::api::routes(routes);
        let routes = data::api::routes(routes);
        let routes = imports::api::routes(routes);
        let routes = tasks::api::routes(routes);
        let routes = stores::api::routes(routes);
        let routes = cache::routes(routes);
        let routes = metadefs::routes(routes);
        members::api::routes(routes).into_router()
    }

    /// For Nova: an image that `ctx` may see.
    pub async fn image(&self, ctx: &base::Ctx, id: &str) -> Result<Image> {
        images::load_visible(self, ctx, id).await
    }

    /// The data of an active image; read-only.
    pub fn file(&self, image: &Image) -> Utf8PathBuf {
        self.files.locate(image)
    }

    /// How many bytes of data an image may have now.
    pub(crate) async fn room(&self, image: &Image) -> Result<i64> {
        let (Some(limit), Some(owner)) = (self.project_limit, &image.owner) else {
            return Ok(self.image_limit);
        };
        let used = images::store::stored_bytes(&mut *self.db.read().await?, owner).await?;
        Ok(self.image_limit.min(limit.saturating_sub(used).max(0)))
    }

    /// 413 for data that is announced too large, before it is sent.
    pub(crate) async fn check_room(&self, image: &Image, size: Option<i64>) -> Result<()> {
        let room = self.room(image).await?;
        match size {
            Some(size) if size > room => Err(Error::too_large(format!(
                "Image exceeds the storage quota: The size of the data {size} will exceed the limit. {room} bytes remaining."
            ))),
            _ => Ok(()),
        }
    }
}
