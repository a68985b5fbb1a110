//! From rows to this machine.
//!
//! ```text
//! a mutation ─► Wakes ─► neutron.networks ─► store::network_rows ─► plan::network ─► host
//!                    └─► neutron.routers  ─► store::router_rows  ─► plan::router  ─► host
//! ```
//!
//! What wakes what:
//!
//! | change | networks | routers |
//! |---|---|---|
//! | network | itself | those on it, when its MTU changes |
//! | subnet | its own | those on its network |
//! | port | its own; those with rules that refer to one of its groups | the one it belongs to; that of its floating IPs |
//! | rule of a group | those with members of the group | |
//! | router, interface, gateway | the interface's | itself |
//! | floating IP, its forwarded ports | | the one that carries it, the one that shall |
//! | QoS policy | those of ports with it | those with it, and of floating IPs with it |
//! | trunk, its parent's place and status | those of parent and subports | |
//! | address group | those with rules that refer to it | |

pub mod extras;
pub mod plan;
pub mod ports;
pub mod reconcile;
pub mod store;

use std::collections::BTreeSet;

/// Whose reality has to be looked at after a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wakes {
    pub networks: BTreeSet<String>,
    pub routers: BTreeSet<String>,
}

impl Wakes {
    pub fn network(id: &str) -> Self {
        Self::networks([id.to_owned()])
    }

    pub fn networks(ids: impl IntoIterator<Item = String>) -> Self {
        Wakes { networks: ids.into_iter().collect(), ..Wakes::default() }
    }

    pub fn router(id: &str) -> Self {
        Self::routers([id.to_owned()])
    }

    pub fn routers(ids: impl IntoIterator<Item = String>) -> Self {
        Wakes { routers: ids.into_iter().collect(), ..Wakes::default() }
    }

    pub fn extend(&mut self, more: Wakes) {
        self.networks.extend(more.networks);
        self.routers.extend(more.routers);
    }
}

#[cfg(test)]
mod tests;
