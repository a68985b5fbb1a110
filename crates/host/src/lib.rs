//! Everything that touches Linux, and nothing that knows OpenStack's database or HTTP APIs.
//!
//! ```text
//!   services ── plans (plan.rs) ──►  Hypervisor ─┬─ qemu/ + qmp/   real machines
//!            ◄─ observations ──────  Network    ─┤─ link/ nft/ dhcp/ metadata/   real namespaces
//!                                    Volumes    ─┤─ volumes/ + files/     real files
//!            ◄─               LoadBalancers    ─┤─ haproxy/                     a process each
//!                                                └─ fake/          the shipped driver of `--simulate`
//! ```
//!
//! A plan says what should be; a driver makes it so, as often as it is asked, and says what is. Every call is
//! idempotent: after a crash the caller simply asks again. Drivers remember nothing that they cannot observe.

mod advertise;
pub mod balancer;
pub mod conntrack;
pub mod daemon;
pub mod dhcp;
pub mod dhcpv6;
pub mod dns;
mod driver;
pub mod fake;
pub mod files;
pub mod haproxy;
pub mod ledger;
pub mod link;
pub mod metadata;
pub mod names;
pub mod netns;
pub mod network;
pub mod nfnetlink;
pub mod nft;
pub mod plan;
mod probe;
mod process;
pub mod qemu;
pub mod qmp;
pub mod survey;
pub mod volumes;

pub use balancer::LoadBalancers;
pub use driver::{
    Capacity, Console, Diagnostics, DiskCounters, DiskImage, Drift, Error, Hypervisor, MetadataAnswer,
    MetadataCaller, MetadataPosted, MetadataSource, Network, NicCounters, Present, Result, VmState,
};
pub use probe::{Accelerator, AcceleratorChoice, Verdict};
pub use volumes::{
    Cipher, LayerBase, LayerFormat, LayerPlan, Lock, Passphrase, RbdImage, VolumeSpace, Volumes,
};
