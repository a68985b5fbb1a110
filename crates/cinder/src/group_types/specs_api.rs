//! `/v3/group_types/{id}/group_specs`.

use std::sync::Arc;

use base::Error;
use serde_json::{Value, json};
use web::{Json, Path, Result, Routes, State};

use super::{load, store};
use crate::asker::Asker;
use crate::form::{self, Form, since};
use crate::{Cinder, policy};

type Cinders = State<Arc<Cinder>>;

pub fn routes(routes: Routes<Arc<Cinder>>) -> Routes<Arc<Cinder>> {
    routes
        .get("/v3/group_types/{id}/group_specs", &policy::GROUP_SPECS_LIST, list)
        .post("/v3/group_types/{id}/group_specs", &policy::GROUP_SPECS_CREATE, create)
        .get("/v3/group_types/{id}/group_specs/{key}", &policy::GROUP_SPECS_GET, get)
        .put("/v3/group_types/{id}/group_specs/{key}", &policy::GROUP_SPECS_UPDATE, update)
        .delete("/v3/group_types/{id}/group_specs/{key}", &policy::GROUP_SPECS_DELETE, delete)
}

fn no_spec(id: &str, key: &str) -> Error {
    Error::not_found(format!("Group Type {id} has no extra spec with key {key}."))
}

async fn list(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    since(&asker.ctx, 11)?;
    let one = load(&mut *cinder.db.read().await?, &asker.ctx, &id).await?;
    Ok(web::json(200, &json!({"group_specs": one.specs})))
}

async fn create(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    since(&asker.ctx, 11)?;
    let form = Form::of(&body, "group_specs", &[])?;
    let specs = form::texts("group_specs", &Value::Object(form.map().clone()), true)?;
    store::edit(&cinder.db, &asker.ctx, &id, |one| {
        one.specs.extend(specs.clone());
        Ok(())
    })
    .await?;
    Ok(web::json(202, &body))
}

async fn get(State(cinder): Cinders, asker: Asker, Path((id, key)): Path<(String, String)>) -> Result {
    since(&asker.ctx, 11)?;
    let one = load(&mut *cinder.db.read().await?, &asker.ctx, &id).await?;
    let value = one.specs.get(&key).ok_or_else(|| no_spec(&id, &key))?;
    Ok(web::json(200, &json!({ key: value })))
}

async fn update(
    State(cinder): Cinders,
    asker: Asker,
    Path((id, key)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Result {
    since(&asker.ctx, 11)?;
    let specs = form::texts("group_specs", &body, true)?;
    if !specs.contains_key(&key) {
        return Err(Error::bad_request("Request body and URI mismatch").into());
    }
    if specs.len() > 1 {
        return Err(Error::bad_request("Request body contains too many items").into());
    }
    store::edit(&cinder.db, &asker.ctx, &id, |one| {
        one.specs.extend(specs.clone());
        Ok(())
    })
    .await?;
    Ok(web::json(200, &body))
}

async fn delete(State(cinder): Cinders, asker: Asker, Path((id, key)): Path<(String, String)>) -> Result {
    since(&asker.ctx, 11)?;
    store::edit(&cinder.db, &asker.ctx, &id, |one| {
        one.specs.remove(&key).map(drop).ok_or_else(|| no_spec(&id, &key))
    })
    .await?;
    Ok(web::no_content(202))
}
