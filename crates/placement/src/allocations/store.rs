//! SQL of allocations and their consumers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use base::{Ctx, Error};
use db::{AnyConnection, Conn, Db, Event, FromRow, Row, Tx, sql};

use super::{Change, Resources};
use crate::classes;
use crate::inventories::{self, Inventory};
use crate::providers::store::{self as providers, ProviderRow};
use crate::wire::concurrent;

/// One allocation with its provider's generation and its consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocation {
    pub consumer: String,
    pub provider: String,
    pub resource_class: String,
    pub used: i64,
    pub provider_generation: i64,
    pub owner: Consumer,
    pub created_at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    pub generation: i64,
    pub project_id: String,
    pub user_id: String,
    pub consumer_type: Option<String>,
}

impl FromRow for Consumer {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Consumer {
            generation: row.int("consumer_generation")?,
            project_id: row.text("project_id")?,
            user_id: row.text("user_id")?,
            consumer_type: row.opt_text("consumer_type")?,
        })
    }
}

impl FromRow for Allocation {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Allocation {
            consumer: row.text("consumer")?,
            provider: row.text("provider")?,
            resource_class: row.text("resource_class")?,
            used: row.int("used")?,
            provider_generation: row.int("provider_generation")?,
            owner: Consumer::from_row(row)?,
            created_at: row.int("created_at")?,
        })
    }
}

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT a.*, p.generation AS provider_generation, c.generation AS consumer_generation, ",
            "c.project_id AS project_id, c.user_id AS user_id, c.consumer_type AS consumer_type ",
            "FROM allocations a JOIN resource_providers p ON p.uuid = a.provider ",
            "JOIN consumers c ON c.uuid = a.consumer ",
            $condition
        )
    };
}

pub async fn of_consumer(conn: &mut AnyConnection, consumer: &str) -> db::Result<Vec<Allocation>> {
    sql(select!("WHERE a.consumer = $1 ORDER BY a.provider, a.resource_class"))
        .bind(consumer.to_owned())
        .rows(conn)
        .await
}

pub async fn of_provider(conn: &mut AnyConnection, provider: &str) -> db::Result<Vec<Allocation>> {
    sql(select!("WHERE a.provider = $1 ORDER BY a.consumer, a.resource_class"))
        .bind(provider.to_owned())
        .rows(conn)
        .await
}

/// How a call words what it refuses.
pub type UnknownClass = fn(consumer: &str, why: &str) -> String;

pub async fn set(db: &Db, ctx: &Ctx, changes: &[Change], words: UnknownClass) -> base::Result<()> {
    db::write!(db, |tx| {
        apply(tx, changes, words).await?;
        for change in changes {
            let event = Event::new("placement", "allocation.update", &change.consumer, &change.project, ctx);
            tx.event(event).await?;
        }
        Ok(())
    })
}

/// Replaces the allocations of every consumer named, or of none.
pub async fn apply(tx: &mut Tx, changes: &[Change], words: UnknownClass) -> base::Result<()> {
    for change in changes {
        check_consumer(tx, change).await?;
    }
    let mut known: HashMap<String, ProviderRow> = HashMap::new();
    for (uuid, _) in changes.iter().flat_map(|c| &c.allocations) {
        if !known.contains_key(uuid) {
            let row = providers::find(tx, uuid).await?.ok_or_else(|| {
                Error::bad_request(format!("Allocation for resource provider '{uuid}' that does not exist."))
            })?;
            known.insert(uuid.clone(), row);
        }
    }
    for change in changes {
        for (class, _) in change.allocations.iter().flat_map(|(_, resources)| resources) {
            if !classes::store::exists(tx, class).await? {
                return Err(Error::bad_request(words(&change.consumer, &classes::unknown(class).message)));
            }
        }
    }
    // What was used before decides whether going over capacity makes things worse.
    let mut before: HashMap<String, BTreeMap<String, i64>> = HashMap::new();
    for uuid in known.keys() {
        let used = inventories::store::of_provider(tx, uuid).await?;
        before.insert(uuid.clone(), used.into_iter().map(|i| (i.resource_class, i.used)).collect());
    }
    let mut touched: BTreeSet<String> = known.keys().cloned().collect();
    for change in changes {
        let had: Vec<String> = sql("SELECT DISTINCT provider FROM allocations WHERE consumer = $1")
            .bind(change.consumer.clone())
            .rows(tx)
            .await?;
        touched.extend(had);
        sql("DELETE FROM allocations WHERE consumer = $1").bind(change.consumer.clone()).run(tx).await?;
    }
    check_capacity(tx, changes, &before).await?;
    for change in changes {
        insert(tx, change).await?;
    }
    for uuid in touched {
        raise_generation(tx, &uuid).await?;
    }
    Ok(())
}

