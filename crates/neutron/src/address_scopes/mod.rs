//! Address scopes: subnet pools of one scope have no address in common, so that their subnets can be routed to each
//! other without translation.

pub mod api;

use async_trait::async_trait;
use base::{Ctx, Error, Result};
use db::{AnyConnection, FromRow, Row, Tx, sql};
use serde_json::json;

use crate::request::{Attr, Extent, Filter, Input, Kind, Ordinary, Resource, Spec, View, attr};
use crate::rows::Columns;
use crate::standard::Standard;
use crate::{Neutron, fault, rbac};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressScope {
    pub standard: Standard,
    pub ip_version: i64,
    pub shared: bool,
}

impl FromRow for AddressScope {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(AddressScope {
            standard: Standard::read(row)?,
            ip_version: row.int("ip_version")?,
            shared: row.bool("shared")?,
        })
    }
}

const ATTRS: &[Attr] = &[
    attr("name", Kind::Text(255)).both().by(Filter::Text("name")),
    attr("ip_version", Kind::IpVersion).required().by(Filter::Number("ip_version")),
    attr("shared", Kind::Flag).both().admin().by(Filter::View),
];

pub const SPEC: Spec = Spec {
    member: "address_scope",
    collection: "address_scopes",
    table: "address_scope",
    attrs: ATTRS,
    bulk: true,
    extent: Extent::Bare,
    not_found,
};

fn not_found(id: &str) -> Error {
    Error::not_found(format!("Address scope {id} could not be found.")).code("AddressScopeNotFound")
}

#[async_trait]
impl Resource for AddressScope {
    const SPEC: &'static Spec = &SPEC;
    const RBAC: Option<&'static str> = Some("address_scope");

    async fn views(_: &Neutron, conn: &mut AnyConnection, ctx: &Ctx, rows: Vec<Self>) -> Result<Vec<View>> {
        let granted = rbac::store::granted(conn, ctx, "address_scope").await?;
        let view = |scope: &AddressScope| {
            let mut view = scope.standard.open();
            view.insert("project_id".into(), json!(scope.standard.project_id));
            view.insert("ip_version".into(), json!(scope.ip_version));
            view.insert("shared".into(), json!(scope.shared || granted.contains(&scope.standard.id)));
            view
        };
        Ok(rows.iter().map(view).collect())
    }
}

#[async_trait]
impl Ordinary for AddressScope {
    const EVENTS: [&'static str; 3] =
        ["address_scope.create", "address_scope.update", "address_scope.delete"];

    fn standard(&self) -> &Standard {
        &self.standard
    }

    fn columns(&self) -> Columns {
        let mut columns = self.standard.columns();
        columns.extend([("ip_version", self.ip_version.into()), ("shared", self.shared.into())]);
        columns
    }

    fn is_shared(&self) -> bool {
        self.shared
    }

    fn new(ctx: &Ctx, input: &Input) -> Result<Self> {
        Ok(AddressScope {
            standard: Standard::of(&input.owner(ctx)?, input),
            ip_version: input.int("ip_version").unwrap_or(4),
            shared: input.flag("shared").unwrap_or(false),
        })
    }

    fn apply(&mut self, input: &Input) -> Result<()> {
        match input.flag("shared") {
            Some(false) if self.shared => {
                return Err(fault::invalid(
                    "AddressScopeUpdateError",
                    format!(
                        "Unable to update address scope {} : Shared address scope can't be unshared.",
                        self.standard.id
                    ),
                ));
            }
            Some(flag) => self.shared = flag,
            None => {}
        }
        self.standard.apply(input);
        Ok(())
    }

    async fn check_unused(&self, tx: &mut Tx) -> Result<()> {
        let id = &self.standard.id;
        if sql("SELECT id FROM subnet_pool WHERE address_scope_id = $1 LIMIT 1").bind(id).exists(tx).await? {
            return Err(fault::conflict(
                "AddressScopeInUse",
                format!(
                    "Unable to complete operation on address scope {id}. There are one or more subnet pools in use on \
                     the address scope."
                ),
            ));
        }
        Ok(())
    }
}
