//! Name resolution for networks whose subnets name no server: as with Neutron's own agent, the DHCP address answers. It
//! knows the names of the network's own machines; all other questions are passed on to the resolvers of this machine.

mod message;
mod names;
mod relay;

pub use names::Names;
pub use relay::{Relay, Sockets, addresses};
