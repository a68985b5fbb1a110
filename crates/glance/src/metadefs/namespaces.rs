//! `/v2/metadefs/namespaces`.

use std::sync::Arc;

use base::time::seconds_z;
use base::{Ctx, Error};
use serde_json::{Map, Value, json};
use web::{Caller, Json, Params, Path, Result, Routes, State};

use super::store::{Association, Item, Kind, New};
use super::{Namespace, items, load, policy, resource_types, schemas, store};
use crate::Glance;
use crate::images::rules::in_a_project;

type Glances = State<Arc<Glance>>;

pub fn routes(routes: Routes<Arc<Glance>>) -> Routes<Arc<Glance>> {
    routes
        .get("/v2/metadefs/namespaces", &policy::LIST_NAMESPACES, list)
        .post("/v2/metadefs/namespaces", &policy::ADD_NAMESPACE, create)
        .get("/v2/metadefs/namespaces/{namespace}", &policy::GET_NAMESPACE, get)
        .put("/v2/metadefs/namespaces/{namespace}", &policy::seen::MODIFY_NAMESPACE, update)
        .delete("/v2/metadefs/namespaces/{namespace}", &policy::seen::DELETE_NAMESPACE, delete)
}

fn view(n: &Namespace) -> Value {
    let mut out = json!({
        "namespace": n.namespace, "visibility": if n.public { "public" } else { "private" },
        "protected": n.protected, "owner": n.owner,
        "created_at": seconds_z(n.created_at), "updated_at": seconds_z(n.updated_at),
        "self": format!("/v2/metadefs/namespaces/{}", n.namespace), "schema": "/v2/schemas/metadefs/namespace",
    });
    for (key, value) in [("display_name", &n.display_name), ("description", &n.description)] {
        if let Some(value) = value {
            out[key] = json!(value);
        }
    }
    out
}

fn with_types<'a>(out: &mut Value, associations: impl Iterator<Item = &'a Association>) {
    let list: Vec<Value> = associations.map(resource_types::view).collect();
    if !list.is_empty() {
        out["resource_type_associations"] = Value::Array(list);
    }
}

const MAX_PAGE: usize = 1000;
const DEFAULT_PAGE: usize = 25;

async fn list(State(glance): Glances, Caller(ctx): Caller, params: Params) -> Result {
    in_a_project(&ctx, &policy::LIST_NAMESPACES)?;
    let limit = match params.get("limit") {
        None => DEFAULT_PAGE,
        Some(text) => {
            let n: i64 = text.parse().map_err(|_| Error::bad_request("limit param must be an integer"))?;
            usize::try_from(n).map_err(|_| Error::bad_request("limit param must be positive"))?.min(MAX_PAGE)
        }
    };
    let ascending = match params.get("sort_dir").unwrap_or("desc") {
        "asc" => true,
        "desc" => false,
        other => return Err(Error::bad_request(format!("Invalid sort direction: {other}")).into()),
    };
    let public = match params.get("visibility") {
        None => None,
        Some("public") => Some(true),
        Some("private") => Some(false),
        Some(other) => return Err(Error::bad_request(format!("Invalid visibility value: {other}")).into()),
    };
    let mut conn = glance.db.read().await?;
    let project = if ctx.is_admin() { None } else { Some(ctx.require_project()?.to_owned()) };
    let mut found = store::namespaces(&mut conn, project.as_deref()).await?;
    let associations = store::associations(&mut conn, "").await?;
    drop(conn);
    found.retain(|n| public.is_none_or(|p| p == n.public));
    if let Some(types) = params.get("resource_types") {
        let types: Vec<&str> = types.split(',').collect();
        found.retain(|n| {
            let own = associations.iter().filter(|a| a.namespace == n.namespace);
            own.into_iter().any(|a| types.contains(&a.resource_type.as_str()))
        });
    }
    match params.get("sort_key").unwrap_or("created_at") {
        "namespace" => found.sort_by(|a, b| b.namespace.cmp(&a.namespace)),
        "updated_at" => found.sort_by_key(|n| std::cmp::Reverse(n.updated_at)),
        _ => {}
    }
    if ascending {
        found.reverse();
    }
    let start = match params.get("marker") {
        None => 0,
        Some(marker) => {
            let at = found.iter().position(|n| n.namespace == marker);
            at.ok_or_else(|| super::not_found(marker))? + 1
        }
    };
    let page: Vec<&Namespace> = found.iter().skip(start).take(limit).collect();
    let views: Vec<Value> = page
        .iter()
        .map(|n| {
            let mut out = view(n);
            with_types(&mut out, associations.iter().filter(|a| a.namespace == n.namespace));
            out
        })
        .collect();
    let link = |marker: &str| params.with_marker("", marker).replacen("/image/", "/", 1);
    let mut out = json!({
        "namespaces": views,
        "first": link("").trim_end_matches("marker=").trim_end_matches(['&', '?']),
        "schema": "/v2/schemas/metadefs/namespaces",
    });
    if let Some(last) = page.last().filter(|_| page.len() == limit) {
        out["next"] = json!(link(&last.namespace));
    }
    Ok(web::json(200, &out))
}

