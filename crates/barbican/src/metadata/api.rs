//! `/v1/secrets/{id}/metadata`

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use base::{Ctx, Error, Policy};
use db::AnyConnection;
use serde_json::{Value, json};
use web::schema::Schema;
use web::{Caller, Origin, Path, Result, Routes, State, no_content};

use super::store;
use crate::access::{Need, Thing, check, policy};
use crate::body::{self, Body};
use crate::secrets::api::located;
use crate::{Barbican, refs};

const GET: Policy = policy("secret_meta:get");
const POST: Policy = policy("secret_meta:post");
const PUT: Policy = policy("secret_meta:put");
const DELETE: Policy = policy("secret_meta:delete");

pub fn routes(routes: Routes<Arc<Barbican>>) -> Routes<Arc<Barbican>> {
    routes
        .get("/v1/secrets/{id}/metadata", &GET, list)
        .put("/v1/secrets/{id}/metadata", &PUT, replace)
        .post("/v1/secrets/{id}/metadata", &POST, add)
        .get("/v1/secrets/{id}/metadata/{name}", &GET, show)
        .put("/v1/secrets/{id}/metadata/{name}", &PUT, update)
        .delete("/v1/secrets/{id}/metadata/{name}", &DELETE, remove)
}

static ALL: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(&json!({
        "type": "object",
        "properties": {"metadata": {"type": "object"}},
        "required": ["metadata"],
    }))
});

static ONE: LazyLock<Schema> = LazyLock::new(|| {
    let text = json!({"type": "string", "maxLength": 255});
    Schema::new(&json!({
        "type": "object",
        "properties": {"key": text, "value": text},
        "required": ["key", "value"],
        "additionalProperties": false,
    }))
});

/// Names are part of URLs.
fn name(text: &str) -> Result<String, Error> {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(Error::bad_request("Invalid Key. Key must be URL safe."))
}

fn all(wanted: &Value) -> Result<BTreeMap<String, String>, Error> {
    body::check(&ALL, "SecretMetadata", wanted)?;
    let pairs = wanted["metadata"].as_object().into_iter().flatten();
    let pair = |(key, value): (&String, &Value)| match value.as_str() {
        Some(value) => Ok((name(key)?, value.to_owned())),
        None => Err(Error::bad_request("Invalid Metadata. Keys and Values must be Strings.")),
    };
    pairs.map(pair).collect()
}

fn one(wanted: &Value) -> Result<(String, String), Error> {
    body::check(&ONE, "SecretMetadatum", wanted)?;
    let text = |key: &str| wanted[key].as_str().unwrap_or_default();
    Ok((name(text("key"))?, text("value").to_owned()))
}

/// The project of a secret whose metadata the caller may use in this way.
async fn project(
    conn: &mut AnyConnection,
    ctx: &Ctx,
    id: &str,
    need: Need,
    what: &str,
) -> Result<String, Error> {
    let owned = Thing::Secret.owned(conn, id).await?;
    check(ctx, &owned, need, what)?;
    Ok(owned.project_id)
}

async fn list(State(app): State<Arc<Barbican>>, Caller(ctx): Caller, Path(id): Path<String>) -> Result {
    let mut conn = app.db.read().await?;
    project(&mut conn, &ctx, &id, Need::Read, "Secret metadata retrieval").await?;
    let metadata = store::all(&mut conn, &id).await?;
    Ok(web::json(200, &json!({"metadata": metadata})))
}

async fn replace(
    State(app): State<Arc<Barbican>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    origin: Origin,
    body: Body,
) -> Result {
    let what = "Secret metadata creation";
    project(&mut *app.db.read().await?, &ctx, &id, Need::Change, what).await?;
    let metadata = all(&body.object()?)?;
    let written: Result<(), Error> = db::write!(app.db, |tx| {
        let project = project(tx, &ctx, &id, Need::Change, what).await?;
        store::replace(tx, &ctx, (&project, &id), &metadata).await
    });
    written?;
    let url = format!("{}/metadata", refs::secret(&origin, &id));
    Ok(web::json(201, &json!({"metadata_ref": url})))
}

async fn add(
    State(app): State<Arc<Barbican>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    origin: Origin,
    body: Body,
) -> Result {
    let what = "Secret metadatum creation";
    project(&mut *app.db.read().await?, &ctx, &id, Need::Change, what).await?;
    let (name, value) = one(&body.object()?)?;
    let written: Result<(), Error> = db::write!(app.db, |tx| {
        let project = project(tx, &ctx, &id, Need::Change, what).await?;
        store::add(tx, &ctx, (&project, &id), (&name, &value)).await
    });
    written?;
    let url = format!("{}/metadata/{name}", refs::secret(&origin, &id));
    Ok(located(web::json(201, &json!({"key": name, "value": value})), &url))
}

async fn show(
    State(app): State<Arc<Barbican>>,
    Caller(ctx): Caller,
    Path((id, name)): Path<(String, String)>,
) -> Result {
    let mut conn = app.db.read().await?;
    project(&mut conn, &ctx, &id, Need::Read, "Secret metadatum retrieval").await?;
    let metadata = store::all(&mut conn, &id).await?;
    let value = metadata.get(&name).ok_or_else(store::not_found)?;
    Ok(web::json(200, &json!({"key": name, "value": value})))
}

async fn update(
    State(app): State<Arc<Barbican>>,
    Caller(ctx): Caller,
    Path((id, asked)): Path<(String, String)>,
    body: Body,
) -> Result {
    let what = "Secret metadatum update";
    project(&mut *app.db.read().await?, &ctx, &id, Need::Change, what).await?;
    let (name, value) = one(&body.object()?)?;
    if !store::all(&mut *app.db.read().await?, &id).await?.contains_key(&asked) {
        return Err(store::not_found().into());
    }
    if name != asked {
        return Err(Error::conflict("Key in request data does not match key in the request url.").into());
    }
    let written: Result<(), Error> = db::write!(app.db, |tx| {
        let project = project(tx, &ctx, &id, Need::Change, what).await?;
        store::update(tx, &ctx, (&project, &id), (&name, &value)).await
    });
    written?;
    Ok(web::json(200, &json!({"key": name, "value": value})))
}

async fn remove(
    State(app): State<Arc<Barbican>>,
    Caller(ctx): Caller,
    Path((id, name)): Path<(String, String)>,
) -> Result {
    let what = "Secret metadatum removal";
    project(&mut *app.db.read().await?, &ctx, &id, Need::Change, what).await?;
    let written: Result<(), Error> = db::write!(app.db, |tx| {
        let project = project(tx, &ctx, &id, Need::Change, what).await?;
        store::remove(tx, &ctx, (&project, &id), &name).await
    });
    written?;
    Ok(no_content(204))
}
