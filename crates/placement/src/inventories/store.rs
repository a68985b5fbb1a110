//! SQL of inventories.

use base::{Ctx, Error};
use db::{AnyConnection, Db, Event, FromRow, Row, Tx, sql};

use super::Inventory;
use crate::classes;
use crate::providers::store::bump;
use crate::wire::concurrent;

/// Inventories with what is used of each; `{where}` limits the providers.
pub const WITH_USE: &str = "SELECT i.*, CAST(COALESCE(a.used, 0) AS BIGINT) AS used FROM inventories i \
     LEFT JOIN (SELECT provider, resource_class, SUM(used) AS used FROM allocations {where} \
     GROUP BY provider, resource_class) a \
     ON a.provider = i.provider AND a.resource_class = i.resource_class {where}";

impl FromRow for Inventory {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Inventory {
            resource_class: row.text("resource_class")?,
            total: row.int("total")?,
            reserved: row.int("reserved")?,
            min_unit: row.int("min_unit")?,
            max_unit: row.int("max_unit")?,
            step_size: row.int("step_size")?,
            allocation_ratio: row.float("allocation_ratio")?,
            used: row.int("used")?,
            updated_at: row.int("updated_at")?,
        })
    }
}

/// A provider's inventories with what is used of each.
pub async fn of_provider(conn: &mut AnyConnection, provider: &str) -> db::Result<Vec<Inventory>> {
    sql("SELECT i.*, CAST(COALESCE((SELECT SUM(a.used) FROM allocations a \
            WHERE a.provider = i.provider AND a.resource_class = i.resource_class), 0) AS BIGINT) AS used \
         FROM inventories i WHERE i.provider = $1 ORDER BY i.resource_class")
    .bind(provider.to_owned())
    .rows(conn)
    .await
}

async fn insert(tx: &mut Tx, provider: &str, i: &Inventory) -> db::Result<u64> {
    sql("INSERT INTO inventories (provider, resource_class, total, reserved, min_unit, max_unit, step_size, \
         allocation_ratio, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT (provider, resource_class) DO NOTHING")
    .bind(provider.to_owned())
    .bind(i.resource_class.clone())
    .bind(i.total)
    .bind(i.reserved)
    .bind(i.min_unit)
    .bind(i.max_unit)
    .bind(i.step_size)
    .bind(i.allocation_ratio)
    .bind(i.updated_at)
    .run(tx)
    .await
}

async fn change(tx: &mut Tx, provider: &str, i: &Inventory) -> db::Result<u64> {
    sql("UPDATE inventories SET total = $3, reserved = $4, min_unit = $5, max_unit = $6, step_size = $7, \
         allocation_ratio = $8, updated_at = $9 WHERE provider = $1 AND resource_class = $2")
    .bind(provider.to_owned())
    .bind(i.resource_class.clone())
    .bind(i.total)
    .bind(i.reserved)
    .bind(i.min_unit)
    .bind(i.max_unit)
    .bind(i.step_size)
    .bind(i.allocation_ratio)
    .bind(i.updated_at)
    .run(tx)
    .await
}

/// The classes of `provider` that somebody uses.
async fn used(tx: &mut Tx, provider: &str) -> db::Result<Vec<String>> {
    sql("SELECT DISTINCT resource_class FROM allocations WHERE provider = $1")
        .bind(provider.to_owned())
        .rows(tx)
        .await
}

/// The words of each call for the same refusals.
pub struct Words {
    pub unknown_class: fn(&str, Error) -> Error,
    pub in_use: fn(String) -> Error,
}

