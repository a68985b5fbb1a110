//! Address groups: sets of networks that security group rules refer to.

pub mod api;
pub mod rules;
pub mod store;

use async_trait::async_trait;
use base::{Ctx, Error, Result};
use db::{AnyConnection, FromRow, Row, Tx};
use serde_json::json;

use crate::plane::Wakes;
use crate::request::{Attr, Extent, Filter, Input, Kind, Ordinary, Resource, Spec, View, attr};
use crate::rows::{self, Columns};
use crate::standard::Standard;
use crate::{Neutron, rbac};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressGroup {
    pub standard: Standard,
    /// CIDRs.
    pub addresses: Vec<String>,
    pub shared: bool,
}

impl FromRow for AddressGroup {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(AddressGroup {
            standard: Standard::read(row)?,
            addresses: row.json("addresses")?,
            shared: row.bool("shared")?,
        })
    }
}

const ATTRS: &[Attr] =
    &[attr("addresses", Kind::Any).post(), attr("shared", Kind::Flag).filter(Filter::View)];

pub const SPEC: Spec = Spec {
    member: "address_group",
    collection: "address_groups",
    table: "address_group",
    attrs: ATTRS,
    bulk: true,
    extent: Extent::Full,
    not_found,
};

fn not_found(id: &str) -> Error {
    Error::not_found(format!("Address group {id} could not be found.")).code("AddressGroupNotFound")
}

#[async_trait]
impl Resource for AddressGroup {
    const SPEC: &'static Spec = &SPEC;
    const RBAC: Option<&'static str> = Some("address_group");

    async fn views(_: &Neutron, conn: &mut AnyConnection, ctx: &Ctx, rows: Vec<Self>) -> Result<Vec<View>> {
        let granted = rbac::store::granted(conn, ctx, "address_group").await?;
        let view = |group: &AddressGroup| {
            let mut view = group.standard.open();
            view.insert("addresses".into(), json!(group.addresses));
            view.insert("shared".into(), json!(group.shared || granted.contains(&group.standard.id)));
            group.standard.close(&mut view);
            view
        };
        Ok(rows.iter().map(view).collect())
    }
}

#[async_trait]
impl Ordinary for AddressGroup {
    const EVENTS: [&'static str; 3] =
        ["address_group.create", "address_group.update", "address_group.delete"];
    const QUOTA: Option<&'static str> = Some("address_group");
    const SHARED_IS_MISSING: bool = true;

    fn standard(&self) -> &Standard {
        &self.standard
    }

    fn columns(&self) -> Columns {
        let mut columns = self.standard.columns();
        columns.extend([("addresses", rows::json(&self.addresses)), ("shared", self.shared.into())]);
        columns
    }

    fn is_shared(&self) -> bool {
        self.shared
    }

    fn new(ctx: &Ctx, input: &Input) -> Result<Self> {
        let addresses = input.value("addresses").map(rules::addresses).transpose()?.unwrap_or_default();
        Ok(AddressGroup { standard: Standard::of(&input.owner(ctx)?, input), addresses, shared: false })
    }

    fn apply(&mut self, input: &Input) -> Result<()> {
        self.standard.apply(input);
        Ok(())
    }

    async fn check_unused(&self, tx: &mut Tx) -> Result<()> {
        store::check_unused(tx, &self.standard.id).await
    }

    async fn wakes(&self, tx: &mut Tx) -> Result<Wakes> {
        store::networks_using(tx, &self.standard.id).await.map(Wakes::networks)
    }
}
