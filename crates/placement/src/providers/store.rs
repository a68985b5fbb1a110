//! SQL of providers.

use base::{Ctx, Error};
use db::{AnyConnection, Conn, Db, Event, FromRow, Row, Tx, sql};

use super::Provider;
use crate::wire::concurrent;

#[derive(Debug, Clone, PartialEq)]
pub struct ProviderRow {
    pub uuid: String,
    pub name: String,
    pub generation: i64,
    pub parent: Option<String>,
    /// Of the tree; a provider without a parent is its own.
    pub root: String,
    pub updated_at: i64,
}

impl FromRow for ProviderRow {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(ProviderRow {
            uuid: row.text("uuid")?,
            name: row.text("name")?,
            generation: row.int("generation")?,
            parent: row.opt_text("parent")?,
            root: row.text("root")?,
            updated_at: row.int("updated_at")?,
        })
    }
}

pub async fn list(conn: &mut Conn) -> db::Result<Vec<ProviderRow>> {
    list_in(conn).await
}

/// The same inside a transaction.
pub async fn list_in(conn: &mut AnyConnection) -> db::Result<Vec<ProviderRow>> {
    sql("SELECT * FROM resource_providers ORDER BY created_at, uuid").rows(conn).await
}

pub async fn find(conn: &mut AnyConnection, uuid: &str) -> db::Result<Option<ProviderRow>> {
    sql("SELECT * FROM resource_providers WHERE uuid = $1").bind(uuid.to_owned()).optional(conn).await
}

pub async fn get(conn: &mut AnyConnection, uuid: &str) -> base::Result<ProviderRow> {
    get_or(conn, uuid, |e| e).await
}

/// 404 in the words of the call, around Placement's own.
pub async fn get_or(
    conn: &mut AnyConnection,
    uuid: &str,
    words: impl FnOnce(String) -> String,
) -> base::Result<ProviderRow> {
    find(conn, uuid)
        .await?
        .ok_or_else(|| Error::not_found(words(format!("No resource provider with uuid {uuid} found"))))
}

/// Raises the generation if it is still the one that was read: every change of a provider goes through here.
pub async fn bump(tx: &mut Tx, uuid: &str, generation: i64) -> base::Result<()> {
    let raised = sql("UPDATE resource_providers SET generation = generation + 1, updated_at = $1 \
         WHERE uuid = $2 AND generation = $3")
    .bind(base::time::now())
    .bind(uuid.to_owned())
    .bind(generation)
    .run(tx)
    .await?;
    if raised == 0 {
        return Err(concurrent(
            "Another thread concurrently updated the resource provider data. Please retry your update",
        ));
    }
    Ok(())
}

pub async fn create(db: &Db, ctx: &Ctx, new: &ProviderRow) -> base::Result<()> {
    db::write!(db, |tx| {
        // One statement names both columns at once, as clients of the real service expect of a duplicate.
        let taken: Vec<ProviderRow> = sql("SELECT * FROM resource_providers WHERE uuid = $1 OR name = $2")
            .bind(new.uuid.clone())
            .bind(new.name.clone())
            .rows(tx)
            .await?;
        let mut same = Vec::new();
        if taken.iter().any(|p| p.uuid == new.uuid) {
            same.push(format!("uuid: {}", new.uuid));
        }
        if taken.iter().any(|p| p.name == new.name) {
            same.push(format!("name: {}", new.name));
        }
        if !same.is_empty() {
            return Err(Error::conflict(format!(
                "Conflicting resource provider {} already exists.",
                same.join(", ")
            ))
            .code("placement.duplicate_name"));
        }
        sql("INSERT INTO resource_providers (uuid, name, generation, parent, root, created_at, updated_at) \
             VALUES ($1, $2, 0, $3, $4, $5, $5)")
        .bind(new.uuid.clone())
        .bind(new.name.clone())
        .bind(new.parent.clone())
        .bind(new.root.clone())
        .bind(new.updated_at)
        .run(tx)
        .await?;
        Ok(tx.event(Event::new("placement", "resource_provider.create", &new.uuid, "", ctx)).await?)
    })
}

