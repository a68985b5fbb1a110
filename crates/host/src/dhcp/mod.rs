//! DHCP for one network: an answerer without memory. Every lease is a row of the plan, so a machine gets the same
//! address from any daemon at any time, and whom the plan does not know gets no answer at all.

mod answer;
pub(crate) mod options;
mod server;
mod table;
#[cfg(test)]
mod tests;

pub use server::{Server, Sockets};
pub use table::{Lease, METADATA, Table};
