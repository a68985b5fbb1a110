//! SQL of memberships in aggregates.

use std::collections::BTreeSet;

use base::Ctx;
use db::{AnyConnection, Db, Event, sql};

use crate::providers::store::bump;

pub async fn of_provider(conn: &mut AnyConnection, provider: &str) -> db::Result<Vec<String>> {
    sql("SELECT aggregate FROM provider_aggregates WHERE provider = $1 ORDER BY aggregate")
        .bind(provider.to_owned())
        .rows(conn)
        .await
}

/// `generation`: checked and raised when given (since 1.19).
pub async fn set(
    db: &Db,
    ctx: &Ctx,
    provider: &str,
    generation: Option<i64>,
    wanted: &BTreeSet<String>,
) -> base::Result<()> {
    db::write!(db, |tx| {
        sql("DELETE FROM provider_aggregates WHERE provider = $1").bind(provider.to_owned()).run(tx).await?;
        for aggregate in wanted {
            sql("INSERT INTO provider_aggregates (provider, aggregate) VALUES ($1, $2)")
                .bind(provider.to_owned())
                .bind(aggregate.clone())
                .run(tx)
                .await?;
        }
        if let Some(generation) = generation {
            bump(tx, provider, generation).await?;
        }
        Ok(tx.event(Event::new("placement", "resource_provider.aggregates", provider, "", ctx)).await?)
    })
}