async fn get(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path(name): Path<String>,
    params: Params,
) -> Result {
    let n = load(&glance, &ctx, &name, &policy::GET_NAMESPACE).await?;
    let mut conn = glance.db.read().await?;
    let associations = store::associations(&mut conn, &name).await?;
    let objects = store::items(&mut conn, Kind::Object, &name).await?;
    let properties = store::items(&mut conn, Kind::Property, &name).await?;
    let tags = store::items(&mut conn, Kind::Tag, &name).await?;
    drop(conn);
    let prefix = params
        .get("resource_type")
        .and_then(|asked| associations.iter().find(|a| a.resource_type == asked))
        .and_then(|a| a.prefix.clone())
        .unwrap_or_default();
    let mut out = view(&n);
    with_types(&mut out, associations.iter());
    if !objects.is_empty() {
        out["objects"] = objects.iter().map(|o| prefixed(items::object(o), &prefix)).collect();
    }
    if !properties.is_empty() {
        let map: Map<String, Value> =
            properties.into_iter().map(|p| (format!("{prefix}{}", p.name), p.body)).collect();
        out["properties"] = Value::Object(map);
    }
    if !tags.is_empty() {
        out["tags"] = tags.iter().map(|t| json!({"name": t.name})).collect();
    }
    Ok(web::json(200, &out))
}

/// An object whose properties' names begin as the asked resource type wants it.
fn prefixed(mut object: Value, prefix: &str) -> Value {
    if prefix.is_empty() {
        return object;
    }
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        *properties =
            std::mem::take(properties).into_iter().map(|(k, v)| (format!("{prefix}{k}"), v)).collect();
    }
    if let Some(required) = object.get_mut("required").and_then(Value::as_array_mut) {
        for name in required {
            *name = json!(format!("{prefix}{}", name.as_str().unwrap_or_default()));
        }
    }
    object
}

/// A namespace as a body says it; what is left out is as in a new one.
fn read(ctx: &Ctx, body: &Value) -> base::Result<Namespace> {
    schemas::check("namespace", body)?;
    let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
    let now = base::time::now();
    Ok(Namespace {
        namespace: text("namespace").unwrap_or_default(),
        display_name: text("display_name"),
        description: text("description"),
        public: body.get("visibility").is_some_and(|v| v == "public"),
        protected: body.get("protected").and_then(Value::as_bool).unwrap_or(false),
        owner: text("owner").or_else(|| ctx.project().map(|p| p.id.clone())).unwrap_or_default(),
        created_at: now,
        updated_at: now,
    })
}

/// The contents that may come with a new namespace.
pub fn contents(namespace: &Namespace, body: &Value) -> (Vec<Association>, Vec<(Kind, Item)>) {
    let at = namespace.created_at;
    let text = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).map(str::to_owned);
    let list = |key: &str| body.get(key).and_then(Value::as_array).into_iter().flatten();
    let item = |name: String, body: Value| Item {
        namespace: namespace.namespace.clone(),
        name,
        body,
        created_at: at,
        updated_at: at,
    };
    let associations = list("resource_type_associations")
        .map(|a| Association {
            namespace: namespace.namespace.clone(),
            resource_type: text(a, "name").unwrap_or_default(),
            prefix: text(a, "prefix"),
            properties_target: text(a, "properties_target"),
            created_at: at,
            updated_at: at,
        })
        .collect();
    let mut all: Vec<(Kind, Item)> = Vec::new();
    for o in list("objects") {
        all.push((Kind::Object, item(text(o, "name").unwrap_or_default(), items::body_of_object(o))));
    }
    for (name, p) in body.get("properties").and_then(Value::as_object).into_iter().flatten() {
        all.push((Kind::Property, item(name.clone(), p.clone())));
    }
    for t in list("tags") {
        all.push((Kind::Tag, item(text(t, "name").unwrap_or_default(), json!({}))));
    }
    (associations, all)
}

async fn create(State(glance): Glances, Caller(ctx): Caller, Json(body): Json<Value>) -> Result {
    in_a_project(&ctx, &policy::ADD_NAMESPACE)?;
    let namespace = read(&ctx, &body)?;
    let (associations, items) = contents(&namespace, &body);
    let new = New { namespace, associations, items };
    store::create(&glance.db, &ctx, &new).await?;
    let mut out = view(&new.namespace);
    with_types(&mut out, new.associations.iter());
    for key in ["objects", "properties", "tags"] {
        if let Some(sent) = body.get(key) {
            out[key] = sent.clone();
        }
    }
    let mut response = web::json(201, &out);
    let location = format!("/v2/metadefs/namespaces/{}", new.namespace.namespace);
    if let Ok(value) = http::HeaderValue::from_str(&location) {
        response.headers_mut().insert(http::header::LOCATION, value);
    }
    Ok(response)
}

async fn update(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path(name): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let mut new = read(&ctx, &body)?;
    let old = load(&glance, &ctx, &name, &policy::MODIFY_NAMESPACE).await?;
    new.created_at = old.created_at;
    store::update(&glance.db, &ctx, &name, &new).await?;
    Ok(web::json(200, &view(&new)))
}

async fn delete(State(glance): Glances, Caller(ctx): Caller, Path(name): Path<String>) -> Result {
    let n = load(&glance, &ctx, &name, &policy::DELETE_NAMESPACE).await?;
    not_protected(&n)?;
    store::delete(&glance.db, &ctx, &n).await?;
    Ok(web::no_content(204))
}

pub fn not_protected(n: &Namespace) -> base::Result<()> {
    if n.protected {
        return Err(Error::forbidden(format!(
            "Metadata definition namespace {} is protected and cannot be deleted.",
            n.namespace
        )));
    }
    Ok(())
}
