//! `/v1/secrets/{id}/acl`, `/v1/containers/{id}/acl`

use std::sync::{Arc, LazyLock};

use base::{Ctx, Error, Policy};
use db::{AnyConnection, Event};
use serde_json::{Map, Value, json};
use web::schema::Schema;
use web::{Caller, Origin, Path, Result, Routes, State, no_content};

use super::{Acl, store};
use crate::Barbican;
use crate::access::{Need, Owned, Thing, check, policy};
use crate::body::{self, Body};

const SECRET_GET: Policy = policy("secret_acls:get");
const SECRET_PUT: Policy = policy("secret_acls:put_patch");
const SECRET_DELETE: Policy = policy("secret_acls:delete");
const CONTAINER_GET: Policy = policy("container_acls:get");
const CONTAINER_PUT: Policy = policy("container_acls:put_patch");
const CONTAINER_DELETE: Policy = policy("container_acls:delete");

pub fn routes(routes: Routes<Arc<Barbican>>) -> Routes<Arc<Barbican>> {
    let routes =
        of(routes, Thing::Secret, "/v1/secrets/{id}/acl", [&SECRET_GET, &SECRET_PUT, &SECRET_DELETE]);
    of(
        routes,
        Thing::Container,
        "/v1/containers/{id}/acl",
        [&CONTAINER_GET, &CONTAINER_PUT, &CONTAINER_DELETE],
    )
}

fn of(
    routes: Routes<Arc<Barbican>>,
    thing: Thing,
    path: &'static str,
    [get, put, remove]: [&'static Policy; 3],
) -> Routes<Arc<Barbican>> {
    routes
        .get(path, get, move |app, caller, id| show(app, caller, thing, id))
        .put(path, put, move |app, caller, id, origin, body| set(app, caller, thing, id, origin, body, true))
        .patch(path, put, move |app, caller, id, origin, body| {
            set(app, caller, thing, id, origin, body, false)
        })
        .delete(path, remove, move |app, caller, id| delete(app, caller, thing, id))
}

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let list = json!({
        "type": "object",
        "properties": {
            "users": {"type": "array", "items": {"type": "string", "maxLength": 255}},
            "project-access": {"type": "boolean"},
        },
        "additionalProperties": false,
    });
    Schema::new(&json!({
        "type": "object", "properties": {"read": list}, "additionalProperties": false,
    }))
});

fn name(thing: Thing) -> &'static str {
    match thing {
        Thing::Secret => "SecretACL(s)",
        Thing::Container => "ContainerACL(s)",
    }
}

/// Reading a private thing's list is for those who may change it: the list says nothing of itself.
async fn allowed(
    conn: &mut AnyConnection,
    ctx: &Ctx,
    thing: Thing,
    id: &str,
    verb: &str,
) -> Result<Owned, Error> {
    let owned = thing.owned(conn, id).await?;
    check(ctx, &owned, Need::Change, &format!("{} {verb}", name(thing)))?;
    Ok(owned)
}

type App = State<Arc<Barbican>>;

async fn show(State(app): App, Caller(ctx): Caller, thing: Thing, Path(id): Path<String>) -> Result {
    let owned = allowed(&mut *app.db.read().await?, &ctx, thing, &id, "retrieval").await?;
    let read = match owned.acl {
        None => json!({"project-access": true}),
        Some(acl) => json!({
            "project-access": acl.project_access, "users": acl.users,
            "created": base::time::micros_naive(acl.created_at),
            "updated": base::time::micros_naive(acl.updated_at),
        }),
    };
    Ok(web::json(200, &json!({"read": read})))
}

/// `whole`: what is not said is as by default, not as it was.
async fn set(
    State(app): App,
    Caller(ctx): Caller,
    thing: Thing,
    Path(id): Path<String>,
    origin: Origin,
    body: Body,
    whole: bool,
) -> Result {
    // Who may not is told so before what is wrong with the body.
    allowed(&mut *app.db.read().await?, &ctx, thing, &id, "Update").await?;
    let wanted = body.object()?;
    body::check(&SCHEMA, "ACL", &wanted)?;
    let said = wanted["read"].as_object().filter(|read| !read.is_empty());
    let written: Result<(), Error> = db::write!(app.db, |tx| {
        let owned = allowed(tx, &ctx, thing, &id, "Update").await?;
        match (said, whole) {
            (Some(said), _) => {
                let acl = wished(said, owned.acl.as_ref(), whole);
                store::put(tx, &ctx, &id, &owned.project_id, &acl).await
            }
            (None, true) => store::remove(tx, &id).await.map(drop),
            (None, false) => Ok(()),
        }
    });
    written?;
    Ok(web::json(200, &json!({"acl_ref": format!("{}/acl", thing.href(&origin, &id))})))
}

fn wished(said: &Map<String, Value>, before: Option<&Acl>, whole: bool) -> Acl {
    let now = base::time::now();
    let kept = before.filter(|_| !whole);
    let access = said.get("project-access").and_then(Value::as_bool);
    Acl {
        project_access: access.unwrap_or_else(|| kept.is_none_or(|acl| acl.project_access)),
        users: match said.get("users").and_then(Value::as_array) {
            Some(users) => users.iter().filter_map(Value::as_str).map(Into::into).collect(),
            None => kept.map(|acl| acl.users.clone()).unwrap_or_default(),
        },
        created_at: before.map_or(now, |acl| acl.created_at),
        updated_at: now,
    }
}

async fn delete(State(app): App, Caller(ctx): Caller, thing: Thing, Path(id): Path<String>) -> Result {
    let written: Result<(), Error> = db::write!(app.db, |tx| {
        let owned = allowed(tx, &ctx, thing, &id, "deletion").await?;
        if store::remove(tx, &id).await? {
            tx.event(Event::new("key-manager", "acl.delete", &id, &owned.project_id, &ctx)).await?;
        }
        Ok(())
    });
    written?;
    Ok(no_content(200))
}
