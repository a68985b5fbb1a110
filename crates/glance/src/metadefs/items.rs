//! `/v2/metadefs/namespaces/{namespace}/{objects,properties,tags}`.

use std::sync::Arc;

use base::time::seconds_z;
use base::{Ctx, Error, Policy};
use http::HeaderMap;
use serde_json::{Map, Value, json};
use web::{Caller, Json, Params, Path, Result, Routes, State};

use super::namespaces::not_protected;
use super::store::{Item, Kind};
use super::{load, policy, schemas, store};
use crate::Glance;

type Glances = State<Arc<Glance>>;

pub fn routes(routes: Routes<Arc<Glance>>) -> Routes<Arc<Glance>> {
    routes
        .get("/v2/metadefs/namespaces/{namespace}/objects", &policy::LIST_OBJECTS, list_objects)
        .post("/v2/metadefs/namespaces/{namespace}/objects", &policy::seen::ADD_OBJECT, create_object)
        .delete("/v2/metadefs/namespaces/{namespace}/objects", &policy::seen::DELETE_NAMESPACE, clear_objects)
        .get("/v2/metadefs/namespaces/{namespace}/objects/{name}", &policy::GET_OBJECT, get_object)
        .put(
            "/v2/metadefs/namespaces/{namespace}/objects/{name}",
            &policy::seen::MODIFY_OBJECT,
            update_object,
        )
        .delete(
            "/v2/metadefs/namespaces/{namespace}/objects/{name}",
            &policy::seen::DELETE_OBJECT,
            delete_object,
        )
        .get("/v2/metadefs/namespaces/{namespace}/properties", &policy::LIST_PROPERTIES, list_properties)
        .post("/v2/metadefs/namespaces/{namespace}/properties", &policy::seen::ADD_PROPERTY, create_property)
        .delete(
            "/v2/metadefs/namespaces/{namespace}/properties",
            &policy::seen::DELETE_NAMESPACE,
            clear_properties,
        )
        .get("/v2/metadefs/namespaces/{namespace}/properties/{name}", &policy::GET_PROPERTY, get_property)
        .put(
            "/v2/metadefs/namespaces/{namespace}/properties/{name}",
            &policy::seen::MODIFY_PROPERTY,
            update_property,
        )
        .delete(
            "/v2/metadefs/namespaces/{namespace}/properties/{name}",
            &policy::seen::DELETE_PROPERTY,
            delete_property,
        )
        .get("/v2/metadefs/namespaces/{namespace}/tags", &policy::LIST_TAGS, list_tags)
        .post("/v2/metadefs/namespaces/{namespace}/tags", &policy::seen::ADD_TAGS, create_tags)
        .delete("/v2/metadefs/namespaces/{namespace}/tags", &policy::seen::DELETE_TAGS, clear_tags)
        .get("/v2/metadefs/namespaces/{namespace}/tags/{name}", &policy::GET_TAG, get_tag)
        .post("/v2/metadefs/namespaces/{namespace}/tags/{name}", &policy::seen::ADD_TAG, create_tag)
        .put("/v2/metadefs/namespaces/{namespace}/tags/{name}", &policy::seen::MODIFY_TAG, update_tag)
        .delete("/v2/metadefs/namespaces/{namespace}/tags/{name}", &policy::seen::DELETE_TAG, delete_tag)
}

type Named = Path<(String, String)>;

/// What of an object's body is kept; its name has a column.
pub fn body_of_object(body: &Value) -> Value {
    let kept = ["description", "required", "properties"];
    let map: Map<String, Value> =
        kept.iter().filter_map(|key| Some(((*key).to_owned(), body.get(*key)?.clone()))).collect();
    Value::Object(map)
}

pub fn object(item: &Item) -> Value {
    let mut out = json!({"name": item.name});
    if let (Some(out), Some(body)) = (out.as_object_mut(), item.body.as_object()) {
        out.extend(body.clone());
    }
    out["created_at"] = json!(seconds_z(item.created_at));
    out["updated_at"] = json!(seconds_z(item.updated_at));
    out["self"] = json!(format!("/v2/metadefs/namespaces/{}/objects/{}", item.namespace, item.name));
    out["schema"] = json!("/v2/schemas/metadefs/object");
    out
}

