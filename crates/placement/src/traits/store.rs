//! SQL of traits: an operator's own, and which provider has which.

use std::collections::BTreeSet;

use base::{Ctx, Error};
use db::{AnyConnection, Db, Event, sql};

use super::{STANDARD, unknown};
use crate::providers::store::bump;

pub async fn own(conn: &mut AnyConnection) -> db::Result<Vec<String>> {
    sql("SELECT name FROM traits ORDER BY created_at, name").rows(conn).await
}

/// Standard ones and the operator's own.
pub async fn all(conn: &mut AnyConnection) -> db::Result<BTreeSet<String>> {
    let mut all: BTreeSet<String> = STANDARD.iter().map(|t| (*t).to_owned()).collect();
    all.extend(own(conn).await?);
    Ok(all)
}

/// Those that some provider has.
pub async fn associated(conn: &mut AnyConnection) -> db::Result<BTreeSet<String>> {
    let list: Vec<String> = sql("SELECT DISTINCT trait FROM provider_traits").rows(conn).await?;
    Ok(list.into_iter().collect())
}

pub async fn exists(conn: &mut AnyConnection, name: &str) -> db::Result<bool> {
    if STANDARD.contains(name) {
        return Ok(true);
    }
    sql("SELECT 1 FROM traits WHERE name = $1").bind(name.to_owned()).exists(conn).await
}

/// False: it was there.
pub async fn create(db: &Db, ctx: &Ctx, name: &str) -> base::Result<bool> {
    db::write!(db, |tx| {
        let made = sql("INSERT INTO traits (name, created_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
            .bind(name.to_owned())
            .bind(base::time::now())
            .run(tx)
            .await?;
        if made > 0 {
            tx.event(Event::new("placement", "trait.create", name, "", ctx)).await?;
        }
        Ok::<_, Error>(made > 0)
    })
}

pub async fn delete(db: &Db, ctx: &Ctx, name: &str) -> base::Result<()> {
    db::write!(db, |tx| {
        let used =
            sql("SELECT 1 FROM provider_traits WHERE trait = $1").bind(name.to_owned()).exists(tx).await?;
        if used {
            return Err(Error::conflict(format!("The trait {name} is in use by a resource provider.")));
        }
        if sql("DELETE FROM traits WHERE name = $1").bind(name.to_owned()).run(tx).await? == 0 {
            return Err(unknown([name]));
        }
        Ok(tx.event(Event::new("placement", "trait.delete", name, "", ctx)).await?)
    })
}

pub async fn of_provider(conn: &mut AnyConnection, provider: &str) -> db::Result<Vec<String>> {
    sql("SELECT trait FROM provider_traits WHERE provider = $1 ORDER BY trait")
        .bind(provider.to_owned())
        .rows(conn)
        .await
}

/// Replaces a provider's traits if it is still at `generation`; answers the new generation. Nothing changed: the old one.
pub async fn set(
    db: &Db,
    ctx: &Ctx,
    provider: &str,
    generation: i64,
    wanted: &BTreeSet<String>,
) -> base::Result<i64> {
    db::write!(db, |tx| {
        let present: BTreeSet<String> = of_provider(tx, provider).await?.into_iter().collect();
        if present == *wanted {
            return Ok(generation);
        }
        for gone in present.difference(wanted) {
            sql("DELETE FROM provider_traits WHERE provider = $1 AND trait = $2")
                .bind(provider.to_owned())
                .bind(gone.clone())
                .run(tx)
                .await?;
        }
        for new in wanted.difference(&present) {
            sql("INSERT INTO provider_traits (provider, trait) VALUES ($1, $2)")
                .bind(provider.to_owned())
                .bind(new.clone())
                .run(tx)
                .await?;
        }
        bump(tx, provider, generation).await?;
        tx.event(Event::new("placement", "resource_provider.traits", provider, "", ctx)).await?;
        Ok::<_, Error>(generation + 1)
    })
}
