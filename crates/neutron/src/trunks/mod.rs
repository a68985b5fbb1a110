//! Trunks: one port of a machine that carries other ports' frames beside its own, told apart by VLAN tags.
//!
//! ```text
//! POST ─► DOWN ─► ACTIVE (the parent is up and the host has it) ─► DELETE      subports come and go meanwhile
//!                 DEGRADED (the host cannot serve some subports, which stay DOWN)
//! ```

pub mod api;
pub mod follow;
pub mod rules;
pub mod store;

use base::Error;
use db::{FromRow, Row};
use serde_json::{Value, json};

use crate::request::{Attr, Extent, Filter, Kind, Spec, attr};
use crate::rows::Columns;
use crate::standard::Standard;

pub const SUBPORT: &str = "trunk:subport";

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trunk {
    pub standard: Standard,
    pub admin_state_up: bool,
    /// DOWN, BUILD, ACTIVE, DEGRADED, ERROR
    pub status: String,
    /// The parent.
    pub port_id: String,
}

impl FromRow for Trunk {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Trunk {
            standard: Standard::read(row)?,
            admin_state_up: row.bool("admin_state_up")?,
            status: row.text("status")?,
            port_id: row.text("port_id")?,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subport {
    pub trunk_id: String,
    pub port_id: String,
    /// `vlan`
    pub segmentation_type: String,
    pub segmentation_id: i64,
    pub mac: String,
}

impl FromRow for Subport {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Subport {
            trunk_id: row.text("trunk_id")?,
            port_id: row.text("port_id")?,
            segmentation_type: row.text("segmentation_type")?,
            segmentation_id: row.int("segmentation_id")?,
            mac: row.text("mac_address")?,
        })
    }
}

impl Subport {
    pub fn view(&self) -> Value {
        json!({
            "port_id": self.port_id,
            "segmentation_type": self.segmentation_type,
            "segmentation_id": self.segmentation_id,
        })
    }

    /// As the parent port's `trunk_details` have it.
    pub fn detail(&self) -> Value {
        json!({
            "port_id": self.port_id,
            "segmentation_type": self.segmentation_type,
            "segmentation_id": self.segmentation_id,
            "mac_address": self.mac,
        })
    }
}

const ATTRS: &[Attr] = &[
    attr("port_id", Kind::Uuid).required().by(Filter::Text("port_id")),
    attr("admin_state_up", Kind::Flag).both().by(Filter::Flag("admin_state_up")),
    attr("status", Kind::Text(16)).by(Filter::Text("status")),
    attr("sub_ports", Kind::Any).post(),
];

pub const SPEC: Spec = Spec {
    member: "trunk",
    collection: "trunks",
    table: "trunk",
    attrs: ATTRS,
    bulk: true,
    extent: Extent::Full,
    not_found,
};

pub fn not_found(id: &str) -> Error {
    Error::not_found(format!("Trunk {id} could not be found.")).code("TrunkNotFound")
}

impl Trunk {
    pub fn columns(&self) -> Columns {
        let mut columns = self.standard.columns();
        columns.extend([
            ("admin_state_up", self.admin_state_up.into()),
            ("status", (&self.status).into()),
            ("port_id", (&self.port_id).into()),
        ]);
        columns
    }
}
