//! DHCPv6 for one network: like [`crate::dhcp`] an answerer without memory. The bridge itself speaks no IPv6; requests
//! are taken from it and answers put onto it as packets, from the link-local address that its MAC would have.

mod answer;
mod server;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use answer::encode_name;
pub use server::Server;
pub use table::{Lease, Table};
