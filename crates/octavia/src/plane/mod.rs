//! From rows to this machine and back.
//!
//! ```text
//! a change ─► octavia.loadbalancers(id) ─► tree, port of the VIP ─► plan ─► host ─► ACTIVE, or ERROR and again later
//!                    ▲                                                       │
//!                    └──── every few seconds, while members are monitored ───┘ operating status
//! ```

pub mod attempts;
pub mod legs;
pub mod observe;
pub mod plan;
pub mod reconcile;
