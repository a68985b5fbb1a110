//! What must be known of a machine beyond its disk: `vm.json` in its directory. And who runs as which user.

use std::collections::BTreeSet;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use super::paths::VmFiles;
use super::slots::Slots;
use crate::process::file_error;
use crate::{Error, Result};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The machine's process runs as this user, which is no other machine's.
    pub user: u32,
    /// As the process that was started last has them.
    #[serde(default)]
    pub slots: Slots,
}

impl Record {
    /// None also for a damaged file: a crash can leave one behind, and then there is nothing worth reading in it.
    pub(super) fn read(files: &VmFiles) -> Option<Self> {
        let bytes = std::fs::read(files.record()).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    pub(super) fn write(&self, files: &VmFiles) -> Result<()> {
        let path = files.record();
        let part = path.with_extension("part");
        let bytes = serde_json::to_vec(self).map_err(|error| Error::Refused(error.to_string()))?;
        std::fs::write(&part, bytes)
            .and_then(|()| std::fs::rename(&part, &path))
            .map_err(|error| file_error("writing", &path, error))
    }
}

/// The numbers in use. There need be no names for them in /etc/passwd.
#[derive(Debug)]
pub(super) struct Users {
    first: u32,
    taken: BTreeSet<u32>,
}

/// As many machines can exist on one host.
const COUNT: u32 = 0x8000;

impl Users {
    /// Of all machines in `vms`.
    pub(super) fn scan(first: u32, vms: &Utf8Path) -> Self {
        let ids = super::shared::ids(vms).unwrap_or_default();
        let records = ids.iter().filter_map(|id| Record::read(&VmFiles::new(vms, id).ok()?));
        Self { first, taken: records.map(|record| record.user).collect() }
    }

    pub(super) fn take(&mut self) -> Result<u32> {
        let free = (self.first..self.first + COUNT).find(|user| !self.taken.contains(user));
        let user = free.ok_or_else(|| Error::Refused(format!("this host has {COUNT} machines already")))?;
        self.taken.insert(user);
        Ok(user)
    }

    pub(super) fn give_back(&mut self, user: u32) {
        self.taken.remove(&user);
    }
}
