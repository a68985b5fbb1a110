//! Flavors of services: what operators call the ways in which a router may be made. There is one way here, and a profile
//! that names its driver or none leads to it.
//!
//! ```text
//! router ─► flavor ─► service profiles (the first counts) ─► driver ─► provider
//! ```

pub mod api;
pub mod profiles;
pub mod rules;
pub mod store;

use async_trait::async_trait;
use base::{Ctx, Result};
use db::{AnyConnection, FromRow, Row};
use serde_json::json;

use crate::Neutron;
use crate::request::{Attr, Extent, Filter, Kind, Resource, Spec, View, attr};
use crate::rows::{Columns, Where};

/// The service that makes routers, and the provider and driver that do it here.
pub const ROUTERS: &str = "L3_ROUTER_NAT";
pub const PROVIDER: &str = "single_node";
pub const DRIVER: &str = "neutron.services.l3_router.service_providers.single_node.SingleNodeDriver";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flavor {
    pub id: String,
    pub name: String,
    pub description: String,
    pub service_type: String,
    pub enabled: bool,
    pub created_at: i64,
}

impl FromRow for Flavor {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Flavor {
            id: row.text("id")?,
            name: row.text("name")?,
            description: row.text("description")?,
            service_type: row.text("service_type")?,
            enabled: row.bool("enabled")?,
            created_at: row.int("created_at")?,
        })
    }
}

impl Flavor {
    fn columns(&self) -> Columns {
        vec![
            ("name", (&self.name).into()),
            ("description", (&self.description).into()),
            ("service_type", (&self.service_type).into()),
            ("enabled", self.enabled.into()),
            ("created_at", self.created_at.into()),
        ]
    }
}

const ATTRS: &[Attr] = &[
    attr("name", Kind::Text(255)).both().by(Filter::Text("name")),
    attr("description", Kind::TextOrNull(1024)).both().by(Filter::Text("description")),
    attr("service_type", Kind::Text(255)).required().by(Filter::Text("service_type")),
    attr("service_profiles", Kind::UuidList).post(),
    attr("enabled", Kind::Flag).both().by(Filter::Flag("enabled")),
];

pub const SPEC: Spec = Spec {
    member: "flavor",
    collection: "flavors",
    table: "network_flavor",
    attrs: ATTRS,
    bulk: false,
    extent: Extent::Nobodys,
    not_found: rules::not_found,
};

/// They are nobody's.
#[async_trait]
impl Resource for Flavor {
    const SPEC: &'static Spec = &SPEC;

    fn scope(_: &Ctx, _: &mut Where) {}

    async fn views(_: &Neutron, conn: &mut AnyConnection, _: &Ctx, rows: Vec<Self>) -> Result<Vec<View>> {
        let bindings = store::bindings(conn).await?;
        let view = |flavor: &Flavor| {
            let profiles = bindings.iter().filter(|(of, _)| *of == flavor.id).map(|(_, profile)| profile);
            let mut view = View::new();
            view.insert("id".into(), json!(flavor.id));
            view.insert("name".into(), json!(flavor.name));
            view.insert("description".into(), json!(flavor.description));
            view.insert("service_type".into(), json!(flavor.service_type));
            view.insert("enabled".into(), json!(flavor.enabled));
            view.insert("service_profiles".into(), json!(profiles.collect::<Vec<_>>()));
            view
        };
        Ok(rows.iter().map(view).collect())
    }
}
