//! Service profiles: a driver, or words for one.

use async_trait::async_trait;
use base::{Ctx, Result};
use db::{AnyConnection, FromRow, Row};
use serde_json::json;

use super::rules;
use crate::Neutron;
use crate::request::{Attr, Extent, Filter, Kind, Resource, Spec, View, attr};
use crate::rows::{Columns, Where};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    pub id: String,
    pub description: String,
    /// '' for none.
    pub driver: String,
    pub metainfo: String,
    pub enabled: bool,
    pub created_at: i64,
}

impl FromRow for Profile {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Profile {
            id: row.text("id")?,
            description: row.text("description")?,
            driver: row.text("driver")?,
            metainfo: row.text("metainfo")?,
            enabled: row.bool("enabled")?,
            created_at: row.int("created_at")?,
        })
    }
}

impl Profile {
    pub fn columns(&self) -> Columns {
        vec![
            ("description", (&self.description).into()),
            ("driver", (&self.driver).into()),
            ("metainfo", (&self.metainfo).into()),
            ("enabled", self.enabled.into()),
            ("created_at", self.created_at.into()),
        ]
    }
}

const ATTRS: &[Attr] = &[
    attr("description", Kind::TextOrNull(1024)).both().by(Filter::Text("description")),
    attr("driver", Kind::Text(1024)).both().by(Filter::Text("driver")),
    attr("metainfo", Kind::Text(4096)).both().by(Filter::Text("metainfo")),
    attr("enabled", Kind::Flag).both().by(Filter::Flag("enabled")),
];

pub const SPEC: Spec = Spec {
    member: "service_profile",
    collection: "service_profiles",
    table: "service_profile",
    attrs: ATTRS,
    bulk: false,
    extent: Extent::Nobodys,
    not_found: rules::profile_not_found,
};

#[async_trait]
impl Resource for Profile {
    const SPEC: &'static Spec = &SPEC;

    fn scope(_: &Ctx, _: &mut Where) {}

    async fn views(_: &Neutron, _: &mut AnyConnection, _: &Ctx, rows: Vec<Self>) -> Result<Vec<View>> {
        Ok(rows.iter().map(view).collect())
    }
}

pub fn view(profile: &Profile) -> View {
    let mut view = View::new();
    view.insert("id".into(), json!(profile.id));
    view.insert("description".into(), json!(profile.description));
    view.insert("driver".into(), json!(profile.driver));
    view.insert("metainfo".into(), json!(profile.metainfo));
    view.insert("enabled".into(), json!(profile.enabled));
    view
}
