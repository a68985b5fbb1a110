//! SQL of providers and inventories.

use base::Error;
use db::{AnyConnection, Conn, Db, FromRow, Row, sql};

use super::Provider;

#[derive(Debug, Clone, PartialEq)]
pub struct ProviderRow {
    pub uuid: String,
    pub name: String,
    pub generation: i64,
    pub updated_at: i64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Inventory {
    pub resource_class: String,
    pub total: i64,
    pub reserved: i64,
    pub min_unit: i64,
    pub max_unit: i64,
    pub step_size: i64,
    pub allocation_ratio: f64,
    pub used: i64,
}

impl FromRow for ProviderRow {
    fn from_row(row: &Row) -> db::Result<Self> {
        Ok(ProviderRow {
            uuid: row.text("uuid")?,
            name: row.text("name")?,
            generation: row.int("generation")?,
            updated_at: row.int("updated_at")?,
        })
    }
}

impl FromRow for Inventory {
    fn from_row(row: &Row) -> db::Result<Self> {
        Ok(Inventory {
            resource_class: row.text("resource_class")?,
            total: row.int("total")?,
            reserved: row.int("reserved")?,
            min_unit: row.int("min_unit")?,
            max_unit: row.int("max_unit")?,
            step_size: row.int("step_size")?,
            allocation_ratio: row.float("allocation_ratio")?,
            used: row.int("used")?,
        })
    }
}

pub async fn list(conn: &mut Conn) -> db::Result<Vec<ProviderRow>> {
    sql("SELECT * FROM resource_providers ORDER BY created_at, uuid").rows(conn).await
}

pub async fn get(conn: &mut Conn, uuid: &str) -> base::Result<ProviderRow> {
    let found: Option<ProviderRow> =
        sql("SELECT * FROM resource_providers WHERE uuid = $1").bind(uuid.to_owned()).optional(conn).await?;
    found.ok_or_else(|| {
        Error::not_found(format!(
            "No resource provider with uuid {uuid} found : No resource provider with uuid {uuid} found"
        ))
    })
}

/// A provider's inventories with what is used of each.
pub async fn inventories(conn: &mut Conn, provider: &str) -> db::Result<Vec<Inventory>> {
    inventories_in(conn, provider).await
}

/// The same inside a transaction that is about to claim.
pub async fn inventories_in(conn: &mut AnyConnection, provider: &str) -> db::Result<Vec<Inventory>> {
    sql("SELECT i.*, CAST(COALESCE((SELECT SUM(a.used) FROM allocations a \
            WHERE a.provider = i.provider AND a.resource_class = i.resource_class), 0) AS BIGINT) AS used \
         FROM inventories i WHERE i.provider = $1 ORDER BY i.resource_class")
    .bind(provider.to_owned())
    .rows(conn)
    .await
}

pub async fn put(db: &Db, provider: &Provider, rows: &[(&'static str, i64, f64)]) -> base::Result<()> {
    let now = base::time::now();
    db::write!(db, |tx| {
        sql("INSERT INTO resource_providers (uuid, name, generation, created_at, updated_at) VALUES ($1, $2, 0, $3, $3) \
             ON CONFLICT (uuid) DO UPDATE SET name = $2, generation = resource_providers.generation + 1, updated_at = $3")
            .bind(provider.uuid.clone())
            .bind(provider.name.clone())
            .bind(now)
            .run(tx)
            .await?;
        for (class, total, ratio) in rows {
            sql("INSERT INTO inventories (provider, resource_class, total, reserved, min_unit, max_unit, step_size, allocation_ratio) \
                 VALUES ($1, $2, $3, 0, 1, $3, 1, $4) \
                 ON CONFLICT (provider, resource_class) DO UPDATE SET total = $3, max_unit = $3, allocation_ratio = $4")
                .bind(provider.uuid.clone())
                .bind(*class)
                .bind(*total)
                .bind(*ratio)
                .run(tx)
                .await?;
        }
        Ok(())
    })
}