/// Replaces all inventories of a provider within a transaction. `keep_used`: what is left out stays while it is used.
pub async fn replace(
    tx: &mut Tx,
    provider: &str,
    wanted: &[Inventory],
    keep_used: bool,
    words: &Words,
) -> base::Result<()> {
    for i in wanted {
        if !classes::store::exists(tx, &i.resource_class).await? {
            return Err((words.unknown_class)(provider, classes::unknown(&i.resource_class)));
        }
    }
    let present = of_provider(tx, provider).await?;
    let left_out: Vec<&Inventory> =
        present.iter().filter(|p| !wanted.iter().any(|w| w.resource_class == p.resource_class)).collect();
    if !keep_used {
        let used = used(tx, provider).await?;
        let busy: Vec<&str> = left_out
            .iter()
            .map(|i| i.resource_class.as_str())
            .filter(|c| used.iter().any(|u| u == c))
            .collect();
        if !busy.is_empty() {
            return Err((words.in_use)(format!(
                "Inventory for '{}' on resource provider '{provider}' in use.",
                busy.join(", ")
            )));
        }
        for i in left_out {
            sql("DELETE FROM inventories WHERE provider = $1 AND resource_class = $2")
                .bind(provider.to_owned())
                .bind(i.resource_class.clone())
                .run(tx)
                .await?;
        }
    }
    for i in wanted {
        if change(tx, provider, i).await? == 0 {
            insert(tx, provider, i).await?;
        }
    }
    Ok(())
}

pub async fn set(
    db: &Db,
    ctx: &Ctx,
    provider: &str,
    generation: i64,
    wanted: &[Inventory],
    words: &Words,
) -> base::Result<()> {
    db::write!(db, |tx| {
        replace(tx, provider, wanted, false, words).await?;
        bump(tx, provider, generation).await?;
        Ok(tx.event(Event::new("placement", "inventory.update", provider, "", ctx)).await?)
    })
}

pub async fn add(db: &Db, ctx: &Ctx, provider: &str, generation: i64, new: &Inventory) -> base::Result<()> {
    db::write!(db, |tx| {
        if !classes::store::exists(tx, &new.resource_class).await? {
            return Err(Error::bad_request(format!(
                "Unable to create inventory for resource provider {provider}: {}",
                classes::unknown(&new.resource_class)
            )));
        }
        if insert(tx, provider, new).await? == 0 {
            return Err(concurrent(format!(
                "Update conflict: resource provider {provider} has an inventory of {} already",
                new.resource_class
            )));
        }
        bump(tx, provider, generation).await?;
        Ok(tx.event(Event::new("placement", "inventory.create", provider, "", ctx)).await?)
    })
}

pub async fn update(
    db: &Db,
    ctx: &Ctx,
    provider: &str,
    generation: i64,
    new: &Inventory,
) -> base::Result<()> {
    db::write!(db, |tx| {
        let class = &new.resource_class;
        if !classes::store::exists(tx, class).await? {
            return Err(classes::unknown(class));
        }
        if change(tx, provider, new).await? == 0 {
            return Err(Error::bad_request(format!(
                "No inventory record with resource class for resource provider {provider}: \
                 No inventory of class {class} found."
            )));
        }
        bump(tx, provider, generation).await?;
        Ok(tx.event(Event::new("placement", "inventory.update", provider, "", ctx)).await?)
    })
}

pub async fn delete(db: &Db, ctx: &Ctx, provider: &str, generation: i64, class: &str) -> base::Result<()> {
    db::write!(db, |tx| {
        let words = format!("No inventory of class {class} found for delete");
        if !classes::store::exists(tx, class).await? {
            return Err(Error::not_found(format!("{words}: {}", classes::unknown(class))));
        }
        if used(tx, provider).await?.iter().any(|u| u == class) {
            return Err(concurrent(format!(
                "Unable to delete inventory of class {class}: Inventory for '{class}' on resource provider \
                 '{provider}' in use."
            )));
        }
        let gone = sql("DELETE FROM inventories WHERE provider = $1 AND resource_class = $2")
            .bind(provider.to_owned())
            .bind(class.to_owned())
            .run(tx)
            .await?;
        if gone == 0 {
            return Err(Error::not_found(format!("{words}: {words}")));
        }
        bump(tx, provider, generation).await?;
        Ok(tx.event(Event::new("placement", "inventory.delete", provider, "", ctx)).await?)
    })
}
