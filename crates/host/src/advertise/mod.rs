//! Router advertisements (RFC 4861) on a router's interfaces: how machines find their IPv6 router, their prefixes, the
//! MTU and where to ask for more.

mod message;
mod server;

pub use message::message;
pub use server::{Server, Sockets};
