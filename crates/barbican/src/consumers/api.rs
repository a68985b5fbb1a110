//! `/v1/secrets/{id}/consumers`, `/v1/containers/{id}/consumers`

use std::sync::{Arc, LazyLock};

use base::{Ctx, Error, Policy};
use serde_json::{Value, json};
use web::schema::Schema;
use web::{Caller, Origin, Params, Path, Result, Routes, State};

use super::{Consumer, store};
use crate::access::{Need, Owned, check, policy};
use crate::body::{self, Body};
use crate::refs::Slice;
use crate::{Barbican, containers, secrets};

const GET: Policy = policy("consumer:get");
const SECRET_LIST: Policy = policy("secret_consumers:get");
const SECRET_ADD: Policy = policy("secret_consumers:post");
const SECRET_REMOVE: Policy = policy("secret_consumers:delete");
const CONTAINER_LIST: Policy = policy("container_consumers:get");
const CONTAINER_ADD: Policy = policy("container_consumers:post");
const CONTAINER_REMOVE: Policy = policy("container_consumers:delete");

pub fn routes(routes: Routes<Arc<Barbican>>) -> Routes<Arc<Barbican>> {
    routes
        .get("/v1/secrets/{id}/consumers", &SECRET_LIST, secret_list)
        .post("/v1/secrets/{id}/consumers", &SECRET_ADD, secret_add)
        .delete("/v1/secrets/{id}/consumers", &SECRET_REMOVE, secret_remove)
        .get("/v1/secrets/{id}/consumers/{consumer_id}", &GET, secret_show)
        .get("/v1/containers/{id}/consumers", &CONTAINER_LIST, container_list)
        .post("/v1/containers/{id}/consumers", &CONTAINER_ADD, container_add)
        .delete("/v1/containers/{id}/consumers", &CONTAINER_REMOVE, container_remove)
        .get("/v1/containers/{id}/consumers/{consumer_id}", &GET, container_show)
}

static OF_SECRET: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(&json!({
        "type": "object",
        "properties": {
            "service": {"type": "string", "minLength": 1, "maxLength": 255},
            "resource_type": {"type": "string", "minLength": 1, "maxLength": 255},
            "resource_id": {"type": "string", "minLength": 1},
        },
        "required": ["service", "resource_type", "resource_id"],
    }))
});

static OF_CONTAINER: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(&json!({
        "type": "object",
        "properties": {
            "URL": {"type": "string", "minLength": 1, "maxLength": 255},
            "name": {"type": "string", "minLength": 1, "maxLength": 36},
        },
        "required": ["name", "URL"],
    }))
});

fn who(wanted: &Value, schema: &Schema, name: &str, keys: [&str; 3]) -> Result<[String; 3], Error> {
    body::check(schema, name, wanted)?;
    Ok(keys.map(|key| wanted[key].as_str().unwrap_or_default().to_owned()))
}

fn who_of_secret(wanted: &Value) -> Result<[String; 3], Error> {
    who(wanted, &OF_SECRET, "Secret Consumer", ["service", "resource_type", "resource_id"])
}

/// There is no third.
fn who_of_container(wanted: &Value) -> Result<[String; 3], Error> {
    let mut who = who(wanted, &OF_CONTAINER, "Consumer", ["name", "URL", "name"])?;
    who[2].clear();
    Ok(who)
}

async fn secret(app: &Barbican, ctx: &Ctx, id: &str, what: &str) -> Result<Owned, Error> {
    let owned = secrets::store::get(&mut *app.db.read().await?, id).await?.owned;
    check(ctx, &owned, Need::Read, what)?;
    Ok(owned)
}

async fn container(app: &Barbican, ctx: &Ctx, id: &str, what: &str) -> Result<Owned, Error> {
    let owned = containers::store::get(&mut *app.db.read().await?, id).await?.owned;
    check(ctx, &owned, Need::Read, what)?;
    Ok(owned)
}

async fn add(app: &Barbican, ctx: &Ctx, id: &str, who: &[String; 3], what: &str) -> Result<(), Error> {
    db::write!(app.db, |tx| store::add(tx, ctx, id, who, what).await)
}

async fn remove(app: &Barbican, ctx: &Ctx, id: &str, owned: &Owned, who: &[String; 3]) -> Result<(), Error> {
    db::write!(app.db, |tx| store::remove(tx, ctx, id, &owned.project_id, who).await)
}

