//! SQL of allocations.

use base::Error;
use db::{Conn, FromRow, Row, Tx, sql};

use super::Resources;
use crate::providers::store::{Inventory, ProviderRow, inventories_in};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocation {
    pub consumer: String,
    pub provider: String,
    pub resource_class: String,
    pub used: i64,
    pub project_id: String,
    pub user_id: String,
}

impl FromRow for Allocation {
    fn from_row(row: &Row) -> db::Result<Self> {
        Ok(Allocation {
            consumer: row.text("consumer")?,
            provider: row.text("provider")?,
            resource_class: row.text("resource_class")?,
            used: row.int("used")?,
            project_id: row.text("project_id")?,
            user_id: row.text("user_id")?,
        })
    }
}

pub async fn claim(
    tx: &mut Tx,
    consumer: &str,
    project: &str,
    user: &str,
    wanted: Resources,
) -> base::Result<()> {
    release(tx, consumer).await?;
    let providers: Vec<ProviderRow> =
        sql("SELECT * FROM resource_providers ORDER BY created_at, uuid").rows(tx).await?;
    for provider in &providers {
        let inventories = inventories_in(tx, &provider.uuid).await?;
        if !fits(&inventories, wanted) {
            continue;
        }
        for (class, used) in wanted.classes() {
            sql("INSERT INTO allocations (consumer, provider, resource_class, used, project_id, user_id, created_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)")
                .bind(consumer.to_owned())
                .bind(provider.uuid.clone())
                .bind(class)
                .bind(used)
                .bind(project.to_owned())
                .bind(user.to_owned())
                .bind(base::time::now())
                .run(tx)
                .await?;
        }
        sql("UPDATE resource_providers SET generation = generation + 1 WHERE uuid = $1")
            .bind(provider.uuid.clone())
            .run(tx)
            .await?;
        return Ok(());
    }
    Err(Error::conflict("No valid host was found. There are not enough hosts available.")
        .code("placement.concurrent_update"))
}

/// Placement's own rule: `used + wanted <= (total - reserved) * ratio`, and one request is no larger than max_unit.
fn fits(inventories: &[Inventory], wanted: Resources) -> bool {
    wanted.classes().iter().all(|(class, amount)| {
        inventories.iter().any(|i| {
            i.resource_class == *class
                && *amount <= i.max_unit
                && (i.used + amount) as f64 <= (i.total - i.reserved) as f64 * i.allocation_ratio
        })
    })
}

pub async fn release(tx: &mut Tx, consumer: &str) -> db::Result<()> {
    sql("DELETE FROM allocations WHERE consumer = $1").bind(consumer.to_owned()).run(tx).await?;
    Ok(())
}

pub async fn of_consumer(conn: &mut Conn, consumer: &str) -> db::Result<Vec<Allocation>> {
    sql("SELECT * FROM allocations WHERE consumer = $1 ORDER BY provider, resource_class")
        .bind(consumer.to_owned())
        .rows(conn)
        .await
}

pub async fn of_provider(conn: &mut Conn, provider: &str) -> db::Result<Vec<Allocation>> {
    sql("SELECT * FROM allocations WHERE provider = $1 ORDER BY consumer, resource_class")
        .bind(provider.to_owned())
        .rows(conn)
        .await
}

struct Sum(String, i64);

impl FromRow for Sum {
    fn from_row(row: &Row) -> db::Result<Self> {
        Ok(Sum(row.text("resource_class")?, row.int("used")?))
    }
}

/// Sums by class over all consumers of a project, and of a user in it.
pub async fn of_project(
    conn: &mut Conn,
    project: &str,
    user: Option<&str>,
) -> db::Result<Vec<(String, i64)>> {
    let rows: Vec<Sum> = sql("SELECT resource_class, CAST(SUM(used) AS BIGINT) AS used FROM allocations \
         WHERE project_id = $1 AND ($2 = '' OR user_id = $2) GROUP BY resource_class ORDER BY resource_class")
    .bind(project.to_owned())
    .bind(user.unwrap_or_default().to_owned())
    .rows(conn)
    .await?;
    Ok(rows.into_iter().map(|Sum(class, used)| (class, used)).collect())
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
