//! Of which tables an answer was made, and whether one of them has changed since.
//!
//! ```text
//! db.read_recorded() ─► statements; the tables that their texts name ─► conn.reads()
//! a commit           ─► the tables that its statements name, and those that SQLite changed besides them (cascades)
//! reads.hold()       ─► none of those tables was changed by a commit after the recording began
//! ```
//!
//! Nobody declares anything. A text may name a table that it does not touch; then an answer is forgotten that need not
//! have been, never the other way round.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// By table: the number of the commit that changed it last.
#[derive(Default)]
pub(crate) struct Tables(RwLock<HashMap<String, Arc<AtomicU64>>>);

impl Tables {
    pub fn know(&self, names: Vec<String>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            known.entry(name.to_ascii_lowercase()).or_default();
        }
    }

    /// Those that are named in a statement's text.
    pub fn named_in(&self, text: &str, mut found: impl FnMut(&str, &Arc<AtomicU64>)) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            let found_one = match word.bytes().any(|byte| byte.is_ascii_uppercase()) {
                true => known.get_key_value(&word.to_ascii_lowercase()),
                false => known.get_key_value(word),
            };
            if let Some((name, last)) = found_one {
                found(name, last);
            }
        }
    }

    pub fn changed(&self, tables: &BTreeSet<String>, commit: u64) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        for last in tables.iter().filter_map(|table| known.get(table)) {
            last.fetch_max(commit, Ordering::SeqCst);
        }
    }
}

/// What has been read over a connection since its recording began.
#[derive(Default)]
pub(crate) struct Recording {
    pub since: u64,
    pub tables: BTreeMap<String, Arc<AtomicU64>>,
}

/// See the module's text.
pub struct Reads {
    since: u64,
    tables: Vec<Arc<AtomicU64>>,
}

impl From<Recording> for Reads {
    fn from(recording: Recording) -> Self {
        Reads { since: recording.since, tables: recording.tables.into_values().collect() }
    }
}

impl Reads {
    /// Whether the same statements would read the same now. Of what nothing is known, nothing holds.
    #[must_use]
    pub fn hold(&self) -> bool {
        !self.tables.is_empty() && self.tables.iter().all(|last| last.load(Ordering::SeqCst) <= self.since)
    }
}
