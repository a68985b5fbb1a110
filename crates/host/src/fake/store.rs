//! A file for each machine, so that a thousand machines cost a thousand small writes and no more.

use std::collections::{BTreeMap, HashMap};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::process::file_error;
use crate::{Error, Result};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    #[default]
    Stopped,
    Running,
    Paused,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub name: String,
    pub state: State,
    pub console: String,
    /// Its memory is in a file.
    #[serde(default)]
    pub saved: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hints: BTreeMap<String, String>,
}

/// None of this when there is no directory.
#[derive(Debug)]
pub(super) struct Store {
    dir: Option<Utf8PathBuf>,
}

impl Store {
    pub(super) fn open(data_dir: Option<&Utf8Path>) -> Result<(Self, HashMap<String, Record>)> {
        let Some(data_dir) = data_dir else { return Ok((Self { dir: None }, HashMap::new())) };
        let dir = data_dir.join("fake-vms");
        let failed = |error| file_error("reading", &dir, error);
        std::fs::create_dir_all(&dir).map_err(failed)?;
        let mut records = HashMap::new();
        for entry in dir.read_dir_utf8().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Some(id) = entry.file_name().strip_suffix(".json") else { continue };
            // A file that a crash cut short is a machine that never was.
            let bytes = std::fs::read(entry.path()).map_err(failed)?;
            if let Ok(record) = serde_json::from_slice(&bytes) {
                records.insert(id.to_owned(), record);
            }
        }
        Ok((Self { dir: Some(dir) }, records))
    }

    pub(super) fn put(&self, id: &str, record: &Record) -> Result<()> {
        let Some(dir) = &self.dir else { return Ok(()) };
        let (path, part) = (dir.join(format!("{id}.json")), dir.join(format!("{id}.part")));
        let bytes = serde_json::to_vec(record).map_err(|error| Error::Refused(error.to_string()))?;
        std::fs::write(&part, bytes)
            .and_then(|()| std::fs::rename(&part, &path))
            .map_err(|error| file_error("writing", &path, error))
    }

    pub(super) fn remove(&self, id: &str) -> Result<()> {
        let Some(dir) = &self.dir else { return Ok(()) };
        let path = dir.join(format!("{id}.json"));
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(file_error("removing", &path, error))
            }
            _ => Ok(()),
        }
    }
}
