//! How many secrets, orders, containers and consumers a project may have. Without a row there is no limit.

pub mod api;
pub mod store;

use db::{FromRow, Row};

pub const RESOURCES: [&str; 5] = ["secrets", "orders", "containers", "consumers", "cas"];

/// In the order of [`RESOURCES`]; None: the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quotas(pub [Option<i64>; RESOURCES.len()]);

impl Quotas {
    pub fn of(&self, resource: &str) -> Option<i64> {
        RESOURCES.iter().position(|one| *one == resource).and_then(|place| self.0[place])
    }
}

impl FromRow for Quotas {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        let mut quotas = Quotas::default();
        for (place, name) in RESOURCES.iter().enumerate() {
            quotas.0[place] = row.opt_int(name)?;
        }
        Ok(quotas)
    }
}