fn property(item: &Item) -> Value {
    let mut out = item.body.clone();
    out["name"] = json!(item.name);
    out
}

fn tag(item: &Item) -> Value {
    json!({
        "name": item.name, "created_at": seconds_z(item.created_at), "updated_at": seconds_z(item.updated_at),
    })
}

fn new(namespace: &str, name: &str, body: Value) -> Item {
    let now = base::time::now();
    Item { namespace: namespace.into(), name: name.into(), body, created_at: now, updated_at: now }
}

async fn all(
    glance: &Glance,
    ctx: &Ctx,
    kind: Kind,
    namespace: &str,
    policy: &Policy,
) -> base::Result<Vec<Item>> {
    load(glance, ctx, namespace, policy).await?;
    Ok(store::items(&mut *glance.db.read().await?, kind, namespace).await?)
}

async fn one(
    glance: &Glance,
    ctx: &Ctx,
    kind: Kind,
    (namespace, name): (&str, &str),
    policy: &Policy,
) -> base::Result<Item> {
    load(glance, ctx, namespace, policy).await?;
    store::item(&mut *glance.db.read().await?, kind, namespace, name).await
}

/// A page of a list that is newest first.
fn cut(items: Vec<Item>, kind: Kind, namespace: &str, params: &Params) -> base::Result<Vec<Item>> {
    let mut items = items;
    match params.get("sort_dir").unwrap_or("desc") {
        "asc" => items.reverse(),
        "desc" => {}
        other => return Err(Error::bad_request(format!("Invalid sort direction: {other}"))),
    }
    if params.get("sort_key") == Some("name") {
        items.sort_by(|a, b| a.name.cmp(&b.name));
        if params.get("sort_dir") != Some("asc") {
            items.reverse();
        }
    }
    let start = match params.get("marker").filter(|m| !m.is_empty()) {
        None => 0,
        Some(marker) => {
            items.iter().position(|i| i.name == marker).ok_or_else(|| kind.not_found(marker, namespace))? + 1
        }
    };
    let limit = match params.get("limit").filter(|l| !l.is_empty()) {
        None => usize::MAX,
        Some(text) => {
            let n: i64 = text.parse().map_err(|_| Error::bad_request("limit param must be an integer"))?;
            usize::try_from(n).map_err(|_| Error::bad_request("limit param must be positive"))?
        }
    };
    Ok(items.into_iter().skip(start).take(limit).collect())
}

async fn delete(glance: &Glance, ctx: &Ctx, kind: Kind, named: (&str, &str), policy: &Policy) -> Result {
    let item = one(glance, ctx, kind, named, policy).await?;
    store::remove(&glance.db, ctx, kind, &item).await?;
    Ok(web::no_content(204))
}

async fn clear(glance: &Glance, ctx: &Ctx, kind: Kind, namespace: &str, policy: &Policy) -> Result {
    let n = load(glance, ctx, namespace, policy).await?;
    not_protected(&n)?;
    store::clear(&glance.db, ctx, kind, namespace).await?;
    Ok(web::no_content(204))
}

fn name_in(body: &Value) -> &str {
    body.get("name").and_then(Value::as_str).unwrap_or_default()
}

async fn list_objects(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path(namespace): Path<String>,
    params: Params,
) -> Result {
    let found = all(&glance, &ctx, Kind::Object, &namespace, &policy::LIST_OBJECTS).await?;
    let page = cut(found, Kind::Object, &namespace, &params)?;
    let list: Vec<Value> = page.iter().map(object).collect();
    Ok(web::json(200, &json!({"objects": list, "schema": "/v2/schemas/metadefs/objects"})))
}

