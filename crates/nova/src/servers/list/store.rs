//! The part of a list that SQL decides.

use base::Result;
use db::{AnyConnection, sql_built};

use super::query::Query;
use crate::servers::Server;
use crate::servers::store::COLUMNS;

/// The rows that the query's conditions mean, by age, behind `after`, at most `limit` of them.
pub(super) async fn rows(
    conn: &mut AnyConnection,
    query: &Query,
    after: Option<&Server>,
    limit: Option<usize>,
) -> Result<Vec<Server>> {
    let mut conditions = query.conditions.clone();
    let mut values = query.values.clone();
    if let Some(last) = after {
        values.push(last.id.clone());
        // The first half is for the index: without it every newer row would be read again.
        let (until, before) = if query.oldest_first { (">=", ">") } else { ("<=", "<") };
        conditions.push(format!(
            "created_at {until} {at} AND (created_at {before} {at} OR id > ${n})",
            at = last.created_at,
            n = values.len()
        ));
    }
    let filter = if conditions.is_empty() { "1 = 1".into() } else { conditions.join(" AND ") };
    let limit = limit.map(|n| format!(" LIMIT {n}")).unwrap_or_default();
    let direction = if query.oldest_first { "" } else { " DESC" };
    let mut statement = sql_built(format!(
        "SELECT {COLUMNS} FROM servers WHERE {filter} ORDER BY created_at{direction}, id{limit}"
    ));
    for value in &values {
        statement = statement.bind(&**value);
    }
    Ok(statement.rows(conn).await?)
}
