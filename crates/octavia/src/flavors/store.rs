use base::{Error, Result};
use db::{AnyConnection, Tx, sql};

use super::{Offer, Offered};
use crate::fault;
use crate::request::Look;

pub async fn find(conn: &mut AnyConnection, offer: Offer, id: &str) -> Result<Offered> {
    sql("SELECT * FROM balancer_offer WHERE id = $1 AND kind = $2")
        .bind(id)
        .bind(offer.member())
        .optional(conn)
        .await?
        .ok_or_else(|| fault::not_found(offer.title(), id))
}

pub async fn all(conn: &mut AnyConnection, offer: Offer) -> Result<Vec<Offered>> {
    Ok(sql("SELECT * FROM balancer_offer WHERE kind = $1 ORDER BY id")
        .bind(offer.member())
        .rows(conn)
        .await?)
}

/// Names of what is offered are taken once; those of profiles are nobody's business.
fn unique_name(offer: Offer, offered: &Offered) -> Option<String> {
    offer.profile().map(|_| offered.fields.text("name").to_owned())
}

fn taken(offer: Offer, offered: &Offered, error: db::Error) -> Error {
    if !db::is_unique(&error) {
        return error.into();
    }
    let what = if offer == Offer::Zone { "availability zone" } else { "flavor" };
    Error::conflict(format!("A {what} of {} already exists.", offered.fields.text("name")))
}

pub async fn insert(tx: &mut Tx, offer: Offer, offered: &Offered) -> Result<()> {
    sql("INSERT INTO balancer_offer (id, kind, profile_id, unique_name, created_at, body) \
         VALUES ($1, $2, $3, $4, $5, $6)")
    .bind(&offered.id)
    .bind(offer.member())
    .bind(&offered.profile_id)
    .bind(unique_name(offer, offered))
    .bind(base::time::now())
    .bind(db::json_text(&offered.fields)?)
    .run(tx)
    .await
    .map_err(|error| taken(offer, offered, error))?;
    Ok(())
}

pub async fn update(tx: &mut Tx, offer: Offer, offered: &Offered) -> Result<()> {
    sql("UPDATE balancer_offer SET unique_name = $1, body = $2 WHERE id = $3 AND kind = $4")
        .bind(unique_name(offer, offered))
        .bind(db::json_text(&offered.fields)?)
        .bind(&offered.id)
        .bind(offer.member())
        .run(tx)
        .await
        .map_err(|error| taken(offer, offered, error))?;
    Ok(())
}

/// 409 while something refers to it.
pub async fn check_unused(conn: &mut AnyConnection, offer: Offer, id: &str) -> Result<()> {
    let used = match offer {
        Offer::FlavorProfile | Offer::ZoneProfile => {
            sql("SELECT 1 FROM balancer_offer WHERE profile_id = $1").bind(id).exists(conn).await?
        }
        Offer::Flavor | Offer::Zone => {
            let field = if offer == Offer::Flavor { "flavor_id" } else { "availability_zone" };
            let bodies: Vec<String> =
                sql("SELECT body FROM balancer_node WHERE kind = 'loadbalancer'").rows(conn).await?;
            bodies.iter().any(|body| {
                let fields: crate::request::Fields = serde_json::from_str(body).unwrap_or_default();
                fields.text(field) == id
            })
        }
    };
    if !used {
        return Ok(());
    }
    Err(Error::conflict(format!("{} {id} is in use and cannot be modified.", offer.title())))
}

pub async fn delete(tx: &mut Tx, offer: Offer, id: &str) -> Result<()> {
    sql("DELETE FROM balancer_offer WHERE id = $1 AND kind = $2")
        .bind(id)
        .bind(offer.member())
        .run(tx)
        .await?;
    Ok(())
}

/// The flavor with its provider; None for none and for one that is not there.
pub async fn flavor_of(conn: &mut AnyConnection, id: &str) -> Result<Option<(Offered, String)>> {
    let flavor = match find(conn, Offer::Flavor, id).await {
        Ok(flavor) => flavor,
        Err(e) if e.is_not_found() => return Ok(None),
        Err(e) => return Err(e),
    };
    let profile = find(conn, Offer::FlavorProfile, &flavor.profile_id).await?;
    let provider = profile.fields.text("provider_name").to_owned();
    Ok(Some((flavor, provider)))
}

/// The zone with its profile; None for none and for one that is not there.
pub async fn zone_of(conn: &mut AnyConnection, name: &str) -> Result<Option<(Offered, Offered)>> {
    let zone = match find(conn, Offer::Zone, name).await {
        Ok(zone) => zone,
        Err(e) if e.is_not_found() => return Ok(None),
        Err(e) => return Err(e),
    };
    let profile = find(conn, Offer::ZoneProfile, &zone.profile_id).await?;
    Ok(Some((zone, profile)))
}
