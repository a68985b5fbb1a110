//! `/v3/qos-specs`: limits of disks, kept for volume types. A service that runs machines reads them with a volume's type.

pub(crate) mod front_end;
mod store;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Error, Result as Checked};
use serde_json::{Value, json};
use web::{Json, Params, Path, Result, Routes, State};

use crate::asker::{Asker, Links};
use crate::form::{self, Form};
use crate::listing::{Listed, Listing};
use crate::{Cinder, policy};

type Cinders = State<Arc<Cinder>>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qos {
    pub id: String,
    pub name: String,
    /// `front-end`, `back-end`, `both`
    pub consumer: String,
    pub specs: BTreeMap<String, String>,
    pub created_at: i64,
}

impl Listed for Qos {
    const KEYS: &'static [&'static str] = &["id", "name", "key", "consumer", "created_at", "updated_at"];

    fn id(&self) -> &str {
        &self.id
    }

    fn compare(&self, other: &Self, key: &str) -> Ordering {
        match key {
            "id" => self.id.cmp(&other.id),
            "name" | "key" => self.name.cmp(&other.name),
            "consumer" => self.consumer.cmp(&other.consumer),
            "created_at" | "updated_at" => self.created_at.cmp(&other.created_at),
            _ => Ordering::Equal,
        }
    }
}

/// Cinder's actions here are GETs.
pub fn routes(routes: Routes<Arc<Cinder>>) -> Routes<Arc<Cinder>> {
    routes
        .get("/v3/qos-specs", &policy::QOS_LIST, list)
        .post("/v3/qos-specs", &policy::QOS_CREATE, create)
        .get("/v3/qos-specs/{id}", &policy::QOS_GET, get)
        .put("/v3/qos-specs/{id}", &policy::QOS_UPDATE, update)
        .delete("/v3/qos-specs/{id}", &policy::QOS_DELETE, delete)
        .put("/v3/qos-specs/{id}/delete_keys", &policy::QOS_DELETE, delete_keys)
        .get("/v3/qos-specs/{id}/associations", &policy::QOS_LIST, associations)
        .get("/v3/qos-specs/{id}/associate", &policy::QOS_UPDATE, associate)
        .get("/v3/qos-specs/{id}/disassociate", &policy::QOS_UPDATE, disassociate)
        .get("/v3/qos-specs/{id}/disassociate_all", &policy::QOS_UPDATE, disassociate_all)
}

fn none(id: &str) -> Error {
    Error::not_found(format!("No such QoS spec {id}."))
}

fn view(one: &Qos) -> Value {
    json!({"id": one.id, "name": one.name, "consumer": one.consumer, "specs": one.specs})
}

fn shown(links: &Links, one: &Qos) -> Value {
    json!({"qos_specs": view(one), "links": links.of("qos-specs", &one.id)})
}

async fn list(State(cinder): Cinders, _: Asker, params: Params, origin: web::Origin) -> Result {
    let listing = Listing::read(&params)?;
    let mut kept = store::list(&mut *cinder.db.read().await?).await?;
    for (key, value) in params.pairs() {
        match key.as_str() {
            "id" => kept.retain(|one| one.id == *value),
            "name" => kept.retain(|one| one.name == *value),
            "consumer" => kept.retain(|one| one.consumer == *value),
            _ => {}
        }
    }
    let page = listing.page(kept)?;
    let ids: Vec<&str> = page.iter().map(|one| one.id.as_str()).collect();
    let mut body = json!({"qos_specs": page.iter().map(view).collect::<Vec<_>>()});
    if let Some(links) = listing.next(&params, &origin.0, &ids) {
        body["qos_specs_links"] = links;
    }
    Ok(web::json(200, &body))
}

/// A consumer is one of three, as Cinder's object has it.
fn consumer(text: &str) -> Checked<String> {
    match text {
        "front-end" | "back-end" | "both" => Ok(text.into()),
        other => Err(Error::bad_request(format!(
            "Invalid qos specs: Valid consumer of QoS specs are: ['front-end', 'back-end', 'both'], got {other}"
        ))),
    }
}

