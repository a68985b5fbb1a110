//! The part of a list that SQL decides.

use base::Result;
use db::{AnyConnection, sql_built};

use super::query::Query;
use crate::servers::Server;
use crate::servers::store::COLUMNS;

/// Newest first: the rows that the query's conditions mean, behind `after`, at most `limit` of them.
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
        conditions.push(format!(
            "(created_at < {at} OR (created_at = {at} AND id > ${n}))",
            at = last.created_at,
            n = values.len()
        ));
    }
    let filter = if conditions.is_empty() { "1 = 1".into() } else { conditions.join(" AND ") };
    let limit = limit.map(|n| format!(" LIMIT {n}")).unwrap_or_default();
    let mut statement = sql_built(format!(
        "SELECT {COLUMNS} FROM servers WHERE {filter} ORDER BY created_at DESC, id{limit}"
    ));
    for value in &values {
        statement = statement.bind(&**value);
    }
    Ok(statement.rows(conn).await?)
}
