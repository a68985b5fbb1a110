//! Resource providers: hosts, and parts of hosts (a tree of providers), and what shares with them.

pub mod api;
pub mod rules;
pub mod store;
pub mod view;

/// A host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    pub uuid: String,
    pub name: String,
}

/// How often each unit may be given away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratios {
    pub vcpu: f64,
    pub memory: f64,
    pub disk: f64,
}

/// Nova's own defaults since 2024: 4 guests' CPUs on one, memory and disk not shared.
impl Default for Ratios {
    fn default() -> Self {
        Ratios { vcpu: 4.0, memory: 1.0, disk: 1.0 }
    }
}
