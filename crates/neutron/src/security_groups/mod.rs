//! Security groups: named sets of rules that ports carry. Each project has one called `default`, made when it is
//! first needed, whose members may talk to each other.

pub mod api;
pub mod store;
pub mod view;

use db::{FromRow, Row};

use crate::fault;
use crate::request::{Attr, Extent, Filter, Kind, Spec, attr};
use crate::rows::Columns;
use crate::standard::Standard;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroup {
    pub standard: Standard,
    pub is_default: bool,
    pub stateful: bool,
    /// With everybody.
    pub shared: bool,
}

pub const DEFAULT: &str = "default";

impl FromRow for SecurityGroup {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(SecurityGroup {
            standard: Standard::read(row)?,
            is_default: row.bool("is_default")?,
            stateful: row.bool("stateful")?,
            shared: row.bool("shared")?,
        })
    }
}

impl SecurityGroup {
    pub fn columns(&self) -> Columns {
        let mut columns = self.standard.columns();
        columns.extend([
            ("is_default", self.is_default.into()),
            ("stateful", self.stateful.into()),
            ("shared", self.shared.into()),
        ]);
        columns
    }
}

const ATTRS: &[Attr] = &[
    attr("security_group_rules", Kind::Any),
    attr("is_default", Kind::Flag).filter(Filter::Flag("is_default")),
    attr("stateful", Kind::Flag).both().by(Filter::Flag("stateful")),
    attr("shared", Kind::Flag).filter(Filter::View),
];

pub const SPEC: Spec = Spec {
    member: "security_group",
    collection: "security_groups",
    table: "security_group",
    attrs: ATTRS,
    bulk: true,
    extent: Extent::Full,
    not_found: fault::security_group_not_found,
};
