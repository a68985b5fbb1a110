//! `/v3/types/{id}/encryption`: how volumes of a type are to be encrypted. It stands still while there are such
//! volumes.

use std::sync::Arc;

use base::{Error, Result as Checked};
use serde_json::{Map, Value, json};
use web::{Json, Path, Result, Routes, State};

use super::{load, store};
use crate::asker::Asker;
use crate::form::Form;
use crate::{Cinder, policy};

type Cinders = State<Arc<Cinder>>;

pub fn routes(routes: Routes<Arc<Cinder>>) -> Routes<Arc<Cinder>> {
    routes
        .get("/v3/types/{id}/encryption", &policy::ENCRYPTION_GET, list)
        .post("/v3/types/{id}/encryption", &policy::ENCRYPTION_CREATE, create)
        .get("/v3/types/{id}/encryption/{key}", &policy::ENCRYPTION_GET, get)
        .put("/v3/types/{id}/encryption/{key}", &policy::ENCRYPTION_UPDATE, update)
        .delete("/v3/types/{id}/encryption/{key}", &policy::ENCRYPTION_DELETE, delete)
}

async fn specs(cinder: &Cinder, asker: &Asker, id: &str) -> Checked<Map<String, Value>> {
    let found = load(&mut *cinder.db.read().await?, &asker.ctx, id).await?;
    Ok(found.encryption.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
}

async fn list(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    Ok(web::json(200, &specs(&cinder, &asker, &id).await?))
}

async fn get(State(cinder): Cinders, asker: Asker, Path((id, key)): Path<(String, String)>) -> Result {
    let specs = specs(&cinder, &asker, &id).await?;
    let value = specs
        .get(&key)
        .ok_or_else(|| Error::not_found(format!("Volume type encryption for type {id} does not exist.")))?;
    Ok(web::json(200, &json!({ key: value })))
}

/// The given values, checked.
fn read(body: &Value, whole: bool) -> Checked<Map<String, Value>> {
    let form = Form::of(body, "encryption", &[])?;
    if whole {
        form.required_text("control_location")?;
        form.require("provider")?;
    }
    form.one_of("control_location", &["front-end", "back-end"])?;
    let mut given = Map::new();
    for key in ["provider", "control_location", "cipher"] {
        if form.has(key) {
            given.insert(key.into(), json!(form.text(key, 0)?));
        }
    }
    if let Some(value) = form.get("key_size") {
        let number = value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        let number = number.filter(|n| (0..=i64::from(i32::MAX)).contains(n));
        let number = number
            .ok_or_else(|| Error::bad_request("Invalid input received: key_size must be an integer."))?;
        given.insert("key_size".into(), json!(number));
    }
    Ok(given)
}

async fn create(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let mut given = read(&body, true)?;
    for key in ["cipher", "key_size"] {
        given.entry(key).or_insert(Value::Null);
    }
    given.insert("volume_type_id".into(), json!(id));
    given.insert("encryption_id".into(), json!(base::id::uuid()));
    let refusal = "Cannot create encryption specs. Volume type in use.";
    store::edit(&cinder.db, &asker.ctx, &id, Some(refusal), |one| {
        if one.encryption.is_some() {
            return Err(Error::bad_request(format!("Volume type encryption for type {id} already exists.")));
        }
        one.encryption = Some(Value::Object(given.clone()).to_string());
        Ok(())
    })
    .await?;
    Ok(web::json(200, &json!({ "encryption": given })))
}

async fn update(
    State(cinder): Cinders,
    asker: Asker,
    Path((id, _)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Result {
    let given = read(&body, false)?;
    let refusal = "Cannot update encryption specs. Volume type in use.";
    store::edit(&cinder.db, &asker.ctx, &id, Some(refusal), |one| {
        let text = one.encryption.as_deref().ok_or_else(|| {
            Error::not_found(format!("Volume type encryption for type {id} does not exist."))
        })?;
        let mut specs: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        specs.extend(given.clone());
        one.encryption = Some(Value::Object(specs).to_string());
        Ok(())
    })
    .await?;
    Ok(web::json(200, &body))
}

async fn delete(State(cinder): Cinders, asker: Asker, Path((id, _)): Path<(String, String)>) -> Result {
    let refusal = "Cannot delete encryption specs. Volume type in use.";
    store::edit(&cinder.db, &asker.ctx, &id, Some(refusal), |one| {
        one.encryption
            .take()
            .map(|_| ())
            .ok_or_else(|| Error::not_found(format!("Volume type encryption for type {id} does not exist.")))
    })
    .await?;
    Ok(web::no_content(202))
}
