//! Where data lies: in each store's directory `<id>` for an image's data and `<id>.part` for what is being received; in
//! the staging directory the same for data that waits for its import.

use std::collections::{HashMap, HashSet};
use std::io;

use base::{Error, Result};
use camino::{Utf8Path, Utf8PathBuf};

use crate::images::Image;

/// A directory that images are kept in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// What clients call it.
    pub id: String,
    pub description: String,
    pub dir: Utf8PathBuf,
}

#[derive(Debug)]
pub struct Files {
    stores: Vec<Store>,
    staging: Utf8PathBuf,
}

impl Files {
    /// The first store is the default one.
    pub fn open(stores: Vec<Store>, staging: Utf8PathBuf) -> Result<Self> {
        if stores.is_empty() {
            return Err(Error::internal("the image service needs a store"));
        }
        for dir in stores.iter().map(|s| &s.dir).chain([&staging]) {
            std::fs::create_dir_all(dir).map_err(|e| told("make the directory", dir, e))?;
        }
        Ok(Files { stores, staging })
    }

    pub fn stores(&self) -> &[Store] {
        &self.stores
    }

    pub fn ids(&self) -> Vec<&str> {
        self.stores.iter().map(|s| s.id.as_str()).collect()
    }

    pub fn default_store(&self) -> &str {
        self.stores.first().map(|s| s.id.as_str()).unwrap_or_default()
    }

    pub fn has(&self, store: &str) -> bool {
        self.stores.iter().any(|s| s.id == store)
    }

    /// In the order of the configuration, which is the order that clients see.
    pub fn in_order(&self, wanted: &HashSet<String>) -> Vec<String> {
        self.stores.iter().filter(|s| wanted.contains(&s.id)).map(|s| s.id.clone()).collect()
    }

    fn dir(&self, store: &str) -> &Utf8Path {
        let found = self.stores.iter().find(|s| s.id == store).or(self.stores.first());
        found.map_or(&self.staging, |s| &s.dir)
    }

    pub fn path(&self, store: &str, id: &str) -> Utf8PathBuf {
        self.dir(store).join(id)
    }

    pub fn part(&self, store: &str, id: &str) -> Utf8PathBuf {
        self.dir(store).join(format!("{id}.part"))
    }

    pub fn staged(&self, id: &str) -> Utf8PathBuf {
        self.staging.join(id)
    }

    pub fn staged_part(&self, id: &str) -> Utf8PathBuf {
        self.staging.join(format!("{id}.part"))
    }

    /// The data of an active image, in the first of its stores.
    pub fn locate(&self, image: &Image) -> Utf8PathBuf {
        let store = self.stores.iter().find(|s| image.stores.contains(&s.id));
        self.path(store.map_or(self.default_store(), |s| &s.id), &image.id)
    }

    /// From everywhere; gone already is fine.
    pub fn remove(&self, id: &str) -> Result<()> {
        for store in &self.stores {
            self.remove_from(&store.id, id)?;
        }
        self.unstage(id)
    }

    pub fn remove_from(&self, store: &str, id: &str) -> Result<()> {
        remove(&self.path(store, id))?;
        remove(&self.part(store, id))
    }

    pub fn unstage(&self, id: &str) -> Result<()> {
        remove(&self.staged(id))?;
        remove(&self.staged_part(id))
    }

    /// Removes files that belong to no image: what a crash left between a row and its file. `stored`: which stores have
    /// an image's data. `staged`: what waits for an import.
    pub fn sweep(&self, stored: &HashMap<String, Vec<String>>, staged: &HashSet<String>) -> Result<()> {
        for store in &self.stores {
            sweep(&store.dir, |id| stored.get(id).is_some_and(|stores| stores.contains(&store.id)))?;
        }
        sweep(&self.staging, |id| staged.contains(id))
    }
}

fn sweep(dir: &Utf8Path, keep: impl Fn(&str) -> bool) -> Result<()> {
    let entries = dir.read_dir_utf8().map_err(|e| told("read the directory", dir, e))?;
    for entry in entries.flatten() {
        let id = entry.file_name().trim_end_matches(".part");
        if base::id::is_uuid(id) && !(keep(id) && id == entry.file_name()) {
            remove(entry.path())?;
            tracing::info!(file = %entry.path(), "removed data that belongs to no image");
        }
    }
    Ok(())
}

pub(crate) fn remove(path: &Utf8Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(told("remove", path, e)),
        _ => Ok(()),
    }
}

/// A full disk is the operator's to mend and may be over soon; anything else is ours.
pub(crate) fn told(what: &str, path: &Utf8Path, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::StorageFull {
        return Error::too_large("Image storage media is full: there is no space left for this image.")
            .because(error);
    }
    Error::internal(format!("could not {what} {path}: {error}"))
}
