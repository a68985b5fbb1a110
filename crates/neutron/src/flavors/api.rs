use std::sync::Arc;

use base::{Policy, Result, Rule};
use serde_json::{Value, json};
use web::{Caller, Json, Path, Routes, State};

use super::profiles::{self, Profile, view};
use super::{DRIVER, Flavor, PROVIDER, SPEC, rules, store};
use crate::request::{View, list, one_view, show, visible};
use crate::{Neutron, fault};

const GET: Policy = Policy::new("get_flavor", Rule::Reader);
const CREATE: Policy = Policy::new("create_flavor", Rule::Admin);
const UPDATE: Policy = Policy::new("update_flavor", Rule::Admin);
const DELETE: Policy = Policy::new("delete_flavor", Rule::Admin);
const GET_PROFILE: Policy = Policy::new("get_service_profile", Rule::Admin);
const CREATE_PROFILE: Policy = Policy::new("create_service_profile", Rule::Admin);
const UPDATE_PROFILE: Policy = Policy::new("update_service_profile", Rule::Admin);
const DELETE_PROFILE: Policy = Policy::new("delete_service_profile", Rule::Admin);
const BIND: Policy = Policy::new("create_flavor_service_profile", Rule::Admin);
const UNBIND: Policy = Policy::new("delete_flavor_service_profile", Rule::Admin);

type App = State<Arc<Neutron>>;

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/v2.0/flavors", &GET, list::<Flavor>)
        .post("/v2.0/flavors", &CREATE, create)
        .get("/v2.0/flavors/{id}", &GET, show::<Flavor>)
        .put("/v2.0/flavors/{id}", &UPDATE, update)
        .delete("/v2.0/flavors/{id}", &DELETE, delete)
        .get("/v2.0/flavors/{id}/next_providers", &GET, next_providers)
        .post("/v2.0/flavors/{id}/service_profiles", &BIND, bind)
        .delete("/v2.0/flavors/{id}/service_profiles/{profile}", &UNBIND, unbind)
        .get("/v2.0/service_profiles", &GET_PROFILE, list::<Profile>)
        .post("/v2.0/service_profiles", &CREATE_PROFILE, create_profile)
        .get("/v2.0/service_profiles/{id}", &GET_PROFILE, show::<Profile>)
        .put("/v2.0/service_profiles/{id}", &UPDATE_PROFILE, update_profile)
        .delete("/v2.0/service_profiles/{id}", &DELETE_PROFILE, delete_profile)
}

async fn create(State(app): App, Caller(ctx): Caller, Json(body): Json<Value>) -> web::Result {
    let input = SPEC.create_one(&ctx, &body)?;
    let flavor = rules::flavor(&input)?;
    let profiles: Vec<String> = input.parsed("service_profiles")?.unwrap_or_default();
    let made: Result<View> = db::write!(app.db, |tx| {
        store::create(tx, &ctx, &flavor, &profiles).await?;
        one_view(&app, tx, &ctx, flavor.clone()).await
    });
    Ok(web::json(201, &json!({"flavor": made?})))
}

async fn update(
    State(app): App,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let input = SPEC.update(&ctx, &body)?;
    let updated: Result<View> = db::write!(app.db, |tx| {
        let mut flavor: Flavor = visible(tx, &ctx, &id).await?;
        rules::apply(&mut flavor, &input);
        store::update(tx, &ctx, &flavor).await?;
        one_view(&app, tx, &ctx, flavor).await
    });
    Ok(web::json(200, &json!({"flavor": updated?})))
}

async fn delete(State(app): App, Caller(ctx): Caller, Path(id): Path<String>) -> web::Result {
    let deleted: Result<()> = db::write!(app.db, |tx| {
        let flavor: Flavor = visible(tx, &ctx, &id).await?;
        store::delete(tx, &ctx, &flavor).await
    });
    deleted?;
    Ok(web::no_content(204))
}

/// Who would make the next thing of this flavor.
async fn next_providers(State(app): App, Caller(ctx): Caller, Path(id): Path<String>) -> web::Result {
    let mut conn = app.db.read().await?;
    let flavor: Flavor = visible(&mut conn, &ctx, &id).await?;
    rules::check_usable(&flavor, store::first_profile(&mut conn, &id).await?.as_ref())?;
    Ok(web::json(200, &json!({"next_providers": [{"driver": DRIVER, "provider": PROVIDER}]})))
}

async fn bind(
    State(app): App,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let profile = body.pointer("/service_profile/id").and_then(Value::as_str);
    let profile = profile.ok_or_else(|| {
        fault::http_bad_request("Failed to parse request. Required attribute 'id' not specified")
    })?;
    let bound: Result<View> = db::write!(app.db, |tx| {
        let flavor: Flavor = visible(tx, &ctx, &id).await?;
        store::bind(tx, &id, profile).await?;
        one_view(&app, tx, &ctx, flavor).await
    });
    Ok(web::json(201, &json!({"service_profile": bound?})))
}

async fn unbind(
    State(app): App,
    Caller(ctx): Caller,
    Path((id, profile)): Path<(String, String)>,
) -> web::Result {
    let done: Result<()> = db::write!(app.db, |tx| {
        visible::<Flavor>(tx, &ctx, &id).await?;
        store::unbind(tx, &id, &profile).await
    });
    done?;
    Ok(web::no_content(204))
}

async fn create_profile(State(app): App, Caller(ctx): Caller, Json(body): Json<Value>) -> web::Result {
    let profile = rules::profile(&profiles::SPEC.create_one(&ctx, &body)?)?;
    let made: Result<()> = db::write!(app.db, |tx| store::create_profile(tx, &ctx, &profile).await);
    made?;
    Ok(web::json(201, &json!({"service_profile": view(&profile)})))
}

async fn update_profile(
    State(app): App,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let input = profiles::SPEC.update(&ctx, &body)?;
    let updated: Result<Profile> = db::write!(app.db, |tx| {
        let mut profile: Profile = visible(tx, &ctx, &id).await?;
        rules::apply_profile(&mut profile, &input)?;
        store::update_profile(tx, &ctx, &profile).await?;
        Ok(profile)
    });
    Ok(web::json(200, &json!({"service_profile": view(&updated?)})))
}

async fn delete_profile(State(app): App, Caller(ctx): Caller, Path(id): Path<String>) -> web::Result {
    let deleted: Result<()> = db::write!(app.db, |tx| {
        let profile: Profile = visible(tx, &ctx, &id).await?;
        store::delete_profile(tx, &ctx, &profile).await
    });
    deleted?;
    Ok(web::no_content(204))
}
