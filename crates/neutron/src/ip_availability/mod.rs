//! How many addresses of each network there are, and how many are in use.

pub mod api;
pub mod view;

use base::Error;

use crate::fault;
use crate::request::{Attr, Extent, Filter, Kind, Spec, attr};

const ATTRS: &[Attr] = &[
    attr("network_id", Kind::Uuid).by(Filter::Text("id")),
    attr("network_name", Kind::Text(255)).by(Filter::Text("name")),
    attr("ip_version", Kind::IpVersion).filter(Filter::Room),
    attr("total_ips", Kind::Any),
    attr("used_ips", Kind::Any),
    attr("subnet_ip_availability", Kind::Any),
];

/// Rows are networks.
pub const SPEC: Spec = Spec {
    member: "network_ip_availability",
    collection: "network_ip_availabilities",
    table: "network",
    attrs: ATTRS,
    bulk: false,
    extent: Extent::Bare,
    not_found,
};

fn not_found(id: &str) -> Error {
    fault::network_not_found(id)
}