async fn check_consumer(tx: &mut Tx, change: &Change) -> base::Result<()> {
    let Some(expected) = change.generation else { return Ok(()) };
    let found = consumer(tx, &change.consumer).await?.map(|c| c.generation);
    if found == expected {
        return Ok(());
    }
    let shown = |n: Option<i64>, none: &str| n.map_or_else(|| none.to_owned(), |n| n.to_string());
    Err(concurrent(if found.is_none() {
        format!("consumer generation conflict - expected null but got {}", shown(expected, "None"))
    } else {
        format!(
            "consumer generation conflict - expected {} but got {}",
            shown(found, "null"),
            shown(expected, "None")
        )
    }))
}

async fn consumer(conn: &mut AnyConnection, uuid: &str) -> db::Result<Option<Consumer>> {
    sql("SELECT generation AS consumer_generation, project_id, user_id, consumer_type FROM consumers WHERE uuid = $1")
        .bind(uuid.to_owned())
        .optional(conn)
        .await
}

async fn check_capacity(
    tx: &mut Tx,
    changes: &[Change],
    before: &HashMap<String, BTreeMap<String, i64>>,
) -> base::Result<()> {
    let mut inventories: HashMap<&str, HashMap<String, Inventory>> = HashMap::new();
    let mut wanted: HashMap<(&str, &str), i64> = HashMap::new();
    for (provider, resources) in changes.iter().flat_map(|c| &c.allocations) {
        if !inventories.contains_key(provider.as_str()) {
            let list = inventories::store::of_provider(tx, provider).await?;
            inventories.insert(provider, list.into_iter().map(|i| (i.resource_class.clone(), i)).collect());
        }
        for (class, amount) in resources {
            let refused = |why: &str| Error::conflict(format!("Unable to allocate inventory: {why}"));
            let Some(inventory) = inventories.get(provider.as_str()).and_then(|i| i.get(class)) else {
                return Err(refused(&format!(
                    "Inventory for '{class}' on resource provider '{provider}' invalid."
                )));
            };
            let place =
                format!("Unable to create allocation for '{class}' on resource provider '{provider}'.");
            if !inventory.admits(*amount) {
                return Err(refused(&format!(
                    "{place} The requested amount would violate inventory constraints."
                )));
            }
            let sum = wanted.entry((provider, class)).or_default();
            *sum = sum.saturating_add(*amount);
            let total = inventory.used.saturating_add(*sum);
            let was = before.get(provider).and_then(|b| b.get(class)).copied().unwrap_or(0);
            if total as f64 > inventory.capacity() && total > was {
                return Err(refused(&format!("{place} The requested amount would exceed the capacity.")));
            }
        }
    }
    Ok(())
}

async fn insert(tx: &mut Tx, change: &Change) -> base::Result<()> {
    let now = base::time::now();
    if change.allocations.is_empty() {
        sql("DELETE FROM consumers WHERE uuid = $1").bind(change.consumer.clone()).run(tx).await?;
        return Ok(());
    }
    sql("INSERT INTO consumers (uuid, generation, project_id, user_id, consumer_type, created_at, updated_at) \
         VALUES ($1, 1, $2, $3, $4, $5, $5) \
         ON CONFLICT (uuid) DO UPDATE SET generation = consumers.generation + 1, project_id = $2, user_id = $3, \
         consumer_type = COALESCE($4, consumers.consumer_type), updated_at = $5")
        .bind(change.consumer.clone())
        .bind(change.project.clone())
        .bind(change.user.clone())
        .bind(change.kind.clone())
        .bind(now)
        .run(tx)
        .await?;
    for (provider, resources) in &change.allocations {
        for (class, used) in resources {
            sql("INSERT INTO allocations (consumer, provider, resource_class, used, created_at) \
                 VALUES ($1, $2, $3, $4, $5)")
            .bind(change.consumer.clone())
            .bind(provider.clone())
            .bind(class.clone())
            .bind(*used)
            .bind(now)
            .run(tx)
            .await?;
        }
    }
    Ok(())
}

