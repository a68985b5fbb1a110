//! Allocations: what consumers (servers) have taken.

pub mod api;
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
