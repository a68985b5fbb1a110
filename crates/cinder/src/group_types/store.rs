//! SQL of group types.

use base::{Ctx, Error, Result};
use db::{AnyConnection, Db, Event, FromRow, Row, Tx, json_text, sql};

use super::{GroupType, none};

impl FromRow for GroupType {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(GroupType {
            id: row.text("id")?,
            name: row.text("name")?,
            description: row.opt_text("description")?,
            is_public: row.bool("is_public")?,
            specs: row.json("specs")?,
            created_at: row.int("created_at")?,
        })
    }
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<GroupType>> {
    sql("SELECT * FROM volume_group_types WHERE id = $1").bind(id.to_owned()).optional(conn).await
}

pub async fn by_name(conn: &mut AnyConnection, name: &str) -> db::Result<Option<GroupType>> {
    sql("SELECT * FROM volume_group_types WHERE name = $1").bind(name.to_owned()).optional(conn).await
}

pub async fn list(conn: &mut AnyConnection) -> db::Result<Vec<GroupType>> {
    sql("SELECT * FROM volume_group_types").rows(conn).await
}

/// New, or in place of the one with this id.
async fn write(tx: &mut Tx, one: &GroupType) -> Result<()> {
    let done = sql("INSERT INTO volume_group_types (id, name, description, is_public, specs, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
         description = excluded.description, is_public = excluded.is_public, specs = excluded.specs")
    .bind(one.id.clone())
    .bind(one.name.clone())
    .bind(one.description.clone())
    .bind(i64::from(one.is_public))
    .bind(json_text(&one.specs)?)
    .bind(one.created_at)
    .run(tx)
    .await;
    match done {
        Err(e) if db::is_unique(&e) => {
            Err(Error::conflict(format!("Group Type {} already exists.", one.name)).because(e))
        }
        other => Ok(other.map(|_| ())?),
    }
}

pub async fn create(db: &Db, ctx: &Ctx, one: &GroupType) -> Result<()> {
    db::write!(db, |tx| {
        write(tx, one).await?;
        Ok(tx.event(Event::new("cinder", "group_type.create", &one.id, "", ctx)).await?)
    })
}

pub async fn edit(
    db: &Db,
    ctx: &Ctx,
    id: &str,
    change: impl Fn(&mut GroupType) -> Result<()> + Sync,
) -> Result<GroupType> {
    db::write!(db, |tx| {
        let mut one = get(tx, id).await?.ok_or_else(|| none(id))?;
        change(&mut one)?;
        write(tx, &one).await?;
        tx.event(Event::new("cinder", "group_type.update", id, "", ctx)).await?;
        Ok(one)
    })
}

pub async fn delete(db: &Db, ctx: &Ctx, id: &str) -> Result<()> {
    db::write!(db, |tx| {
        if sql("SELECT 1 FROM volume_groups WHERE group_type = $1").bind(id).exists(tx).await? {
            return Err(Error::bad_request("Target group type is still in use."));
        }
        if sql("DELETE FROM volume_group_types WHERE id = $1").bind(id).run(tx).await? == 0 {
            return Err(none(id));
        }
        Ok(tx.event(Event::new("cinder", "group_type.delete", id, "", ctx)).await?)
    })
}
