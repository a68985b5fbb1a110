//! Glance, the Image service, v2.
//!
//! | room | URL |
//! |---|---|
//! | [`discovery`] | `/`, `/versions`, `/v2/schemas/..`, `/v2/info/..` |
//! | [`images`] | `/v2/images`, `/v2/images/{id}`, its tags and actions |
//! | [`data`] | `/v2/images/{id}/file` |
//! | [`members`] | `/v2/images/{id}/members` |
//!
//! ```text
//!            PUT file                 inspected, hashed
//!  queued ───────────► saving ───────────────────────► active ◄──► deactivated
//!    ▲                   │ cut off, refused, a crash
//!    └───────────────────┘
//! ```
//!
//! The data of an image is one file, `<store>/<id>`; it never changes once the image is active, so that a virtual
//! machine's disk may be an overlay over it. Calls no other service.

pub mod data;
pub mod discovery;
pub mod images;
pub mod members;
mod snapshots;

use std::sync::Arc;

use camino::Utf8PathBuf;
use db::{Db, Migration};
use web::{Gate, Router, Routes, Service, Style};

pub use images::{Image, Status, Visibility};

pub const MIGRATIONS: &[Migration] =
    &[Migration { name: "glance/0001_images", sql: include_str!("../migrations/0001_images.sql") }];

static SERVICE: Service =
    Service { name: "image", style: Style::Glance, microversions: None, legacy_header: None };

pub struct Glance {
    pub(crate) db: Arc<Db>,
    pub(crate) files: data::Files,
}

impl Glance {
    /// `store_dir` is made if it is missing. Uploads that a crash cut off are forgotten: their images are queued again.
    pub async fn new(db: Arc<Db>, store_dir: Utf8PathBuf) -> base::Result<Arc<Self>> {
        let glance = Arc::new(Glance { db, files: data::Files::open(store_dir)? });
        for id in images::store::requeue_unfinished(&glance.db).await? {
            tracing::warn!(image = id, "the upload was cut off; the image is queued again");
        }
        glance.files.sweep(&images::store::ids_with_data(&glance.db).await?)?;
        Ok(glance)
    }

    pub fn router(self: &Arc<Self>, gate: Gate) -> Router {
        let routes = Routes::new(&SERVICE, gate, self.clone());
        let routes = discovery::routes(routes);
        let routes = images::api::routes(routes);
        let routes = data::api::routes(routes);
        members::api::routes(routes).into_router()
    }

    /// For Nova: an image that `ctx` may see.
    pub async fn image(&self, ctx: &base::Ctx, id: &str) -> base::Result<Image> {
        images::load_visible(self, ctx, id).await
    }

    /// The data of an active image; read-only.
    pub fn file(&self, image: &Image) -> Utf8PathBuf {
        self.files.path(&image.id)
    }
}
