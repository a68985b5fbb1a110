//! The store directory: `<id>` for an image's data, `<id>.part` for an upload under way.

use std::collections::HashSet;
use std::io;

use base::{Error, Result};
use camino::{Utf8Path, Utf8PathBuf};

#[derive(Debug)]
pub struct Files {
    dir: Utf8PathBuf,
}

impl Files {
    pub fn open(dir: Utf8PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&dir).map_err(|e| told("make the image store", &dir, e))?;
        Ok(Files { dir })
    }

    pub fn path(&self, id: &str) -> Utf8PathBuf {
        self.dir.join(id)
    }

    pub fn part(&self, id: &str) -> Utf8PathBuf {
        self.dir.join(format!("{id}.part"))
    }

    /// Gone already is fine.
    pub fn remove(&self, id: &str) -> Result<()> {
        for path in [self.path(id), self.part(id)] {
            match std::fs::remove_file(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(told("remove", &path, e)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes files that belong to no image: what a crash left between a row and its file.
    pub fn sweep(&self, keep: &[String]) -> Result<()> {
        let keep: HashSet<&str> = keep.iter().map(String::as_str).collect();
        let entries = self.dir.read_dir_utf8().map_err(|e| told("read the image store", &self.dir, e))?;
        for entry in entries.flatten() {
            if !keep.contains(entry.file_name())
                && base::id::is_uuid(entry.file_name().trim_end_matches(".part"))
            {
                std::fs::remove_file(entry.path()).map_err(|e| told("remove", entry.path(), e))?;
                tracing::info!(file = %entry.path(), "removed data that belongs to no image");
            }
        }
        Ok(())
    }
}

/// A full disk is the operator's to mend and may be over soon; anything else is ours.
pub(super) fn told(what: &str, path: &Utf8Path, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::StorageFull {
        return Error::too_large("The image store has no space left for this image.").because(error);
    }
    Error::internal(format!("could not {what} {path}: {error}"))
}
