//! Numbered SQL files of a service, each applied once and in order.

use crate::{Db, Error, Result, Why, sql, sql_built};

/// One file of `<service>/migrations/`: statements divided by lines that end in `;`.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// `nova/0001_servers`: service, number, noun.
    pub name: &'static str,
    pub sql: &'static str,
}

/// So many backups from before migrations stay.
const KEPT: usize = 7;

const OWN: &[Migration] =
    &[Migration { name: "db/0001_events", sql: include_str!("../migrations/0001_events.sql") }];

impl Db {
    /// Applies what is missing. A name in the database that this binary does not know means a newer version made it.
    /// A database that has rows already is backed up first.
    pub async fn migrate(&self, services: &[&[Migration]]) -> Result<()> {
        let all: Vec<Migration> = OWN.iter().chain(services.iter().flat_map(|s| s.iter())).copied().collect();
        let done = self.migrations().await?;
        let missing = all.iter().find(|m| !done.iter().any(|n| n == m.name));
        if let (false, Some(missing)) = (done.is_empty(), missing) {
            self.back_up(Why::Migration(missing.name), KEPT).await?;
        }
        if done.len() == all.len() && missing.is_none() {
            return self.know_tables().await;
        }
        let made: Result<()> = crate::write!(self, |tx| {
            sql("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, at BIGINT NOT NULL)")
                .run(tx)
                .await?;
            let done: Vec<String> = sql("SELECT name FROM migrations").rows(tx).await?;
            if let Some(name) = done.iter().find(|n| !all.iter().any(|m| m.name == **n)) {
                return Err(Error::Newer { name: name.clone() });
            }
            for migration in all.iter().filter(|m| !done.iter().any(|n| n == m.name)) {
                for statement in statements(migration.sql) {
                    sql_built(statement.into()).run(tx).await.map_err(|e| Error::Migration {
                        name: migration.name.into(),
                        message: format!(
                            "{e}: {}",
                            std::error::Error::source(&e).map(ToString::to_string).unwrap_or_default()
                        ),
                    })?;
                }
                sql("INSERT INTO migrations (name, at) VALUES ($1, $2)")
                    .bind(migration.name)
                    .bind(base::time::now())
                    .run(tx)
                    .await?;
            }
            Ok(())
        });
        made?;
        self.know_tables().await
    }
}

impl Db {
    /// Names of those applied so far; none for a new database.
    pub async fn migrations(&self) -> Result<Vec<String>> {
        let mut conn = self.read().await?;
        if !sql("SELECT 1 FROM sqlite_master WHERE name = 'migrations'").exists(&mut conn).await? {
            return Ok(Vec::new());
        }
        sql("SELECT name FROM migrations ORDER BY at, name").rows(&mut conn).await
    }
}

fn statements(sql: &'static str) -> impl Iterator<Item = &'static str> {
    sql.split(";\n")
        .map(str::trim)
        .filter(|s| s.lines().any(|l| !l.trim().is_empty() && !l.trim_start().starts_with("--")))
}
