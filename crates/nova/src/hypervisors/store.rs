//! The servers of the host.

use base::Result;
use db::{AnyConnection, sql};

/// (name, id)
pub(super) async fn servers(conn: &mut AnyConnection) -> Result<Vec<(String, String)>> {
    Ok(sql(
        "SELECT name, id FROM servers WHERE deleted_at IS NULL AND host IS NOT NULL ORDER BY created_at, id",
    )
    .rows(conn)
    .await?)
}