async fn list(
    app: &Barbican,
    id: &str,
    path: &str,
    origin: &Origin,
    params: &Params,
    brief: fn(&Consumer) -> Value,
) -> Result {
    let slice = Slice::of(params);
    let (page, total) = store::page(&mut *app.db.read().await?, id, slice).await?;
    let items = page.iter().map(|consumer| consumer.whole(brief(consumer))).collect();
    Ok(web::json(200, &slice.page(origin, params, path, "consumers", items, total)))
}

async fn show(app: &Barbican, of: &str, id: &str, brief: fn(&Consumer) -> Value) -> Result {
    if !base::id::is_uuid(id) {
        return Err(Error::not_found("Not Found. Provided consumer id is invalid.").into());
    }
    let consumer = store::find(&mut *app.db.read().await?, of, id).await?;
    Ok(web::json(200, &consumer.whole(brief(&consumer))))
}

async fn secret_view(app: &Barbican, ctx: &Ctx, origin: &Origin, id: &str) -> Result {
    let mut conn = app.db.read().await?;
    let secret = secrets::store::get(&mut conn, id).await?;
    let users = store::of_all(&mut conn, [id]).await?;
    Ok(web::json(200, &secrets::view::secret(ctx, origin, &secret, &users)))
}

async fn container_view(app: &Barbican, origin: &Origin, id: &str) -> Result {
    let mut conn = app.db.read().await?;
    let container = containers::store::get(&mut conn, id).await?;
    let users = store::of_all(&mut conn, [id]).await?;
    Ok(web::json(200, &containers::view::container(origin, &container, &users)))
}

type App = State<Arc<Barbican>>;

async fn secret_list(
    State(app): App,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    origin: Origin,
    params: Params,
) -> Result {
    secret(&app, &ctx, &id, "SecretConsumers(s) retrieval").await?;
    list(&app, &id, &format!("secrets/{id}/consumers"), &origin, &params, Consumer::of_secret).await
}

async fn secret_show(State(app): App, Caller(ctx): Caller, Path((of, id)): Path<(String, String)>) -> Result {
    secret(&app, &ctx, &of, "SecretConsumer retrieval").await?;
    show(&app, &of, &id, Consumer::of_secret).await
}

async fn secret_add(
    State(app): App,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    origin: Origin,
    body: Body,
) -> Result {
    let what = "SecretConsumer creation";
    secret(&app, &ctx, &id, what).await?;
    add(&app, &ctx, &id, &who_of_secret(&body.object()?)?, what).await?;
    secret_view(&app, &ctx, &origin, &id).await
}

async fn secret_remove(
    State(app): App,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    origin: Origin,
    body: Body,
) -> Result {
    let owned = secret(&app, &ctx, &id, "SecretConsumer deletion").await?;
    remove(&app, &ctx, &id, &owned, &who_of_secret(&body.any_object()?)?).await?;
    secret_view(&app, &ctx, &origin, &id).await
}

async fn container_list(
    State(app): App,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    origin: Origin,
    params: Params,
) -> Result {
    container(&app, &ctx, &id, "ContainerConsumers(s) retrieval").await?;
    list(&app, &id, &format!("containers/{id}/consumers"), &origin, &params, Consumer::of_container).await
}

async fn container_show(
    State(app): App,
    Caller(ctx): Caller,
    Path((of, id)): Path<(String, String)>,
) -> Result {
    container(&app, &ctx, &of, "ContainerConsumer retrieval").await?;
    show(&app, &of, &id, Consumer::of_container).await
}

async fn container_add(
    State(app): App,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    origin: Origin,
    body: Body,
) -> Result {
    let what = "ContainerConsumer creation";
    container(&app, &ctx, &id, what).await?;
    add(&app, &ctx, &id, &who_of_container(&body.object()?)?, what).await?;
    container_view(&app, &origin, &id).await
}

async fn container_remove(
    State(app): App,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    origin: Origin,
    body: Body,
) -> Result {
    let owned = container(&app, &ctx, &id, "ContainerConsumer deletion").await?;
    remove(&app, &ctx, &id, &owned, &who_of_container(&body.any_object()?)?).await?;
    container_view(&app, &origin, &id).await
}