/// `moved`: the providers whose root changes with this one's.
pub async fn update(db: &Db, ctx: &Ctx, provider: &ProviderRow, moved: &[String]) -> base::Result<()> {
    db::write!(db, |tx| {
        let taken = sql("SELECT 1 FROM resource_providers WHERE name = $1 AND uuid <> $2")
            .bind(provider.name.clone())
            .bind(provider.uuid.clone())
            .exists(tx)
            .await?;
        if taken {
            return Err(Error::conflict(format!(
                "Conflicting resource provider {} already exists.",
                provider.name
            ))
            .code("placement.duplicate_name"));
        }
        let now = base::time::now();
        sql("UPDATE resource_providers SET name = $1, parent = $2, root = $3, updated_at = $4 WHERE uuid = $5")
            .bind(provider.name.clone())
            .bind(provider.parent.clone())
            .bind(provider.root.clone())
            .bind(now)
            .bind(provider.uuid.clone())
            .run(tx)
            .await?;
        for uuid in moved {
            sql("UPDATE resource_providers SET root = $1 WHERE uuid = $2")
                .bind(provider.root.clone())
                .bind(uuid.clone())
                .run(tx)
                .await?;
        }
        Ok(tx.event(Event::new("placement", "resource_provider.update", &provider.uuid, "", ctx)).await?)
    })
}

pub async fn delete(db: &Db, ctx: &Ctx, uuid: &str) -> base::Result<()> {
    db::write!(db, |tx| {
        let has = async |tx: &mut Tx, text: &'static str| sql(text).bind(uuid.to_owned()).exists(tx).await;
        if has(tx, "SELECT 1 FROM resource_providers WHERE parent = $1").await? {
            return Err(Error::conflict(format!(
                "Unable to delete parent resource provider {uuid}: It has child resource providers."
            ))
            .code("placement.resource_provider.cannot_delete_parent"));
        }
        if has(tx, "SELECT 1 FROM allocations WHERE provider = $1").await? {
            return Err(Error::conflict(format!(
                "Unable to delete resource provider {uuid}: Resource provider has allocations."
            ))
            .code("placement.resource_provider.inuse"));
        }
        // Inventories, traits and aggregates go with it.
        if sql("DELETE FROM resource_providers WHERE uuid = $1").bind(uuid.to_owned()).run(tx).await? == 0 {
            return Err(Error::not_found(format!("No resource provider with uuid {uuid} found for delete")));
        }
        Ok(tx.event(Event::new("placement", "resource_provider.delete", uuid, "", ctx)).await?)
    })
}

/// What this machine has, at each start.
pub async fn put(db: &Db, provider: &Provider, rows: &[(&'static str, i64, f64)]) -> base::Result<()> {
    let now = base::time::now();
    db::write!(db, |tx| {
        sql("INSERT INTO resource_providers (uuid, name, generation, root, created_at, updated_at) VALUES ($1, $2, 0, $1, $3, $3) \
             ON CONFLICT (uuid) DO UPDATE SET name = $2, generation = resource_providers.generation + 1, updated_at = $3")
            .bind(provider.uuid.clone())
            .bind(provider.name.clone())
            .bind(now)
            .run(tx)
            .await?;
        for (class, total, ratio) in rows {
            sql("INSERT INTO inventories (provider, resource_class, total, reserved, min_unit, max_unit, step_size, allocation_ratio, updated_at) \
                 VALUES ($1, $2, $3, 0, 1, $3, 1, $4, $5) \
                 ON CONFLICT (provider, resource_class) DO UPDATE SET total = $3, max_unit = $3, allocation_ratio = $4, updated_at = $5")
                .bind(provider.uuid.clone())
                .bind(*class)
                .bind(*total)
                .bind(*ratio)
                .bind(now)
                .run(tx)
                .await?;
        }
        Ok(())
    })
}
