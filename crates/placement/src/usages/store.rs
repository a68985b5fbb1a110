//! SQL of sums over allocations.

use db::{Conn, FromRow, Row, sql};

/// A sum, with its consumers' type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    pub resource_class: String,
    /// None: nobody said (before 1.38).
    pub consumer_type: Option<String>,
    pub used: i64,
}

impl FromRow for Usage {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Usage {
            resource_class: row.text("resource_class")?,
            consumer_type: row.opt_text("consumer_type")?,
            used: row.int("used")?,
        })
    }
}

/// Of a project's consumers and, unless `user` is empty, of that user's.
pub async fn of_project(conn: &mut Conn, project: &str, user: &str) -> db::Result<Vec<Usage>> {
    sql("SELECT a.resource_class, c.consumer_type, CAST(SUM(a.used) AS BIGINT) AS used \
         FROM allocations a JOIN consumers c ON c.uuid = a.consumer \
         WHERE c.project_id = $1 AND ($2 = '' OR c.user_id = $2) \
         GROUP BY a.resource_class, c.consumer_type ORDER BY a.resource_class")
    .bind(project.to_owned())
    .bind(user.to_owned())
    .rows(conn)
    .await
}

/// How many consumers of each type there are.
pub async fn consumers(conn: &mut Conn, project: &str, user: &str) -> db::Result<Vec<(Option<String>, i64)>> {
    struct Count(Option<String>, i64);
    impl FromRow for Count {
        fn from_row(row: &Row<'_>) -> db::Result<Self> {
            Ok(Count(row.opt_text("consumer_type")?, row.int("number")?))
        }
    }
    let rows: Vec<Count> = sql("SELECT consumer_type, COUNT(*) AS number FROM consumers \
         WHERE project_id = $1 AND ($2 = '' OR user_id = $2) GROUP BY consumer_type")
    .bind(project.to_owned())
    .bind(user.to_owned())
    .rows(conn)
    .await?;
    Ok(rows.into_iter().map(|Count(kind, n)| (kind, n)).collect())
}
