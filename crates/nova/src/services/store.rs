//! The host's row.

use base::{Ctx, Result};
use db::{Conn, Db, Event, FromRow, Row, sql};

use super::HostRow;

impl FromRow for HostRow {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(HostRow {
            name: row.text("name")?,
            hypervisor_id: row.text("hypervisor_id")?,
            service_id: row.text("service_id")?,
            disabled: row.bool("disabled")?,
            disabled_reason: row.opt_text("disabled_reason")?,
            forced_down: row.bool("forced_down")?,
            updated_at: row.int("updated_at")?,
        })
    }
}

pub(crate) async fn get(conn: &mut Conn, name: &str) -> Result<Option<HostRow>> {
    Ok(sql("SELECT name, hypervisor_id, service_id, disabled, disabled_reason, forced_down, updated_at FROM hosts \
            WHERE name = $1")
    .bind(name)
    .optional(conn)
    .await?)
}

/// Makes the row at the first start; later starts keep its ids. `provider` is the host's id in Placement, which is the
/// hypervisor's too.
pub(crate) async fn ensure(db: &Db, name: &str, provider: Option<String>) -> Result<()> {
    let (hypervisor, service) = (provider.unwrap_or_else(base::id::uuid), base::id::uuid());
    db::write!(db, |tx| {
        sql("INSERT INTO hosts (name, hypervisor_id, service_id, disabled, forced_down, updated_at) \
             VALUES ($1, $2, $3, 0, 0, $4) ON CONFLICT (name) DO UPDATE SET updated_at = excluded.updated_at")
        .bind(name)
        .bind(&*hypervisor)
        .bind(&*service)
        .bind(base::time::now())
        .run(tx)
        .await?;
        Ok(())
    })
}

pub(crate) async fn save(db: &Db, ctx: &Ctx, host: &HostRow) -> Result<()> {
    db::write!(db, |tx| {
        sql("UPDATE hosts SET disabled = $1, disabled_reason = $2, forced_down = $3, updated_at = $4 \
             WHERE name = $5")
        .bind(i64::from(host.disabled))
        .bind(host.disabled_reason.clone())
        .bind(i64::from(host.forced_down))
        .bind(base::time::now())
        .bind(&*host.name)
        .run(tx)
        .await?;
        tx.event(Event::new("nova", "service.update", &host.service_id, "", ctx)).await?;
        Ok(())
    })
}