async fn create_object(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path(namespace): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    schemas::check("object", &body)?;
    load(&glance, &ctx, &namespace, &policy::ADD_OBJECT).await?;
    let item = new(&namespace, name_in(&body), body_of_object(&body));
    store::add(&glance.db, &ctx, Kind::Object, std::slice::from_ref(&item), false).await?;
    let mut response = web::json(201, &object(&item));
    let location = format!("/v2/metadefs/namespaces/{namespace}/objects/{}", item.name);
    if let Ok(value) = http::HeaderValue::from_str(&location) {
        response.headers_mut().insert(http::header::LOCATION, value);
    }
    Ok(response)
}

async fn get_object(State(glance): Glances, Caller(ctx): Caller, Path((namespace, name)): Named) -> Result {
    let item = one(&glance, &ctx, Kind::Object, (&namespace, &name), &policy::GET_OBJECT).await?;
    Ok(web::json(200, &object(&item)))
}

async fn update_object(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path((namespace, name)): Named,
    Json(body): Json<Value>,
) -> Result {
    schemas::check("object", &body)?;
    let old = one(&glance, &ctx, Kind::Object, (&namespace, &name), &policy::MODIFY_OBJECT).await?;
    let item = Item { created_at: old.created_at, ..new(&namespace, name_in(&body), body_of_object(&body)) };
    store::change(&glance.db, &ctx, Kind::Object, &old.name, &item).await?;
    Ok(web::json(200, &object(&item)))
}

async fn delete_object(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path((namespace, name)): Named,
) -> Result {
    delete(&glance, &ctx, Kind::Object, (&namespace, &name), &policy::DELETE_OBJECT).await
}

async fn clear_objects(State(glance): Glances, Caller(ctx): Caller, Path(namespace): Path<String>) -> Result {
    clear(&glance, &ctx, Kind::Object, &namespace, &policy::DELETE_NAMESPACE).await
}

async fn list_properties(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path(namespace): Path<String>,
) -> Result {
    let found = all(&glance, &ctx, Kind::Property, &namespace, &policy::LIST_PROPERTIES).await?;
    let map: Map<String, Value> = found.iter().map(|p| (p.name.clone(), property(p))).collect();
    Ok(web::json(200, &json!({"properties": map})))
}

/// A property's body without its name, which has a column.
fn body_of_property(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(object) = body.as_object_mut() {
        object.remove("name");
    }
    body
}

async fn create_property(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path(namespace): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    schemas::check("property", &body)?;
    load(&glance, &ctx, &namespace, &policy::ADD_PROPERTY).await?;
    let item = new(&namespace, name_in(&body), body_of_property(&body));
    store::add(&glance.db, &ctx, Kind::Property, std::slice::from_ref(&item), false).await?;
    Ok(web::json(201, &property(&item)))
}

async fn get_property(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path((namespace, name)): Named,
    params: Params,
) -> Result {
    load(&glance, &ctx, &namespace, &policy::GET_PROPERTY).await?;
    let mut name = name;
    if let Some(asked) = params.get("resource_type").filter(|t| !t.is_empty()) {
        let associations = store::associations(&mut *glance.db.read().await?, &namespace).await?;
        let association = associations.iter().find(|a| a.resource_type == asked).ok_or_else(|| {
            Error::not_found(format!(
                "The metadata definition resource-type association of resource-type={asked} to namespace={namespace}, was not found."
            ))
        })?;
        let prefix = association.prefix.clone().unwrap_or_default();
        name = match name.strip_prefix(&prefix).filter(|_| !prefix.is_empty()) {
            Some(bare) => bare.to_owned(),
            None => {
                return Err(Error::not_found(format!(
                    "Property {name} does not start with the expected resource type association prefix of '{prefix}'."
                ))
                .into());
            }
        };
    }
    let item = store::item(&mut *glance.db.read().await?, Kind::Property, &namespace, &name).await?;
    Ok(web::json(200, &property(&item)))
}

