//! The database as services use it, on a temporary file.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use camino::Utf8PathBuf;
use db::{Db, Event, Migration, Retention, Why, sql};

const V1: &[Migration] =
    &[Migration { name: "t/0001", sql: "CREATE TABLE t (id TEXT PRIMARY KEY, n BIGINT NOT NULL);\n" }];

async fn open() -> (tempfile::TempDir, Db) {
    let dir = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(dir.path().join("c.db")).unwrap();
    let db = Db::open_file(&path).await.unwrap();
    db.migrate(&[V1]).await.unwrap();
    (dir, db)
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_increments_are_all_kept() {
    let (_dir, db) = open().await;
    let db = std::sync::Arc::new(db);
    let inserted: db::Result<u64> = db::write!(db, |tx| sql("INSERT INTO t VALUES ('a', 0)").run(tx).await);
    inserted.unwrap();
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            let db = db.clone();
            // Spawning demands that the future of `write` is Send.
            tokio::spawn(async move {
                let done: base::Result<()> = db::write!(db, |tx| {
                    let n = sql("SELECT n FROM t WHERE id = $1").bind("a").number(tx).await?;
                    sql("UPDATE t SET n = $1 WHERE id = $2").bind(n + 1).bind("a").run(tx).await?;
                    Ok(())
                });
                done
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let mut conn = db.read().await.unwrap();
    assert_eq!(sql("SELECT n FROM t").number(&mut conn).await.unwrap(), 40);
}

#[tokio::test]
async fn an_error_leaves_no_trace_and_an_event_wakes() {
    let (_dir, db) = open().await;
    let mut changed = db.changed();
    let ctx = base::Ctx::internal("test");
    let failed: base::Result<()> = db::write!(db, |tx| {
        sql("INSERT INTO t VALUES ('x', 1)").run(tx).await?;
        tx.event(Event::new("t", "t.create", "x", "p", &ctx)).await?;
        Err(base::Error::conflict("no"))
    });
    assert_eq!(failed.unwrap_err().kind, base::Kind::Conflict);
    assert!(!changed.has_changed().unwrap());
    let mut conn = db.read().await.unwrap();
    assert_eq!(sql("SELECT COUNT(*) FROM t").number(&mut conn).await.unwrap(), 0);
    assert_eq!(sql("SELECT COUNT(*) FROM events").number(&mut conn).await.unwrap(), 0);
    drop(conn);
    let told: base::Result<()> =
        db::write!(db, |tx| Ok(tx.event(Event::new("t", "t.create", "x", "p", &ctx)).await?));
    told.unwrap();
    changed.changed().await.unwrap();
}

#[tokio::test]
async fn migrations_run_once_and_a_newer_database_is_refused() {
    let (_dir, db) = open().await;
    db.migrate(&[V1]).await.unwrap();
    let refused = db.migrate(&[]).await.unwrap_err().to_string();
    assert!(refused.contains("t/0001") && refused.contains("newer"), "{refused}");
}

#[tokio::test]
async fn a_second_row_of_the_same_key_is_told_as_unique() {
    let (_dir, db) = open().await;
    let twice: db::Result<()> = db::write!(db, |tx| {
        sql("INSERT INTO t VALUES ('x', 1)").run(tx).await?;
        sql("INSERT INTO t VALUES ('x', 1)").run(tx).await?;
        Ok(())
    });
    assert!(db::is_unique(&twice.unwrap_err()));
}

const V2: &[Migration] = &[
    Migration { name: "t/0001", sql: V1[0].sql },
    Migration { name: "t/0002", sql: "ALTER TABLE t ADD COLUMN more TEXT;\n" },
];

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_rows_is_backed_up_before_it_is_migrated() {
    let (dir, db) = open().await;
    assert!(!dir.path().join("backups").exists(), "there was nothing to keep when it was made");
    let kept: db::Result<u64> = db::write!(db, |tx| sql("INSERT INTO t VALUES ('kept', 7)").run(tx).await);
    kept.unwrap();
    db.migrate(&[V2]).await.unwrap();
    db.migrate(&[V2]).await.unwrap();
    let made: Vec<_> = dir.path().join("backups").read_dir().unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(made.len(), 1, "{made:?}");
    let before = Utf8PathBuf::from_path_buf(made[0].clone()).unwrap();
    assert!(before.as_str().ends_with("-before-t-0002.db"), "{before}");
    assert_eq!(db::newest_backup(db.path()), Some(before.clone()));
    let copy = Db::open_file(&before).await.unwrap();
    assert_eq!(copy.migrations().await.unwrap(), ["db/0001_events", "t/0001"]);
    let n = sql("SELECT n FROM t WHERE id = 'kept'").number(&mut copy.read().await.unwrap()).await.unwrap();
    assert_eq!(n, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_newest_backups_of_a_kind_stay() {
    let (dir, db) = open().await;
    let before = db.back_up(Why::Migration("t/0001"), 7).await.unwrap();
    let mut newest = None;
    for _ in 0..10 {
        newest = Some(db.back_up(Why::Daily, 3).await.unwrap());
    }
    assert_eq!(dir.path().join("backups").read_dir().unwrap().count(), 4);
    assert!(before.exists());
    assert_eq!(db::newest_backup(db.path()), newest);
    // The clock was ahead when these were made.
    let future = before.with_file_name("29991231T000000.000000Z-daily.db");
    std::fs::rename(newest.unwrap(), &future).unwrap();
    let now = db.back_up(Why::Daily, 1).await.unwrap();
    assert!(now.exists() && !future.exists());
    assert_eq!(db::daily_backups(db.path()), [now]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_database_is_refused_and_its_newest_backup_named() {
    let (_dir, db) = open().await;
    let filled: db::Result<u64> = db::write!(db, |tx| {
        sql("WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 5000) \
             INSERT INTO t SELECT 'row ' || i, i FROM c")
        .run(tx)
        .await
    });
    filled.unwrap();
    let backup = db.back_up(Why::Daily, 7).await.unwrap();
    let path = db.path().to_owned();
    db.close().await;
    let whole = std::fs::read(&path).unwrap();
    let refused = async |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Db::open_file(&path).await.err().expect("a damaged database must be refused").to_string()
    };
    let mut no_header = whole.clone();
    no_header[..16].copy_from_slice(b"something else..");
    let mut no_middle = whole.clone();
    no_middle[8192..40_960].fill(0xA5);
    for bytes in [no_header.as_slice(), &no_middle, &whole[..whole.len() / 2]] {
        let told = refused(bytes).await;
        assert!(told.contains("is damaged") && told.contains(backup.as_str()), "{told}");
        assert!(!told.contains('\n'), "{told}");
    }
    std::fs::write(&path, &whole).unwrap();
    Db::open_file(&path).await.unwrap();
}

#[tokio::test]
async fn every_commit_has_a_generation_of_its_own() {
    let (_dir, db) = open().await;
    let before = db.generation();
    assert_eq!(db.generation(), before);
    let undone: Result<(), base::Error> = db::write!(db, |_tx| Err(base::Error::bad_request("no")));
    assert!(undone.is_err() && db.generation() == before);
    let done: Result<(), base::Error> = db::write!(db, |_tx| Ok(()));
    assert!(done.is_ok() && db.generation() != before);
}

#[tokio::test]
async fn what_was_read_holds_until_one_of_its_tables_changes() {
    const MORE: &[Migration] = &[Migration {
        name: "t/0002",
        sql: "CREATE TABLE owner (id TEXT PRIMARY KEY);\n\
              CREATE TABLE thing (id TEXT PRIMARY KEY, owner TEXT REFERENCES owner (id) ON DELETE CASCADE);\n",
    }];
    let (_dir, db) = open().await;
    db.migrate(&[V1, MORE]).await.unwrap();
    let write = async |text: &'static str| {
        let done: db::Result<u64> = db::write!(db, |tx| sql(text).run(tx).await);
        done.unwrap()
    };
    let read = async |text: &'static str| {
        let mut conn = db.read_recorded().await.unwrap();
        let _: Vec<String> = sql(text).rows(&mut conn).await.unwrap();
        conn.reads()
    };
    write("INSERT INTO owner VALUES ('o')").await;
    write("INSERT INTO thing VALUES ('x', 'o')").await;
    let things = "SELECT g.id FROM thing g WHERE g.owner IS NOT NULL";
    let reads = read(things).await;
    write("INSERT INTO t VALUES ('other', 1)").await;
    let failed: Result<(), db::Error> = db::write!(db, |tx| {
        sql("DELETE FROM thing").run(tx).await?;
        sql("INSERT INTO t VALUES ('other', 1)").run(tx).await?;
        Ok(())
    });
    assert!(failed.is_err() && reads.hold(), "other tables, and what was undone");
    assert!(!read("SELECT 'nothing'").await.hold(), "of what nothing is known");

    // A row that goes with another is in no statement; nor are the rows of a whole table one by one.
    for change in
        ["DELETE FROM owner WHERE id = 'o'", "DELETE FROM thing", "INSERT INTO thing VALUES ('y', NULL)"]
    {
        let reads = read(things).await;
        assert!(reads.hold());
        write(change).await;
        assert!(!reads.hold(), "{change}");
    }
    // Whoever began to read before a commit and ended after it has read too early.
    let mut early = db.read_recorded().await.unwrap();
    write("INSERT INTO thing VALUES ('z', NULL)").await;
    let _: Vec<String> = sql(things).rows(&mut early).await.unwrap();
    assert!(!early.reads().hold());
}

/// So many events, of which the n-th happened at n seconds.
async fn put_events(db: &Db, count: i64) {
    let put: db::Result<()> = db::write!(db, |tx| {
        for n in 1..=count {
            sql("INSERT INTO events (at, service, kind, resource_id, project_id, user_id, request_id) \
                 VALUES ($1, 't', 't.create', $2, 'p', 'u', 'r')")
            .bind(n * 1_000_000)
            .bind(format!("resource-{n}"))
            .run(tx)
            .await?;
        }
        Ok(())
    });
    put.unwrap();
}

/// How many events there are, and the first and last of them.
async fn kept(db: &Db) -> [i64; 3] {
    let mut conn = db.read().await.unwrap();
    let mut numbers = [0; 3];
    for (at, what) in
        ["COUNT(*)", "COALESCE(MIN(revision), 0)", "COALESCE(MAX(revision), 0)"].iter().enumerate()
    {
        numbers[at] = db::sql_built(format!("SELECT {what} FROM events")).number(&mut conn).await.unwrap();
    }
    numbers
}

#[tokio::test]
async fn old_events_go_by_age_and_by_count() {
    let (_dir, db) = open().await;
    const NOW: i64 = 6000 * 1_000_000;
    let retention = |age: Option<u64>, count| Retention { age: age.map(Duration::from_secs), count };
    assert_eq!(db.compact_events(retention(Some(1), Some(1)), NOW).await.unwrap(), 0, "of none, none goes");
    put_events(&db, 5000).await;
    assert_eq!(db.compact_events(retention(None, None), NOW).await.unwrap(), 0);
    assert_eq!(db.compact_events(retention(None, Some(5000)), NOW).await.unwrap(), 0);
    assert_eq!(db.compact_events(retention(Some(6000), None), NOW).await.unwrap(), 0);
    // Over several transactions, and to the very event.
    assert_eq!(db.compact_events(retention(Some(3500), Some(4999)), NOW).await.unwrap(), 2499);
    assert_eq!(kept(&db).await, [2501, 2500, 5000]);
    assert_eq!(db.compact_events(retention(Some(6000), Some(1200)), NOW).await.unwrap(), 1301);
    assert_eq!(kept(&db).await, [1200, 3801, 5000]);
    assert_eq!(db.compact_events(retention(Some(0), None), NOW).await.unwrap(), 1200);
    // A revision is never given out twice, so whoever remembers one sees no other event under it.
    put_events(&db, 1).await;
    assert_eq!(kept(&db).await, [1, 5001, 5001]);
}

#[tokio::test]
async fn a_clock_that_was_ahead_keeps_events_longer_but_not_for_ever() {
    let (_dir, db) = open().await;
    put_events(&db, 10).await;
    let jumped: db::Result<u64> =
        db::write!(db, |tx| sql("UPDATE events SET at = 9000000000000 WHERE revision = 4").run(tx).await);
    jumped.unwrap();
    let retention = Retention { age: Some(Duration::from_secs(60)), count: Some(5) };
    assert_eq!(db.compact_events(Retention { count: None, ..retention }, 1_000_000_000).await.unwrap(), 3);
    assert_eq!(db.compact_events(retention, 1_000_000_000).await.unwrap(), 7);
    assert_eq!(kept(&db).await, [0; 3]);
}

/// Requests that write go on while many events go.
#[tokio::test(flavor = "multi_thread")]
async fn compaction_does_not_hold_writers_up() {
    let (_dir, db) = open().await;
    let db = std::sync::Arc::new(db);
    put_events(&db, 20_000).await;
    let compacted = {
        let db = db.clone();
        tokio::spawn(async move { db.compact_events(Retention { age: None, count: Some(100) }, 0).await })
    };
    let mut written = 0;
    while !compacted.is_finished() {
        let done: db::Result<u64> = db::write!(db, |tx| {
            sql("INSERT INTO t VALUES ($1, 1)").bind(format!("{written}")).run(tx).await
        });
        done.unwrap();
        written += 1;
    }
    // As many transactions as there are batches: between any two, others had their turn.
    assert!(written >= 80, "{written} writes while 80 batches went");
    assert_eq!(compacted.await.unwrap().unwrap(), 19_900);
    assert_eq!(kept(&db).await[0], 100);
}
