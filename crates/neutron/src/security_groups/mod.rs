//! Security groups: named sets of rules that ports carry. Each project has one called `default`, made when it is
//! first needed, whose members may talk to each other.

pub mod api;
pub mod store;
pub mod view;

use db::{FromRow, Row};

use crate::fault;
use crate::request::{Attr, Filter, Kind, Spec, attr};
use crate::rows::Columns;
use crate::standard::Standard;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroup {
    pub standard: Standard,
    pub is_default: bool,
}

pub const DEFAULT: &str = "default";

impl FromRow for SecurityGroup {
    fn from_row(row: &Row) -> db::Result<Self> {
        Ok(SecurityGroup { standard: Standard::read(row)?, is_default: row.bool("is_default")? })
    }
}

impl SecurityGroup {
    pub fn columns(&self) -> Columns {
        let mut columns = self.standard.columns();
        columns.push(("is_default", self.is_default.into()));
        columns
    }
}

const ATTRS: &[Attr] = &[
    attr("security_group_rules", Kind::Any),
    attr("is_default", Kind::Flag).filter(Filter::Flag("is_default")),
];

pub const SPEC: Spec = Spec {
    member: "security_group",
    collection: "security_groups",
    table: "security_group",
    attrs: ATTRS,
    bulk: true,
    plain: false,
    not_found: fault::security_group_not_found,
};
