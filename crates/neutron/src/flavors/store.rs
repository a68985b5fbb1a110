use base::{Ctx, Result};
use db::{AnyConnection, Event, Tx, sql};

use super::profiles::Profile;
use super::{Flavor, SPEC, profiles, rules};
use crate::rows;

/// (flavor, profile): there are few.
pub async fn bindings(conn: &mut AnyConnection) -> Result<Vec<(String, String)>> {
    Ok(sql("SELECT b.flavor_id, b.service_profile_id FROM flavor_profile b \
         JOIN service_profile p ON p.id = b.service_profile_id ORDER BY p.created_at, p.id")
    .rows(conn)
    .await?)
}

pub async fn is_bound(conn: &mut AnyConnection, flavor_id: &str, profile_id: &str) -> Result<bool> {
    Ok(sql("SELECT flavor_id FROM flavor_profile WHERE flavor_id = $1 AND service_profile_id = $2")
        .bind(flavor_id)
        .bind(profile_id)
        .exists(conn)
        .await?)
}

pub async fn bind(tx: &mut Tx, flavor_id: &str, profile_id: &str) -> Result<()> {
    if rows::find::<Profile>(tx, profiles::SPEC.table, profile_id).await?.is_none() {
        return Err(rules::profile_not_found(profile_id));
    }
    if is_bound(tx, flavor_id, profile_id).await? {
        return Err(rules::bound(profile_id, flavor_id));
    }
    sql("INSERT INTO flavor_profile (flavor_id, service_profile_id) VALUES ($1, $2)")
        .bind(flavor_id)
        .bind(profile_id)
        .run(tx)
        .await?;
    Ok(())
}

pub async fn unbind(tx: &mut Tx, flavor_id: &str, profile_id: &str) -> Result<()> {
    let gone = sql("DELETE FROM flavor_profile WHERE flavor_id = $1 AND service_profile_id = $2")
        .bind(flavor_id)
        .bind(profile_id)
        .run(tx)
        .await?;
    if gone == 0 { Err(rules::not_bound(profile_id, flavor_id)) } else { Ok(()) }
}

pub async fn create(tx: &mut Tx, ctx: &Ctx, flavor: &Flavor, profiles: &[String]) -> Result<()> {
    rows::insert(tx, SPEC.table, &flavor.id, flavor.columns()).await?;
    for profile in profiles {
        bind(tx, &flavor.id, profile).await?;
    }
    Ok(tx.event(Event::new("network", "flavor.create", &flavor.id, "", ctx)).await?)
}

pub async fn update(tx: &mut Tx, ctx: &Ctx, flavor: &Flavor) -> Result<()> {
    sql("UPDATE network_flavor SET name = $1, description = $2, enabled = $3 WHERE id = $4")
        .bind(&flavor.name)
        .bind(&flavor.description)
        .bind(i64::from(flavor.enabled))
        .bind(&flavor.id)
        .run(tx)
        .await?;
    Ok(tx.event(Event::new("network", "flavor.update", &flavor.id, "", ctx)).await?)
}

pub async fn delete(tx: &mut Tx, ctx: &Ctx, flavor: &Flavor) -> Result<()> {
    if sql("SELECT id FROM router WHERE flavor_id = $1 LIMIT 1").bind(&flavor.id).exists(tx).await? {
        return Err(rules::in_use(&flavor.id));
    }
    rows::delete(tx, SPEC.table, &flavor.id).await?;
    Ok(tx.event(Event::new("network", "flavor.delete", &flavor.id, "", ctx)).await?)
}

/// A flavor that new routers may have.
pub async fn for_router(conn: &mut AnyConnection, id: &str) -> Result<()> {
    let flavor: Option<Flavor> = rows::find(conn, SPEC.table, id).await?;
    let flavor = flavor.filter(|flavor| flavor.service_type == super::ROUTERS);
    let flavor = flavor.ok_or_else(|| rules::not_found(id))?;
    rules::check_usable(&flavor, first_profile(conn, id).await?.as_ref())
}

pub async fn first_profile(conn: &mut AnyConnection, flavor_id: &str) -> Result<Option<Profile>> {
    Ok(sql("SELECT p.* FROM service_profile p JOIN flavor_profile b ON b.service_profile_id = p.id \
         WHERE b.flavor_id = $1 ORDER BY p.created_at, p.id LIMIT 1")
    .bind(flavor_id)
    .optional(conn)
    .await?)
}

pub async fn create_profile(tx: &mut Tx, ctx: &Ctx, profile: &Profile) -> Result<()> {
    rows::insert(tx, profiles::SPEC.table, &profile.id, profile.columns()).await?;
    Ok(tx.event(Event::new("network", "service_profile.create", &profile.id, "", ctx)).await?)
}

/// What a flavor has stays as it is.
async fn check_unused(tx: &mut Tx, id: &str) -> Result<()> {
    let used = sql("SELECT flavor_id FROM flavor_profile WHERE service_profile_id = $1 LIMIT 1");
    if used.bind(id).exists(tx).await? { Err(rules::profile_in_use(id)) } else { Ok(()) }
}

pub async fn update_profile(tx: &mut Tx, ctx: &Ctx, profile: &Profile) -> Result<()> {
    check_unused(tx, &profile.id).await?;
    sql(
        "UPDATE service_profile SET description = $1, driver = $2, metainfo = $3, enabled = $4 WHERE id = $5",
    )
    .bind(&profile.description)
    .bind(&profile.driver)
    .bind(&profile.metainfo)
    .bind(i64::from(profile.enabled))
    .bind(&profile.id)
    .run(tx)
    .await?;
    Ok(tx.event(Event::new("network", "service_profile.update", &profile.id, "", ctx)).await?)
}

pub async fn delete_profile(tx: &mut Tx, ctx: &Ctx, profile: &Profile) -> Result<()> {
    check_unused(tx, &profile.id).await?;
    rows::delete(tx, profiles::SPEC.table, &profile.id).await?;
    Ok(tx.event(Event::new("network", "service_profile.delete", &profile.id, "", ctx)).await?)
}
