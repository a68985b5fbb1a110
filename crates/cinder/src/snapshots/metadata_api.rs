//! `/v3/snapshots/{id}/metadata`.

use std::sync::Arc;

use base::{Error, Result as Checked};
use serde_json::{Value, json};
use web::{Json, Path, Result, Routes, State};

use super::{Snapshot, load, store};
use crate::asker::Asker;
use crate::form;
use crate::{Cinder, policy};

type Cinders = State<Arc<Cinder>>;

pub fn routes(routes: Routes<Arc<Cinder>>) -> Routes<Arc<Cinder>> {
    routes
        .get("/v3/snapshots/{id}/metadata", &policy::SNAPSHOT_META_GET, list)
        .post("/v3/snapshots/{id}/metadata", &policy::SNAPSHOT_META_UPDATE, add)
        .put("/v3/snapshots/{id}/metadata", &policy::SNAPSHOT_META_UPDATE, replace)
        .get("/v3/snapshots/{id}/metadata/{key}", &policy::SNAPSHOT_META_GET, get)
        .put("/v3/snapshots/{id}/metadata/{key}", &policy::SNAPSHOT_META_UPDATE, set)
        .delete("/v3/snapshots/{id}/metadata/{key}", &policy::SNAPSHOT_META_DELETE, delete)
}

async fn edit(
    cinder: &Cinder,
    asker: &Asker,
    policy: &base::Policy,
    id: &str,
    change: impl Fn(&mut Snapshot) -> Checked<()> + Sync,
) -> Checked<Snapshot> {
    let found = load(&mut *cinder.db.read().await?, &asker.ctx, id).await?;
    asker.ctx.authorize(policy, Some(&found.project_id))?;
    store::edit(&cinder.db, &asker.ctx, "snapshot.update", id, change).await
}

fn none(id: &str, key: &str) -> Error {
    Error::not_found(format!("Snapshot {id} has no metadata with key {key}."))
}

fn given(body: &Value) -> Checked<std::collections::BTreeMap<String, String>> {
    let value = body.get("metadata");
    let value = value.ok_or_else(|| Error::bad_request("'metadata' is a required property"))?;
    form::texts("metadata", value, false)
}

async fn list(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    let found = load(&mut *cinder.db.read().await?, &asker.ctx, &id).await?;
    Ok(web::json(200, &json!({"metadata": found.metadata})))
}

async fn add(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let given = given(&body)?;
    let found = edit(&cinder, &asker, &policy::SNAPSHOT_META_UPDATE, &id, |one| {
        one.metadata.extend(given.clone());
        Ok(())
    })
    .await?;
    Ok(web::json(200, &json!({"metadata": found.metadata})))
}

async fn replace(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let given = given(&body)?;
    let found = edit(&cinder, &asker, &policy::SNAPSHOT_META_UPDATE, &id, |one| {
        one.metadata.clone_from(&given);
        Ok(())
    })
    .await?;
    Ok(web::json(200, &json!({"metadata": found.metadata})))
}

async fn get(State(cinder): Cinders, asker: Asker, Path((id, key)): Path<(String, String)>) -> Result {
    let found = load(&mut *cinder.db.read().await?, &asker.ctx, &id).await?;
    let value = found.metadata.get(&key).ok_or_else(|| none(&id, &key))?;
    Ok(web::json(200, &json!({"meta": { key: value }})))
}

async fn set(
    State(cinder): Cinders,
    asker: Asker,
    Path((id, key)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Result {
    let value = body.get("meta").ok_or_else(|| Error::bad_request("'meta' is a required property"))?;
    let given = form::texts("meta", value, false)?;
    if given.len() != 1 || !given.contains_key(&key) {
        return Err(Error::bad_request("Request body and URI mismatch").into());
    }
    edit(&cinder, &asker, &policy::SNAPSHOT_META_UPDATE, &id, |one| {
        one.metadata.extend(given.clone());
        Ok(())
    })
    .await?;
    Ok(web::json(200, &json!({ "meta": given })))
}

async fn delete(State(cinder): Cinders, asker: Asker, Path((id, key)): Path<(String, String)>) -> Result {
    edit(&cinder, &asker, &policy::SNAPSHOT_META_DELETE, &id, |one| {
        one.metadata.remove(&key).map(|_| ()).ok_or_else(|| none(&id, &key))
    })
    .await?;
    Ok(web::no_content(200))
}
