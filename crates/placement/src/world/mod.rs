//! Everything Placement knows of its providers, read at once: filters and candidates are then decided on values.
//!
//! A cloud has as many providers as hosts (and parts of hosts); four queries read them faster than one query can say
//! what a request for candidates asks.

mod store;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use store::load;

use crate::inventories::Inventory;
use crate::providers::store::ProviderRow;

#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    pub row: ProviderRow,
    pub inventories: BTreeMap<String, Inventory>,
    pub traits: BTreeSet<String>,
    pub aggregates: BTreeSet<String>,
}

impl Known {
    /// Could it take `amount` more of `class`, as one request?
    pub fn has_room(&self, class: &str, amount: i64) -> bool {
        self.inventories
            .get(class)
            .is_some_and(|i| i.admits(amount) && (i.used.saturating_add(amount)) as f64 <= i.capacity())
    }
}

#[derive(Debug, Default)]
pub struct World {
    /// Oldest first.
    pub providers: Vec<Known>,
    index: HashMap<String, usize>,
}

impl World {
    pub fn new(providers: Vec<Known>) -> Self {
        let index = providers.iter().enumerate().map(|(i, p)| (p.row.uuid.clone(), i)).collect();
        World { providers, index }
    }

    pub fn find(&self, uuid: &str) -> Option<&Known> {
        self.position(uuid).and_then(|i| self.providers.get(i))
    }

    pub fn position(&self, uuid: &str) -> Option<usize> {
        self.index.get(uuid).copied()
    }
}
