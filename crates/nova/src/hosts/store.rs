//! What each project's servers take on the host.

use base::Result;
use db::{AnyConnection, FromRow, Row, sql};

pub(super) struct Taken {
    pub project: String,
    pub cpu: i64,
    pub memory_mib: i64,
    pub disk_gib: i64,
}

impl FromRow for Taken {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        let flavor: crate::flavors::Flavor = row.json("flavor")?;
        Ok(Taken {
            project: row.text("project_id")?,
            cpu: flavor.vcpus,
            memory_mib: flavor.memory_mib,
            disk_gib: flavor.root_gib + flavor.ephemeral_gib,
        })
    }
}

/// One row for each server on this host, projects together.
pub(super) async fn taken(conn: &mut AnyConnection, host: &str) -> Result<Vec<Taken>> {
    Ok(sql(
        "SELECT project_id, flavor FROM servers WHERE host = $1 AND deleted_at IS NULL ORDER BY project_id",
    )
    .bind(host)
    .rows(conn)
    .await?)
}
