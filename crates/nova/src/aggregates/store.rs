//! Rows of aggregates.

use base::{Ctx, Error, Result};
use db::{AnyConnection, Db, Event, FromRow, Row, Tx, json_text, sql};

use super::Aggregate;

impl FromRow for Aggregate {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Aggregate {
            number: row.int("number")?,
            id: row.text("id")?,
            name: row.text("name")?,
            metadata: row.json("metadata")?,
            hosts: row.json("hosts")?,
            created_at: row.int("created_at")?,
            updated_at: row.opt_int("updated_at")?,
        })
    }
}

pub(crate) async fn list(conn: &mut AnyConnection) -> Result<Vec<Aggregate>> {
    Ok(sql(
        "SELECT number, id, name, metadata, hosts, created_at, updated_at FROM aggregates ORDER BY number",
    )
    .rows(conn)
    .await?)
}

pub(super) async fn get(conn: &mut AnyConnection, number: &str) -> Result<Aggregate> {
    let found = match number.parse::<i64>() {
        Ok(n) => {
            sql("SELECT number, id, name, metadata, hosts, created_at, updated_at FROM aggregates WHERE number = $1")
                .bind(n)
                .optional(conn)
                .await?
        }
        Err(_) => None,
    };
    found.ok_or_else(|| Error::not_found(format!("Aggregate {number} could not be found.")))
}

pub(super) async fn create(db: &Db, ctx: &Ctx, aggregate: &Aggregate) -> Result<Aggregate> {
    db::write!(db, |tx| {
        unique(tx, &aggregate.name, -1).await?;
        let number = sql("SELECT COALESCE(MAX(number), 0) + 1 FROM aggregates").number(tx).await?;
        sql("INSERT INTO aggregates (number, id, name, metadata, hosts, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(number)
        .bind(&*aggregate.id)
        .bind(&*aggregate.name)
        .bind(json_text(&aggregate.metadata)?)
        .bind(json_text(&aggregate.hosts)?)
        .bind(aggregate.created_at)
        .run(tx)
        .await?;
        tx.event(Event::new("nova", "aggregate.create", &aggregate.id, "", ctx)).await?;
        Ok(Aggregate { number, ..aggregate.clone() })
    })
}

async fn unique(tx: &mut Tx, name: &str, but: i64) -> Result<()> {
    let taken = sql("SELECT 1 FROM aggregates WHERE name = $1 AND number <> $2")
        .bind(name)
        .bind(but)
        .exists(tx)
        .await?;
    if taken { Err(Error::conflict(format!("Aggregate {name} already exists."))) } else { Ok(()) }
}

pub(super) async fn save(tx: &mut Tx, ctx: &Ctx, aggregate: &Aggregate) -> Result<()> {
    unique(tx, &aggregate.name, aggregate.number).await?;
    sql("UPDATE aggregates SET name = $1, metadata = $2, hosts = $3, updated_at = $4 WHERE number = $5")
        .bind(&*aggregate.name)
        .bind(json_text(&aggregate.metadata)?)
        .bind(json_text(&aggregate.hosts)?)
        .bind(aggregate.updated_at)
        .bind(aggregate.number)
        .run(tx)
        .await?;
    tx.event(Event::new("nova", "aggregate.update", &aggregate.id, "", ctx)).await?;
    Ok(())
}

pub(super) async fn delete(db: &Db, ctx: &Ctx, number: &str) -> Result<()> {
    db::write!(db, |tx| {
        let aggregate = get(tx, number).await?;
        if !aggregate.hosts.is_empty() {
            return Err(Error::bad_request(format!(
                "Cannot remove host from aggregate {number}: Host aggregate is not empty."
            )));
        }
        sql("DELETE FROM aggregates WHERE number = $1").bind(aggregate.number).run(tx).await?;
        tx.event(Event::new("nova", "aggregate.delete", &aggregate.id, "", ctx)).await?;
        Ok(())
    })
}
