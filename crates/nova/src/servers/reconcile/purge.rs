//! Deleted servers stay visible to admins for a while; then their rows go.

use base::Result;

use crate::Nova;
use crate::servers::store;

/// How long a deleted server is kept, in microseconds.
const KEPT: i64 = 7 * 24 * 3_600_000_000;

impl Nova {
    pub(super) async fn purge(&self) -> Result<()> {
        let before = base::time::now() - KEPT;
        let old = store::deleted_before(&mut *self.db.read().await?, before).await?;
        if old.is_empty() {
            return Ok(());
        }
        tracing::info!(servers = old.len(), "rows of servers that were deleted long ago are removed");
        db::write!(self.db, |tx| store::purge(tx, &old).await)
    }
}
