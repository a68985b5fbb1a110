use base::{Ctx, Error, Result};
use db::{AnyConnection, Event, Tx, sql, sql_built};

use super::Consumer;
use crate::quotas;
use crate::refs::Slice;

/// Those of all of them, oldest first.
pub async fn of_all<'a>(
    conn: &mut AnyConnection,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Consumer>> {
    let ids: Vec<&str> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let marks: Vec<String> = (1..=ids.len()).map(|n| format!("${n}")).collect();
    let text = format!(
        "SELECT * FROM secret_consumer WHERE of_id IN ({}) ORDER BY created_at, id",
        marks.join(", ")
    );
    let statement = ids.into_iter().fold(sql_built(text), |sql, id| sql.bind(id.to_owned()));
    Ok(statement.rows(conn).await?)
}

/// A page and how many there are.
pub async fn page(conn: &mut AnyConnection, of: &str, slice: Slice) -> Result<(Vec<Consumer>, i64)> {
    let total = sql("SELECT COUNT(*) FROM secret_consumer WHERE of_id = $1").bind(of).number(conn).await?;
    let page =
        sql("SELECT * FROM secret_consumer WHERE of_id = $1 ORDER BY created_at, id LIMIT $2 OFFSET $3")
            .bind(of)
            .bind(slice.limit)
            .bind(slice.offset)
            .rows(conn)
            .await?;
    Ok((page, total))
}

pub async fn find(conn: &mut AnyConnection, of: &str, id: &str) -> Result<Consumer> {
    let found: Option<Consumer> = sql("SELECT * FROM secret_consumer WHERE of_id = $1 AND id = $2")
        .bind(of)
        .bind(id)
        .optional(conn)
        .await?;
    found.ok_or_else(not_found)
}

pub async fn has_any(conn: &mut AnyConnection, of: &str) -> Result<bool> {
    Ok(sql("SELECT id FROM secret_consumer WHERE of_id = $1").bind(of).exists(conn).await?)
}

fn not_found() -> Error {
    Error::not_found("Consumer not found.")
}

async fn same(conn: &mut AnyConnection, of: &str, who: &[String; 3]) -> Result<Option<Consumer>> {
    let [first, second, third] = who;
    Ok(sql("SELECT * FROM secret_consumer WHERE of_id = $1 AND first = $2 AND second = $3 AND third = $4")
        .bind(of)
        .bind(first)
        .bind(second)
        .bind(third)
        .optional(conn)
        .await?)
}

/// Who is there already stays. `what`: the operation in Barbican's words.
pub async fn add(tx: &mut Tx, ctx: &Ctx, of: &str, who: &[String; 3], what: &str) -> Result<()> {
    let project = ctx.require_project()?;
    quotas::store::check(tx, project, "consumers", what).await?;
    if same(tx, of, who).await?.is_some() {
        return Ok(());
    }
    let now = base::time::now();
    let [first, second, third] = who;
    sql("INSERT INTO secret_consumer (id, of_id, project_id, first, second, third, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
    .bind(base::id::uuid())
    .bind(of)
    .bind(project)
    .bind(first)
    .bind(second)
    .bind(third)
    .bind(now)
    .bind(now)
    .run(tx)
    .await?;
    tx.event(Event::new("key-manager", "consumer.create", of, project, ctx)).await?;
    Ok(())
}

/// `owner`: the project of what is used.
pub async fn remove(tx: &mut Tx, ctx: &Ctx, of: &str, owner: &str, who: &[String; 3]) -> Result<()> {
    let project = ctx.require_project()?;
    let consumer = same(tx, of, who).await?.ok_or_else(not_found)?;
    if consumer.project_id != project && owner != project {
        return Err(Error::forbidden("Not Allowed. Sorry, only the creator of a consumer can delete it."));
    }
    sql("DELETE FROM secret_consumer WHERE id = $1").bind(&consumer.id).run(tx).await?;
    tx.event(Event::new("key-manager", "consumer.delete", of, project, ctx)).await?;
    Ok(())
}

/// With what they used.
pub async fn remove_all(tx: &mut Tx, of: &str) -> Result<()> {
    sql("DELETE FROM secret_consumer WHERE of_id = $1").bind(of).run(tx).await?;
    Ok(())
}
