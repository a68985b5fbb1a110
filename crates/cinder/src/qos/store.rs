//! SQL of QoS specs.

use base::{Ctx, Error, Result};
use db::{AnyConnection, Db, Event, FromRow, Row, json_text, sql};

use super::{Qos, none};
use crate::types;
use crate::words::no_type;

impl FromRow for Qos {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Qos {
            id: row.text("id")?,
            name: row.text("name")?,
            consumer: row.text("consumer")?,
            specs: row.json("specs")?,
            created_at: row.int("created_at")?,
        })
    }
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Qos>> {
    sql("SELECT * FROM volume_qos WHERE id = $1").bind(id.to_owned()).optional(conn).await
}

pub async fn list(conn: &mut AnyConnection) -> db::Result<Vec<Qos>> {
    sql("SELECT * FROM volume_qos").rows(conn).await
}

pub async fn create(db: &Db, ctx: &Ctx, one: &Qos) -> Result<()> {
    db::write!(db, |tx| {
        let done =
            sql("INSERT INTO volume_qos (id, name, consumer, specs, created_at) VALUES ($1, $2, $3, $4, $5)")
                .bind(&one.id)
                .bind(&one.name)
                .bind(&one.consumer)
                .bind(json_text(&one.specs)?)
                .bind(one.created_at)
                .run(tx)
                .await;
        match done {
            Err(e) if db::is_unique(&e) => {
                return Err(Error::conflict(format!("QoS Specs {} already exists.", one.name)).because(e));
            }
            other => other?,
        };
        Ok(tx.event(Event::new("cinder", "qos.create", &one.id, "", ctx)).await?)
    })
}

pub async fn edit(
    db: &Db,
    ctx: &Ctx,
    id: &str,
    change: impl Fn(&mut Qos) -> Result<()> + Sync,
) -> Result<()> {
    db::write!(db, |tx| {
        let mut one = get(tx, id).await?.ok_or_else(|| none(id))?;
        change(&mut one)?;
        sql("UPDATE volume_qos SET consumer = $1, specs = $2 WHERE id = $3")
            .bind(&one.consumer)
            .bind(json_text(&one.specs)?)
            .bind(id)
            .run(tx)
            .await?;
        Ok(tx.event(Event::new("cinder", "qos.update", id, "", ctx)).await?)
    })
}

/// (id, name)
pub async fn types_of(conn: &mut AnyConnection, id: &str) -> db::Result<Vec<(String, String)>> {
    sql("SELECT id, name FROM volume_types WHERE qos_id = $1 ORDER BY name")
        .bind(id.to_owned())
        .rows(conn)
        .await
}

pub async fn delete(db: &Db, ctx: &Ctx, id: &str, force: bool) -> Result<()> {
    db::write!(db, |tx| {
        get(tx, id).await?.ok_or_else(|| none(id))?;
        if !force && !types_of(tx, id).await?.is_empty() {
            return Err(Error::bad_request("Qos specs still in use."));
        }
        sql("UPDATE volume_types SET qos_id = NULL WHERE qos_id = $1").bind(id).run(tx).await?;
        sql("DELETE FROM volume_qos WHERE id = $1").bind(id).run(tx).await?;
        Ok(tx.event(Event::new("cinder", "qos.delete", id, "", ctx)).await?)
    })
}

/// `on` false takes it away.
pub async fn associate(db: &Db, ctx: &Ctx, id: &str, type_id: &str, on: bool) -> Result<()> {
    db::write!(db, |tx| {
        get(tx, id).await?.ok_or_else(|| none(id))?;
        let kind = types::store::get(tx, type_id).await?.ok_or_else(|| no_type(type_id))?;
        if on && kind.qos_id.as_deref().is_some_and(|other| other != id) {
            return Err(Error::bad_request(format!(
                "Invalid volume type: Type {type_id} is already associated with another qos specs: {}",
                kind.qos_id.unwrap_or_default()
            )));
        }
        sql("UPDATE volume_types SET qos_id = $1 WHERE id = $2")
            .bind(on.then_some(id))
            .bind(type_id)
            .run(tx)
            .await?;
        Ok(tx.event(Event::new("cinder", "qos.associate", id, "", ctx)).await?)
    })
}

pub async fn disassociate_all(db: &Db, ctx: &Ctx, id: &str) -> Result<()> {
    db::write!(db, |tx| {
        get(tx, id).await?.ok_or_else(|| none(id))?;
        sql("UPDATE volume_types SET qos_id = NULL WHERE qos_id = $1").bind(id).run(tx).await?;
        Ok(tx.event(Event::new("cinder", "qos.disassociate", id, "", ctx)).await?)
    })
}
