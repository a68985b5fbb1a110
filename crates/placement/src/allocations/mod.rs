//! Allocations: what consumers (servers, mostly) have taken of providers.

pub mod api;
pub mod rules;
pub mod store;

/// Of Nova's three classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resources {
    pub vcpus: u32,
    pub memory_mib: u64,
    pub disk_gib: u64,
}

impl Resources {
    /// (class, amount), without the classes of which nothing is taken: an allocation of zero is not one.
    pub fn classes(&self) -> Vec<(&'static str, i64)> {
        let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        [
            ("VCPU", i64::from(self.vcpus)),
            ("MEMORY_MB", count(self.memory_mib)),
            ("DISK_GB", count(self.disk_gib)),
        ]
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .collect()
    }
}

/// What one consumer shall have from now on, instead of what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub consumer: String,
    pub project: String,
    pub user: String,
    /// None: not checked (before 1.28). Some(None): the consumer must be new.
    pub generation: Option<Option<i64>>,
    /// None: as it is (before 1.38).
    pub kind: Option<String>,
    /// By provider, then (class, amount). Empty: nothing any more.
    pub allocations: Vec<(String, Vec<(String, i64)>)>,
}
