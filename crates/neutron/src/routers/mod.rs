//! Routers: a namespace between networks.
//!
//! ```text
//! POST ─► DOWN ─► ACTIVE (applied by the reconciler) ─► DELETE ─► gone     refused while it has interfaces
//! ```
//! Its interfaces and its gateway are ports that name it as their device.

pub mod actions;
pub mod api;
pub mod gateway;
pub mod interfaces;
pub mod routes;
pub mod store;
pub mod view;

use db::{FromRow, Row};

use crate::fault;
use crate::ipam::Route;
use crate::ports::FullPort;
use crate::request::{Attr, Extent, Filter, Kind, Spec, attr};
use crate::rows::{self, Columns};
use crate::standard::Standard;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Router {
    pub standard: Standard,
    pub admin_state_up: bool,
    /// DOWN, ACTIVE
    pub status: String,
    pub enable_snat: bool,
    pub routes: Vec<Route>,
    pub availability_zone_hints: Vec<String>,
    /// '' for none.
    pub gateway_qos_policy_id: String,
    /// '' for none.
    pub flavor_id: String,
}

/// A router with its gateway port.
#[derive(Debug, Clone, PartialEq)]
pub struct FullRouter {
    pub router: Router,
    pub gateway: Option<FullPort>,
}

impl FromRow for Router {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Router {
            standard: Standard::read(row)?,
            admin_state_up: row.bool("admin_state_up")?,
            status: row.text("status")?,
            enable_snat: row.bool("enable_snat")?,
            routes: row.json("routes")?,
            availability_zone_hints: row.json("availability_zone_hints")?,
            gateway_qos_policy_id: row.text("gateway_qos_policy_id")?,
            flavor_id: row.text("flavor_id")?,
        })
    }
}

impl Router {
    pub fn columns(&self) -> Columns {
        let mut columns = self.standard.columns();
        columns.extend([
            ("admin_state_up", self.admin_state_up.into()),
            ("status", (&self.status).into()),
            ("enable_snat", self.enable_snat.into()),
            ("routes", rows::json(&self.routes)),
            ("availability_zone_hints", rows::json(&self.availability_zone_hints)),
            ("gateway_qos_policy_id", (&self.gateway_qos_policy_id).into()),
            ("flavor_id", (&self.flavor_id).into()),
        ]);
        columns
    }
}

const ATTRS: &[Attr] = &[
    attr("admin_state_up", Kind::Flag).both().by(Filter::Flag("admin_state_up")),
    attr("status", Kind::Text(16)).by(Filter::Text("status")),
    attr("external_gateway_info", Kind::ObjectOrNull).both(),
    attr("routes", Kind::Routes).put(),
    attr("availability_zone_hints", Kind::TextList).post().filter(Filter::View),
    attr("availability_zones", Kind::TextList).filter(Filter::View),
    attr("flavor_id", Kind::UuidOrNull).post().by(Filter::Text("flavor_id")),
];

pub const SPEC: Spec = Spec {
    member: "router",
    collection: "routers",
    table: "router",
    attrs: ATTRS,
    bulk: true,
    extent: Extent::Full,
    not_found: fault::router_not_found,
};