async fn create(State(cinder): Cinders, asker: Asker, Json(body): Json<Value>) -> Result {
    let form = Form::of(&body, "qos_specs", &[])?;
    let name = form.required_text("name")?.trim();
    if name.is_empty() {
        return Err(
            Error::bad_request("An invalid 'name' value was provided. The 'name' can not be empty.").into()
        );
    }
    let mut rest = form.map().clone();
    rest.shift_remove("name");
    let mut specs = form::texts("qos_specs", &Value::Object(rest), false)?;
    let consumer = consumer(specs.remove("consumer").as_deref().unwrap_or("back-end"))?;
    let created_at = base::time::now();
    let made = Qos { id: base::id::uuid(), name: name.into(), consumer, specs, created_at };
    store::create(&cinder.db, &asker.ctx, &made).await?;
    Ok(web::json(200, &shown(&asker.links, &made)))
}

async fn get(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    let found = store::get(&mut *cinder.db.read().await?, &id).await?.ok_or_else(|| none(&id))?;
    Ok(web::json(200, &shown(&asker.links, &found)))
}

async fn update(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let form = Form::of(&body, "qos_specs", &[])?;
    let mut specs = form::texts("qos_specs", &Value::Object(form.map().clone()), true)?;
    let consumer = specs.remove("consumer").map(|text| consumer(&text)).transpose()?;
    store::edit(&cinder.db, &asker.ctx, &id, |one| {
        if let Some(consumer) = &consumer {
            one.consumer.clone_from(consumer);
        }
        one.specs.extend(specs.clone());
        Ok(())
    })
    .await?;
    Ok(web::json(200, &body))
}

async fn delete_keys(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let refused =
        || Error::bad_request("Invalid input for field/attribute keys. It is not a list of strings");
    let keys = body.get("keys").ok_or_else(|| Error::bad_request("'keys' is a required property"))?;
    let keys: Option<Vec<&str>> = keys.as_array().ok_or_else(refused)?.iter().map(Value::as_str).collect();
    let keys = keys.ok_or_else(refused)?;
    store::edit(&cinder.db, &asker.ctx, &id, |one| {
        for key in &keys {
            one.specs
                .remove(*key)
                .ok_or_else(|| Error::not_found(format!("QoS spec {id} has no spec with key {key}.")))?;
        }
        Ok(())
    })
    .await?;
    Ok(web::no_content(202))
}

async fn delete(State(cinder): Cinders, asker: Asker, Path(id): Path<String>, params: Params) -> Result {
    store::delete(&cinder.db, &asker.ctx, &id, params.flag("force").unwrap_or(false)).await?;
    Ok(web::no_content(202))
}

async fn associations(State(cinder): Cinders, _: Asker, Path(id): Path<String>) -> Result {
    let mut conn = cinder.db.read().await?;
    store::get(&mut conn, &id).await?.ok_or_else(|| none(&id))?;
    let rows = store::types_of(&mut conn, &id).await?;
    let rows: Vec<Value> = rows
        .iter()
        .map(|(id, name)| json!({"association_type": "volume_type", "name": name, "id": id}))
        .collect();
    Ok(web::json(200, &json!({ "qos_associations": rows })))
}

fn type_of(params: &Params) -> Checked<&str> {
    let id = params.get("vol_type_id").filter(|id| !id.is_empty());
    id.ok_or_else(|| Error::bad_request("Volume Type id must not be None."))
}

async fn associate(State(cinder): Cinders, asker: Asker, Path(id): Path<String>, params: Params) -> Result {
    store::associate(&cinder.db, &asker.ctx, &id, type_of(&params)?, true).await?;
    Ok(web::no_content(202))
}

async fn disassociate(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    params: Params,
) -> Result {
    store::associate(&cinder.db, &asker.ctx, &id, type_of(&params)?, false).await?;
    Ok(web::no_content(202))
}

async fn disassociate_all(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    store::disassociate_all(&cinder.db, &asker.ctx, &id).await?;
    Ok(web::no_content(202))
}
