//! The drivers of `cumulet up --simulate`: a host of any size in memory. No root, no programs, no files but a few
//! bytes a machine so that machines outlive the daemon as real ones do.
//!
//! They behave: states change as the real drivers' do, calls may be made slow, and failures can be asked for: by
//! [`Faults`], by a server's metadata ([`HINT_PREFIX`]) or by a machine's name (see [`FakeHypervisor`]).

mod balancer;
mod console;
mod faults;
mod hypervisor;
mod machines;
mod network;
mod store;
#[cfg(test)]
mod tests;
mod volumes;

pub use balancer::FakeLoadBalancers;
pub use faults::{Fault, Faults, HINT_PREFIX, Operation};
pub use machines::{FakeHypervisor, FakeOptions};
pub use network::FakeNetwork;
pub use volumes::FakeVolumes;
