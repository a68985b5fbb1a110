//! Verified tokens, so that a request with a known token costs no SQL and no cryptography.
//!
//! An entry holds for one generation of the identity data: whoever changes a role, a user, a project, the catalog or a
//! revocation moves the generation on, and every token is looked up again. That is coarse and cannot be forgotten.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock};

use super::Session;

const SHARDS: usize = 16;
/// Per shard. An entry is about 2 KiB, so the cache stays below 8 MiB.
const CAPACITY: usize = 256;

struct Entry {
    generation: u64,
    session: Arc<Session>,
}

pub struct Cache {
    hasher: RandomState,
    shards: [RwLock<HashMap<Box<str>, Entry>>; SHARDS],
}

impl Default for Cache {
    fn default() -> Self {
        Cache { hasher: RandomState::new(), shards: std::array::from_fn(|_| RwLock::default()) }
    }
}

impl Cache {
    fn shard(&self, token: &str) -> &RwLock<HashMap<Box<str>, Entry>> {
        &self.shards[self.hasher.hash_one(token) as usize % SHARDS]
    }

    pub fn get(&self, token: &str, generation: u64, now: i64) -> Option<Arc<Session>> {
        let shard = self.shard(token).read().unwrap_or_else(PoisonError::into_inner);
        let entry = shard.get(token)?;
        let alive = entry.generation == generation && entry.session.holds(now);
        alive.then(|| entry.session.clone())
    }

    /// `generation` as it was before the session was looked up: what changed meanwhile makes the entry stale at once.
    pub fn put(&self, token: &str, generation: u64, session: Arc<Session>) {
        let mut shard = self.shard(token).write().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= CAPACITY {
            let now = base::time::now();
            shard.retain(|_, e| e.generation == generation && e.session.holds(now));
        }
        if shard.len() >= CAPACITY {
            // All of them good: forget an arbitrary half, which costs one lookup each when they come back.
            let mut keep = false;
            shard.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
        shard.insert(token.into(), Entry { generation, session });
    }
}
