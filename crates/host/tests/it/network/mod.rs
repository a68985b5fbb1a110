//! Networks and routers in real namespaces. Instead of virtual machines, namespaces with a veth end named like the
//! tap; the host is a namespace of the test's own, so nothing of the machine's is touched.

mod adoption;
mod balancer;
mod dhcp_and_metadata;
mod forgery;
mod frames;
mod guest;
mod healing;
mod ipv6;
mod plans;
mod qos;
mod routing;
mod sandbox;
mod security;
mod speed;
mod trunks;

use guest::Guest;
use sandbox::Sandbox;
