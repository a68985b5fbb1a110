use base::{Ctx, Result};
use db::{AnyConnection, Event, Tx, json_text, sql};

use super::{Made, Order, rules};
use crate::refs::Slice;

/// Of the project.
pub async fn get(conn: &mut AnyConnection, project: &str, id: &str) -> Result<Order> {
    let order: Option<Order> = sql("SELECT * FROM secret_order WHERE id = $1 AND project_id = $2")
        .bind(id)
        .bind(project)
        .optional(conn)
        .await?;
    order.ok_or_else(rules::not_found)
}

/// A page and how many there are.
pub async fn list(conn: &mut AnyConnection, project: &str, slice: Slice) -> Result<(Vec<Order>, i64)> {
    let total =
        sql("SELECT COUNT(*) FROM secret_order WHERE project_id = $1").bind(project).number(conn).await?;
    let page =
        sql("SELECT * FROM secret_order WHERE project_id = $1 ORDER BY created_at, id LIMIT $2 OFFSET $3")
            .bind(project)
            .bind(slice.limit)
            .bind(slice.offset)
            .rows(conn)
            .await?;
    Ok((page, total))
}

pub async fn insert(tx: &mut Tx, ctx: &Ctx, order: &Order) -> Result<()> {
    let (secret, container) = match &order.made {
        Made::Secret(id) => (id.as_str(), ""),
        Made::Container(id) => ("", id.as_str()),
    };
    sql("INSERT INTO secret_order (id, project_id, creator_id, type, meta, secret_id, container_id, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
    .bind(&order.id)
    .bind(&order.project_id)
    .bind(&order.creator_id)
    .bind(&order.kind)
    .bind(json_text(&order.meta)?)
    .bind(secret)
    .bind(container)
    .bind(order.created_at)
    .bind(order.updated_at)
    .run(tx)
    .await?;
    tx.event(Event::new("key-manager", "order.create", &order.id, &order.project_id, ctx)).await?;
    Ok(())
}

/// What came of it stays.
pub async fn delete(tx: &mut Tx, ctx: &Ctx, order: &Order) -> Result<()> {
    sql("DELETE FROM secret_order WHERE id = $1").bind(&order.id).run(tx).await?;
    tx.event(Event::new("key-manager", "order.delete", &order.id, &order.project_id, ctx)).await?;
    Ok(())
}
