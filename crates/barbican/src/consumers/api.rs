//! `/v1/secrets/{id}/consumers`, `/v1/containers/{id}/consumers`

use std::sync::{Arc, LazyLock};

use base::{Ctx, Error, Policy};
use db::AnyConnection;
use serde_json::{Value, json};
use web::schema::Schema;
use web::{Caller, Origin, Params, Path, Result, Routes, State};

use super::{Consumer, store};
use crate::access::{Need, Owned, Thing, check, policy};
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
    const SECRET: [&str; 2] = ["/v1/secrets/{id}/consumers", "/v1/secrets/{id}/consumers/{consumer_id}"];
    const CONTAINER: [&str; 2] =
        ["/v1/containers/{id}/consumers", "/v1/containers/{id}/consumers/{consumer_id}"];
    let routes = of(routes, Thing::Secret, SECRET, [&SECRET_LIST, &SECRET_ADD, &SECRET_REMOVE]);
    of(routes, Thing::Container, CONTAINER, [&CONTAINER_LIST, &CONTAINER_ADD, &CONTAINER_REMOVE])
}

fn of(
    routes: Routes<Arc<Barbican>>,
    thing: Thing,
    [all, one]: [&'static str; 2],
    [get, post, delete]: [&'static Policy; 3],
) -> Routes<Arc<Barbican>> {
    routes
        .get(all, get, move |app, caller, id, origin, params| list(app, caller, thing, id, origin, params))
        .post(all, post, move |app, caller, id, origin, body| add(app, caller, thing, id, origin, body))
        .delete(all, delete, move |app, caller, id, origin, body| {
            remove(app, caller, thing, id, origin, body)
        })
        .get(one, &GET, move |app, caller, ids| show(app, caller, thing, ids))
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

/// Those of a container have no third key.
fn who(thing: Thing, wanted: &Value) -> Result<[String; 3], Error> {
    let (schema, word, keys) = match thing {
        Thing::Secret => (&OF_SECRET, "Secret Consumer", &["service", "resource_type", "resource_id"][..]),
        Thing::Container => (&OF_CONTAINER, "Consumer", &["name", "URL"][..]),
    };
    body::check(schema, word, wanted)?;
    let text = |at: usize| keys.get(at).and_then(|key| wanted[*key].as_str()).unwrap_or_default().to_owned();
    Ok([text(0), text(1), text(2)])
}

fn name(thing: Thing, what: &str) -> String {
    match thing {
        Thing::Secret => format!("SecretConsumer{what}"),
        Thing::Container => format!("ContainerConsumer{what}"),
    }
}

fn brief(thing: Thing, consumer: &Consumer) -> Value {
    match thing {
        Thing::Secret => consumer.of_secret(),
        Thing::Container => consumer.of_container(),
    }
}

async fn allowed(
    conn: &mut AnyConnection,
    ctx: &Ctx,
    thing: Thing,
    id: &str,
    what: &str,
) -> Result<Owned, Error> {
    let owned = thing.owned(conn, id).await?;
    check(ctx, &owned, Need::Read, what)?;
    Ok(owned)
}

/// What is used, with its consumers.
async fn used(app: &Barbican, ctx: &Ctx, thing: Thing, id: &str, origin: &Origin) -> Result {
    let mut conn = app.db.read().await?;
    let users = store::of_all(&mut conn, [id]).await?;
    let view = match thing {
        Thing::Secret => {
            secrets::view::secret(ctx, origin, &secrets::store::get(&mut conn, id).await?, &users)
        }
        Thing::Container => {
            containers::view::container(origin, &containers::store::get(&mut conn, id).await?, &users)
        }
    };
    Ok(web::json(200, &view))
}

type App = State<Arc<Barbican>>;

async fn list(
    State(app): App,
    Caller(ctx): Caller,
    thing: Thing,
    Path(id): Path<String>,
    origin: Origin,
    params: Params,
) -> Result {
    let mut conn = app.db.read().await?;
    allowed(&mut conn, &ctx, thing, &id, &name(thing, "s(s) retrieval")).await?;
    let slice = Slice::of(&params);
    let (page, total) = store::page(&mut conn, &id, slice).await?;
    let items = page.iter().map(|consumer| consumer.whole(brief(thing, consumer))).collect();
    let path = format!("{}/{id}/consumers", thing.plural());
    Ok(web::json(200, &slice.page(&origin, &params, &path, "consumers", items, total)))
}

async fn show(
    State(app): App,
    Caller(ctx): Caller,
    thing: Thing,
    Path((of, id)): Path<(String, String)>,
) -> Result {
    let mut conn = app.db.read().await?;
    allowed(&mut conn, &ctx, thing, &of, &name(thing, " retrieval")).await?;
    if !base::id::is_uuid(&id) {
        return Err(Error::not_found("Not Found. Provided consumer id is invalid.").into());
    }
    let consumer = store::find(&mut conn, &of, &id).await?;
    Ok(web::json(200, &consumer.whole(brief(thing, &consumer))))
}

async fn add(
    State(app): App,
    Caller(ctx): Caller,
    thing: Thing,
    Path(id): Path<String>,
    origin: Origin,
    body: Body,
) -> Result {
    let what = name(thing, " creation");
    // Who may not is told so before what is wrong with the body.
    allowed(&mut *app.db.read().await?, &ctx, thing, &id, &what).await?;
    let who = who(thing, &body.object()?)?;
    let written: Result<(), Error> = db::write!(app.db, |tx| {
        allowed(tx, &ctx, thing, &id, &what).await?;
        store::add(tx, &ctx, &id, &who, &what).await
    });
    written?;
    used(&app, &ctx, thing, &id, &origin).await
}

async fn remove(
    State(app): App,
    Caller(ctx): Caller,
    thing: Thing,
    Path(id): Path<String>,
    origin: Origin,
    body: Body,
) -> Result {
    let what = name(thing, " deletion");
    allowed(&mut *app.db.read().await?, &ctx, thing, &id, &what).await?;
    let who = who(thing, &body.any_object()?)?;
    let written: Result<(), Error> = db::write!(app.db, |tx| {
        let owned = allowed(tx, &ctx, thing, &id, &what).await?;
        store::remove(tx, &ctx, &id, &owned.project_id, &who).await
    });
    written?;
    used(&app, &ctx, thing, &id, &origin).await
}
