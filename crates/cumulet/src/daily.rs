//! A copy of the database each day, beside the database: what a person's mistake or a damaged file takes away is a day's
//! work at most. Backups of everything are `cumulet backup`.

use std::time::{Duration, SystemTime};

use camino::Utf8Path;
use db::{Db, Why, daily_backups};

use crate::simulate::Served;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Machines sleep and clocks jump: whether a day is over is looked at again and again.
const LOOK: Duration = Duration::from_secs(600);
/// A start has enough to do.
const AFTER_START: Duration = Duration::from_secs(60);

/// Goes on as long as the cloud runs.
pub async fn keep(served: Served, kept: usize) {
    tokio::time::sleep(AFTER_START).await;
    loop {
        let db = served.cloud().await.db.clone();
        // Full disks end, so the next look tries again; `doctor` and the log tell of them.
        if let Err(error) = look(&db, kept, SystemTime::now()).await {
            tracing::warn!(%error, "the daily backup of the database could not be made");
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn look(db: &Db, kept: usize, now: SystemTime) -> db::Result<()> {
    if !daily_backups(db.path()).iter().any(|backup| is_of_today(backup, now)) {
        db.back_up(Why::Daily, kept).await?;
    }
    Ok(())
}

/// Made within a day, either way: the clock may have been set back since.
fn is_of_today(backup: &Utf8Path, now: SystemTime) -> bool {
    let made = std::fs::metadata(backup).and_then(|file| file.modified());
    let apart = |made| now.duration_since(made).unwrap_or_else(|ahead| ahead.duration());
    made.is_ok_and(|made| apart(made) < DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_day_has_one_backup_whatever_the_clock_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = camino::Utf8PathBuf::from_path_buf(dir.path().join("c.db")).unwrap();
        let db = Db::open_file(&path).await.unwrap();
        let now = SystemTime::now();
        let count = || dir.path().join("backups").read_dir().unwrap().count();
        look(&db, 3, now).await.unwrap();
        look(&db, 3, now + DAY / 2).await.unwrap();
        assert_eq!(count(), 1);
        look(&db, 3, now + DAY * 2).await.unwrap();
        assert_eq!(count(), 2, "a day is over");
        look(&db, 3, now - DAY / 2).await.unwrap();
        assert_eq!(count(), 2, "the clock was set back by less");
        look(&db, 3, now - DAY * 2).await.unwrap();
        assert_eq!(count(), 3, "the clock was set back");
        look(&db, 3, now + DAY * 2).await.unwrap();
        assert_eq!(count(), 3, "three are kept");
    }
}
