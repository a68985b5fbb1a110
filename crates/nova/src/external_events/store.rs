//! Which of the named servers there are.

use std::collections::HashMap;

use base::Result;
use db::{AnyConnection, FromRow, Row, sql_built};

struct Placed {
    id: String,
    on_host: bool,
}

impl FromRow for Placed {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Placed { id: row.text("id")?, on_host: row.opt_text("host")?.is_some() })
    }
}

/// Living servers of these ids -> whether they are on a host.
pub(super) async fn placed(conn: &mut AnyConnection, ids: &[&str]) -> Result<HashMap<String, bool>> {
    let mut found = HashMap::new();
    for chunk in ids.chunks(500) {
        let marks: Vec<String> = (1..=chunk.len()).map(|n| format!("${n}")).collect();
        let mut query = sql_built(format!(
            "SELECT id, host FROM servers WHERE deleted_at IS NULL AND id IN ({})",
            marks.join(", ")
        ));
        for id in chunk {
            query = query.bind((*id).to_owned());
        }
        found.extend(query.rows::<Placed>(conn).await?.into_iter().map(|p| (p.id, p.on_host)));
    }
    Ok(found)
}