async fn update_property(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path((namespace, name)): Named,
    Json(body): Json<Value>,
) -> Result {
    schemas::check("property", &body)?;
    let old = one(&glance, &ctx, Kind::Property, (&namespace, &name), &policy::MODIFY_PROPERTY).await?;
    let item =
        Item { created_at: old.created_at, ..new(&namespace, name_in(&body), body_of_property(&body)) };
    store::change(&glance.db, &ctx, Kind::Property, &old.name, &item).await?;
    Ok(web::json(200, &property(&item)))
}

async fn delete_property(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path((namespace, name)): Named,
) -> Result {
    delete(&glance, &ctx, Kind::Property, (&namespace, &name), &policy::DELETE_PROPERTY).await
}

async fn clear_properties(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path(namespace): Path<String>,
) -> Result {
    clear(&glance, &ctx, Kind::Property, &namespace, &policy::DELETE_NAMESPACE).await
}

async fn list_tags(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path(namespace): Path<String>,
    params: Params,
) -> Result {
    let found = all(&glance, &ctx, Kind::Tag, &namespace, &policy::LIST_TAGS).await?;
    let page = cut(found, Kind::Tag, &namespace, &params)?;
    let list: Vec<Value> = page.iter().map(|t| json!({"name": t.name})).collect();
    Ok(web::json(200, &json!({"tags": list})))
}

/// Replaces all tags, or adds to them when X-OpenStack-Append says so.
async fn create_tags(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path(namespace): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result {
    schemas::check("tags", &body)?;
    load(&glance, &ctx, &namespace, &policy::ADD_TAGS).await?;
    let append = headers.get("x-openstack-append").and_then(|v| v.to_str().ok()).is_some_and(|v| {
        ["1", "t", "true", "on", "y", "yes"].contains(&v.trim().to_ascii_lowercase().as_str())
    });
    let sent: Vec<Value> = body.get("tags").and_then(Value::as_array).cloned().unwrap_or_default();
    let items: Vec<Item> = sent.iter().map(|t| new(&namespace, name_in(t), json!({}))).collect();
    store::add(&glance.db, &ctx, Kind::Tag, &items, !append).await?;
    let list: Vec<Value> = items.iter().map(|t| json!({"name": t.name})).collect();
    Ok(web::json(201, &json!({"tags": list})))
}

async fn create_tag(State(glance): Glances, Caller(ctx): Caller, Path((namespace, name)): Named) -> Result {
    load(&glance, &ctx, &namespace, &policy::ADD_TAG).await?;
    schemas::check("tag", &json!({"name": name}))?;
    let item = new(&namespace, &name, json!({}));
    store::add(&glance.db, &ctx, Kind::Tag, std::slice::from_ref(&item), false).await?;
    Ok(web::json(201, &tag(&item)))
}

async fn get_tag(State(glance): Glances, Caller(ctx): Caller, Path((namespace, name)): Named) -> Result {
    let item = one(&glance, &ctx, Kind::Tag, (&namespace, &name), &policy::GET_TAG).await?;
    Ok(web::json(200, &tag(&item)))
}

async fn update_tag(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path((namespace, name)): Named,
    Json(body): Json<Value>,
) -> Result {
    schemas::check("tag", &body)?;
    let old = one(&glance, &ctx, Kind::Tag, (&namespace, &name), &policy::MODIFY_TAG).await?;
    let item = Item { created_at: old.created_at, ..new(&namespace, name_in(&body), json!({})) };
    store::change(&glance.db, &ctx, Kind::Tag, &old.name, &item).await?;
    Ok(web::json(200, &tag(&item)))
}

async fn delete_tag(State(glance): Glances, Caller(ctx): Caller, Path((namespace, name)): Named) -> Result {
    delete(&glance, &ctx, Kind::Tag, (&namespace, &name), &policy::DELETE_TAG).await
}

async fn clear_tags(State(glance): Glances, Caller(ctx): Caller, Path(namespace): Path<String>) -> Result {
    clear(&glance, &ctx, Kind::Tag, &namespace, &policy::DELETE_TAGS).await
}
