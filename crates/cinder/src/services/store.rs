//! Rows of services that an admin has said something about.

use base::{Ctx, Result};
use db::{AnyConnection, Db, Event, FromRow, Row, sql};

pub struct Said {
    pub name: String,
    pub disabled: bool,
    pub reason: Option<String>,
}

impl FromRow for Said {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Said { name: row.text("name")?, disabled: row.bool("disabled")?, reason: row.opt_text("reason")? })
    }
}

pub async fn all(conn: &mut AnyConnection) -> db::Result<Vec<Said>> {
    sql("SELECT * FROM volume_services").rows(conn).await
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
