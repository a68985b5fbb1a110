//! Rows of services that an admin has said something about.

use base::{Ctx, Result};
use db::{AnyConnection, Db, Event, FromRow, Row, sql};

use crate::words::invalid_input;

pub struct Said {
    pub name: String,
    pub disabled: bool,
    pub reason: Option<String>,
    pub frozen: bool,
}

impl FromRow for Said {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Said {
            name: row.text("name")?,
            disabled: row.bool("disabled")?,
            reason: row.opt_text("reason")?,
            frozen: row.bool("frozen")?,
        })
    }
}

pub async fn all(conn: &mut AnyConnection) -> db::Result<Vec<Said>> {
    sql("SELECT * FROM volume_services").rows(conn).await
}

/// 400 while the backend is frozen.
pub async fn check_thawed(conn: &mut AnyConnection) -> Result<()> {
    match sql("SELECT 1 FROM volume_services WHERE frozen = 1").exists(conn).await? {
        true => Err(invalid_input("Modification operations are not allowed on frozen storage backends.")),
        false => Ok(()),
    }
}

/// A frozen service takes no new volumes, and those that it has are not changed. False: it was so already.
pub async fn freeze(db: &Db, ctx: &Ctx, name: &str, frozen: bool) -> Result<bool> {
    db::write!(db, |tx| {
        let was = all(tx).await?.into_iter().any(|said| said.name == name && said.frozen);
        if was == frozen {
            return Ok(false);
        }
        sql("INSERT INTO volume_services (name, disabled, reason, frozen, updated_at) VALUES ($1, $2, $3, $2, $4) \
             ON CONFLICT (name) DO UPDATE SET disabled = excluded.disabled, reason = excluded.reason, \
             frozen = excluded.frozen, updated_at = excluded.updated_at")
        .bind(name)
        .bind(i64::from(frozen))
        .bind(frozen.then_some("frozen"))
        .bind(base::time::now())
        .run(tx)
        .await?;
        tx.event(Event::new("cinder", "service.freeze", name, "", ctx)).await?;
        Ok(true)
    })
}

pub async fn set(db: &Db, ctx: &Ctx, name: &str, disabled: bool, reason: Option<&str>) -> Result<()> {
    db::write!(db, |tx| {
        sql("INSERT INTO volume_services (name, disabled, reason, updated_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (name) DO UPDATE SET disabled = excluded.disabled, reason = excluded.reason, \
             updated_at = excluded.updated_at")
        .bind(name)
        .bind(i64::from(disabled))
        .bind(reason)
        .bind(base::time::now())
        .run(tx)
        .await?;
        Ok(tx.event(Event::new("cinder", "service.update", name, "", ctx)).await?)
    })
}