/// Within a transaction that has checked what it had to: other writers wait for it.
pub async fn raise_generation(tx: &mut Tx, provider: &str) -> db::Result<()> {
    sql("UPDATE resource_providers SET generation = generation + 1, updated_at = $1 WHERE uuid = $2")
        .bind(base::time::now())
        .bind(provider.to_owned())
        .run(tx)
        .await?;
    Ok(())
}

/// Takes everything from a consumer; false: it had nothing.
pub async fn delete(db: &Db, ctx: &Ctx, consumer: &str) -> base::Result<bool> {
    db::write!(db, |tx| {
        let had = release(tx, consumer).await?;
        if had {
            tx.event(Event::new("placement", "allocation.delete", consumer, "", ctx)).await?;
        }
        Ok::<_, Error>(had)
    })
}

pub async fn release(tx: &mut Tx, consumer: &str) -> db::Result<bool> {
    let gone = sql("DELETE FROM allocations WHERE consumer = $1").bind(consumer.to_owned()).run(tx).await?;
    sql("DELETE FROM consumers WHERE uuid = $1").bind(consumer.to_owned()).run(tx).await?;
    Ok(gone > 0)
}

/// Nova's claim: on the first provider with room.
pub async fn claim(
    tx: &mut Tx,
    consumer: &str,
    project: &str,
    user: &str,
    wanted: Resources,
) -> base::Result<()> {
    sql("DELETE FROM allocations WHERE consumer = $1").bind(consumer.to_owned()).run(tx).await?;
    for provider in providers::list_in(tx).await? {
        let inventories = inventories::store::of_provider(tx, &provider.uuid).await?;
        if !fits(&inventories, wanted) {
            continue;
        }
        let resources = wanted.classes().into_iter().map(|(class, n)| (class.to_owned(), n)).collect();
        let change = Change {
            consumer: consumer.into(),
            project: project.into(),
            user: user.into(),
            generation: None,
            kind: Some("INSTANCE".into()),
            allocations: vec![(provider.uuid.clone(), resources)],
        };
        insert(tx, &change).await?;
        raise_generation(tx, &provider.uuid).await?;
        return Ok(());
    }
    Err(concurrent("No valid host was found. There are not enough hosts available."))
}

/// Placement's own rule: `used + wanted <= (total - reserved) * ratio`, and one request is no larger than max_unit.
fn fits(inventories: &[Inventory], wanted: Resources) -> bool {
    wanted.classes().iter().all(|(class, amount)| {
        inventories.iter().any(|i| {
            i.resource_class == *class && *amount <= i.max_unit && (i.used + amount) as f64 <= i.capacity()
        })
    })
}

/// What `from` has becomes what `to` has, which has nothing yet.
pub async fn rename(tx: &mut Tx, from: &str, to: &str, kind: &str) -> db::Result<()> {
    sql("UPDATE allocations SET consumer = $1 WHERE consumer = $2").bind(to).bind(from).run(tx).await?;
    sql("UPDATE consumers SET uuid = $1, consumer_type = $2 WHERE uuid = $3")
        .bind(to)
        .bind(kind)
        .bind(from)
        .run(tx)
        .await?;
    Ok(())
}

struct Sum(String, i64);

impl FromRow for Sum {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Sum(row.text("resource_class")?, row.int("used")?))
    }
}

pub async fn usage(conn: &mut Conn) -> db::Result<Resources> {
    let rows: Vec<Sum> = sql(
        "SELECT resource_class, CAST(SUM(used) AS BIGINT) AS used FROM allocations GROUP BY resource_class",
    )
    .rows(conn)
    .await?;
    let of = |class: &str| {
        rows.iter().find(|Sum(c, _)| c == class).map_or(0, |Sum(_, n)| u64::try_from(*n).unwrap_or(0))
    };
    Ok(Resources {
        vcpus: u32::try_from(of("VCPU")).unwrap_or(u32::MAX),
        memory_mib: of("MEMORY_MB"),
        disk_gib: of("DISK_GB"),
    })
}
