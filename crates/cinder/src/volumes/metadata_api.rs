//! `/v3/volumes/{id}/metadata`.

use std::sync::Arc;

use base::{Error, Kind, Result as Checked};
use http::{HeaderMap, HeaderValue};
use md5::{Digest, Md5};
use serde_json::{Value, json};
use web::{Json, Path, Result, Routes, State};

use super::{Volume, load, rules, store};
use crate::asker::Asker;
use crate::form;
use crate::{Cinder, policy};

type Cinders = State<Arc<Cinder>>;

pub fn routes(routes: Routes<Arc<Cinder>>) -> Routes<Arc<Cinder>> {
    routes
        .get("/v3/volumes/{id}/metadata", &policy::META_GET, list)
        .post("/v3/volumes/{id}/metadata", &policy::META_CREATE, add)
        .put("/v3/volumes/{id}/metadata", &policy::META_UPDATE, replace)
        .get("/v3/volumes/{id}/metadata/{key}", &policy::META_GET, get)
        .put("/v3/volumes/{id}/metadata/{key}", &policy::META_UPDATE, set)
        .delete("/v3/volumes/{id}/metadata/{key}", &policy::META_DELETE, delete)
}

async fn edit(
    cinder: &Cinder,
    asker: &Asker,
    policy: &base::Policy,
    id: &str,
    change: impl Fn(&mut Volume) -> Checked<()> + Sync,
) -> Checked<Volume> {
    let volume = load(&mut *cinder.db.read().await?, &asker.ctx, id).await?;
    rules::may(&asker.ctx, policy, &volume)?;
    let verb = if policy.name == policy::META_DELETE.name { "Deleting" } else { "Updating" };
    store::edit(&cinder.db, &asker.ctx, "volume.update", id, |volume| {
        rules::may_change_metadata(volume, verb)?;
        change(volume)
    })
    .await
}

fn none(id: &str, key: &str) -> Error {
    Error::not_found(format!("Volume {id} has no metadata with key {key}."))
}

fn given(body: &Value) -> Checked<std::collections::BTreeMap<String, String>> {
    let form = form::Form::of(body, "metadata", &[])?;
    form::texts("metadata", &Value::Object(form.map().clone()), false)
}

fn etag(volume: &Volume) -> String {
    let text = json!({"metadata": volume.metadata}).to_string();
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn list(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    let volume = load(&mut *cinder.db.read().await?, &asker.ctx, &id).await?;
    let mut response = web::json(200, &json!({"metadata": volume.metadata}));
    if asker.ctx.at_least(3, 15)
        && let Ok(value) = HeaderValue::from_str(&etag(&volume))
    {
        response.headers_mut().insert(http::header::ETAG, value);
    }
    Ok(response)
}

/// 412 when the caller's picture of the metadata is old. Asked in the transaction that writes: of two who saw the same, one
/// is late.
fn check_etag(volume: &Volume, asker: &Asker, headers: &HeaderMap) -> Checked<()> {
    let Some(wanted) = headers.get(http::header::IF_MATCH).and_then(|v| v.to_str().ok()) else {
        return Ok(());
    };
    if !asker.ctx.at_least(3, 15) || wanted.trim() == "*" {
        return Ok(());
    }
    let is = etag(volume);
    if wanted.split(',').any(|tag| tag.trim().trim_matches('"') == is) {
        return Ok(());
    }
    Err(Error::new(Kind::PreconditionFailed, "The metadata has been changed meanwhile."))
}

async fn add(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let given = given(&body)?;
    let volume = edit(&cinder, &asker, &policy::META_CREATE, &id, |volume| {
        volume.metadata.extend(given.clone());
        Ok(())
    })
    .await?;
    Ok(web::json(200, &json!({"metadata": volume.metadata})))
}

async fn replace(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result {
    let given = given(&body)?;
    let volume = edit(&cinder, &asker, &policy::META_UPDATE, &id, |volume| {
        check_etag(volume, &asker, &headers)?;
        volume.metadata.clone_from(&given);
        Ok(())
    })
    .await?;
    Ok(web::json(200, &json!({"metadata": volume.metadata})))
}

async fn get(State(cinder): Cinders, asker: Asker, Path((id, key)): Path<(String, String)>) -> Result {
    let volume = load(&mut *cinder.db.read().await?, &asker.ctx, &id).await?;
    let value = volume.metadata.get(&key).ok_or_else(|| none(&id, &key))?;
    Ok(web::json(200, &json!({"meta": { key: value }})))
}

async fn set(
    State(cinder): Cinders,
    asker: Asker,
    Path((id, key)): Path<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result {
    let form = form::Form::of(&body, "meta", &[])?;
    let given = form::texts("meta", &Value::Object(form.map().clone()), false)?;
    if given.len() != 1 {
        return Err(Error::bad_request("Request body contains too many items").into());
    }
    if !given.contains_key(&key) {
        return Err(Error::bad_request("Request body and URI mismatch").into());
    }
    edit(&cinder, &asker, &policy::META_UPDATE, &id, |volume| {
        check_etag(volume, &asker, &headers)?;
        volume.metadata.extend(given.clone());
        Ok(())
    })
    .await?;
    Ok(web::json(200, &json!({ "meta": given })))
}

async fn delete(State(cinder): Cinders, asker: Asker, Path((id, key)): Path<(String, String)>) -> Result {
    edit(&cinder, &asker, &policy::META_DELETE, &id, |volume| {
        volume.metadata.remove(&key).map(|_| ()).ok_or_else(|| none(&id, &key))
    })
    .await?;
    Ok(web::no_content(200))
}
