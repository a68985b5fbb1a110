//! Old events go, in the background: a table that only grows fills the disk and slows every write down at last.

use std::time::Duration;

use db::Retention;

use crate::simulate::Served;

const LOOK: Duration = Duration::from_secs(600);
/// A start has enough to do.
const AFTER_START: Duration = Duration::from_secs(30);

/// Goes on as long as the cloud runs.
pub async fn keep(served: Served, retention: Retention) {
    tokio::time::sleep(AFTER_START).await;
    loop {
        let db = served.cloud().await.db.clone();
        match db.compact_events(retention, base::time::now()).await {
            Ok(0) => {}
            Ok(gone) => tracing::info!(gone, "old events are gone"),
            // Full disks end, so the next look tries again; what was done so far stays done.
            Err(error) => tracing::warn!(%error, "old events could not be taken away"),
        }
        tokio::time::sleep(LOOK).await;
    }
}
