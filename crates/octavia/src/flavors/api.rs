use std::sync::Arc;

use base::{Ctx, Result};
use db::Event;
use serde_json::{Value, json};
use web::{Caller, Json, Origin, Params, Path, Routes, State};

use super::{Offer, Offered, rules, store};
use crate::request::listing::{Item, only, page};
use crate::request::{Look, created, member, updated};
use crate::{Octavia, policy};

/// One set of routes for each kind.
macro_rules! offers {
    ($routes:expr, $(($offer:ident, $set:ident, $path:literal)),*) => {{
        let routes = $routes;
        $(
            let routes = routes
                .get(
                    concat!("/v2/lbaas/", $path),
                    &policy::$set.list,
                    async |State(app): State<Arc<Octavia>>, Origin(origin): Origin, params: Params| {
                        list(&app, Offer::$offer, &params, &origin).await
                    },
                )
                .post(
                    concat!("/v2/lbaas/", $path),
                    &policy::$set.create,
                    async |State(app): State<Arc<Octavia>>, Caller(ctx): Caller, Json(body): Json<Value>| {
                        create(&app, &ctx, Offer::$offer, &body).await
                    },
                )
                .get(
                    concat!("/v2/lbaas/", $path, "/{id}"),
                    &policy::$set.show,
                    async |State(app): State<Arc<Octavia>>, Path(id): Path<String>, params: Params| {
                        show(&app, Offer::$offer, &id, &params).await
                    },
                )
                .put(
                    concat!("/v2/lbaas/", $path, "/{id}"),
                    &policy::$set.update,
                    async |State(app): State<Arc<Octavia>>,
                           Caller(ctx): Caller,
                           Path(id): Path<String>,
                           Json(body): Json<Value>| {
                        update(&app, &ctx, Offer::$offer, &id, &body).await
                    },
                )
                .delete(
                    concat!("/v2/lbaas/", $path, "/{id}"),
                    &policy::$set.delete,
                    async |State(app): State<Arc<Octavia>>, Caller(ctx): Caller, Path(id): Path<String>| {
                        delete(&app, &ctx, Offer::$offer, &id).await
                    },
                );
        )*
        routes
    }};
}

pub fn routes(routes: Routes<Arc<Octavia>>) -> Routes<Arc<Octavia>> {
    offers!(
        routes,
        (Flavor, FLAVOR, "flavors"),
        (FlavorProfile, FLAVOR_PROFILE, "flavorprofiles"),
        (Zone, ZONE, "availabilityzones"),
        (ZoneProfile, ZONE_PROFILE, "availabilityzoneprofiles")
    )
}

async fn list(app: &Octavia, offer: Offer, params: &Params, origin: &str) -> web::Result {
    let all = store::all(&mut *app.db.read().await?, offer).await?;
    let mut names: Vec<&str> = offer.attrs().iter().map(|attr| attr.name).collect();
    names.push("id");
    let items = all.iter().map(|offered| Item { view: offered.view(offer), hidden: Vec::new() }).collect();
    let body = page(offer.collection(), &names, items, params, origin)?;
    Ok(web::json(200, &body))
}

async fn show(app: &Octavia, offer: Offer, id: &str, params: &Params) -> web::Result {
    let offered = store::find(&mut *app.db.read().await?, offer, id).await?;
    let fields: Vec<&str> = params.all("fields").flat_map(|one| one.split(',')).collect();
    Ok(web::json(200, &json!({ offer.member(): only(offered.view(offer), &fields) })))
}

fn event<'a>(ctx: &'a Ctx, kind: &'static str, id: &'a str) -> Event<'a> {
    Event::new("load-balancer", kind, id, ctx.project().map_or("", |project| project.id.as_str()), ctx)
}

async fn create(app: &Octavia, ctx: &Ctx, offer: Offer, body: &Value) -> web::Result {
    let fields = created(offer.attrs(), member(body, offer.member())?)?;
    if offer.profile().is_none() {
        rules::check_profile(offer, &fields)?;
    }
    let profile_id = offer.profile().map_or("", |(_, name)| fields.text(name)).to_owned();
    let id = match offer {
        Offer::Zone => fields.text("name").to_owned(),
        _ => base::id::uuid(),
    };
    let offered = Offered { id, profile_id, fields };
    let made: Result<()> = db::write!(app.db, |tx| {
        if let Some((profile, _)) = offer.profile() {
            store::find(tx, profile, &offered.profile_id).await?;
        }
        store::insert(tx, offer, &offered).await?;
        Ok(tx.event(event(ctx, "offer.create", &offered.id)).await?)
    });
    made?;
    Ok(web::json(201, &json!({ offer.member(): offered.view(offer) })))
}

async fn update(app: &Octavia, ctx: &Ctx, offer: Offer, id: &str, body: &Value) -> web::Result {
    let given = updated(offer.attrs(), member(body, offer.member())?)?;
    let done: Result<Offered> = db::write!(app.db, |tx| {
        let mut offered = store::find(tx, offer, id).await?;
        let is_profile = offer.profile().is_none();
        if is_profile && (given.contains_key(offer.data()) || given.contains_key("provider_name")) {
            store::check_unused(tx, offer, id).await?;
        }
        offered.fields.extend(given.clone());
        if is_profile {
            rules::check_profile(offer, &offered.fields)?;
        }
        store::update(tx, offer, &offered).await?;
        tx.event(event(ctx, "offer.update", id)).await?;
        Ok(offered)
    });
    Ok(web::json(200, &json!({ offer.member(): done?.view(offer) })))
}

async fn delete(app: &Octavia, ctx: &Ctx, offer: Offer, id: &str) -> web::Result {
    let done: Result<()> = db::write!(app.db, |tx| {
        store::find(tx, offer, id).await?;
        store::check_unused(tx, offer, id).await?;
        store::delete(tx, offer, id).await?;
        Ok(tx.event(event(ctx, "offer.delete", id)).await?)
    });
    done?;
    Ok(web::no_content(204))
}
