//! Amphorae: the machines that load balancers of OpenStack's reference driver are made of. There are none here, which
//! these calls say.

pub mod api;
