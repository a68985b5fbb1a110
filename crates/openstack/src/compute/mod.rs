//! Nova v2.1. Everything is asked at microversion 2.1, whose answers never change; a call that needs more says so.

mod availability_zones;
mod flavors;
mod keypairs;
mod quotas;
mod server_groups;
mod servers;

pub use availability_zones::AvailabilityZone;
pub use flavors::Flavor;
pub use keypairs::{Keypair, NewKeypair};
pub use quotas::ComputeQuota;
pub use server_groups::{NewServerGroup, ServerGroup};
pub use servers::{Fault, NewServer, Server, ServerAddress};
