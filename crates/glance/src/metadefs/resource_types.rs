//! `/v2/metadefs/resource_types` and a namespace's own.

use std::sync::Arc;

use base::time::seconds_z;
use serde_json::{Value, json};
use web::{Caller, Json, Path, Result, Routes, State};

use super::store::Association;
use super::{load, policy, schemas, store};
use crate::Glance;
use crate::images::rules::in_a_project;

type Glances = State<Arc<Glance>>;

pub fn routes(routes: Routes<Arc<Glance>>) -> Routes<Arc<Glance>> {
    routes
        .get("/v2/metadefs/resource_types", &policy::LIST_TYPES, list)
        .get("/v2/metadefs/namespaces/{namespace}/resource_types", &policy::LIST_TYPES, list_of)
        .post("/v2/metadefs/namespaces/{namespace}/resource_types", &policy::seen::ADD_TYPE, create)
        .delete(
            "/v2/metadefs/namespaces/{namespace}/resource_types/{name}",
            &policy::seen::REMOVE_TYPE,
            delete,
        )
}

pub fn view(a: &Association) -> Value {
    let mut out = json!({
        "name": a.resource_type, "created_at": seconds_z(a.created_at), "updated_at": seconds_z(a.updated_at),
    });
    for (key, value) in [("prefix", &a.prefix), ("properties_target", &a.properties_target)] {
        if let Some(value) = value {
            out[key] = json!(value);
        }
    }
    out
}

async fn list(State(glance): Glances, Caller(ctx): Caller) -> Result {
    in_a_project(&ctx, &policy::LIST_TYPES)?;
    let all = store::resource_types(&mut glance.db.read().await?).await?;
    let list: Vec<Value> = all
        .into_iter()
        .map(|(name, created, updated)| {
            json!({"name": name, "created_at": seconds_z(created), "updated_at": seconds_z(updated)})
        })
        .collect();
    Ok(web::json(200, &json!({"resource_types": list})))
}

async fn list_of(State(glance): Glances, Caller(ctx): Caller, Path(namespace): Path<String>) -> Result {
    load(&glance, &ctx, &namespace, &policy::LIST_TYPES).await?;
    let found = store::associations(&mut *glance.db.read().await?, &namespace).await?;
    let list: Vec<Value> = found.iter().map(view).collect();
    Ok(web::json(200, &json!({"resource_type_associations": list})))
}

async fn create(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path(namespace): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    schemas::check("resource_type_association", &body)?;
    load(&glance, &ctx, &namespace, &policy::ADD_TYPE).await?;
    let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
    let now = base::time::now();
    let association = Association {
        namespace,
        resource_type: text("name").unwrap_or_default(),
        prefix: text("prefix"),
        properties_target: text("properties_target"),
        created_at: now,
        updated_at: now,
    };
    store::associate(&glance.db, &ctx, &association).await?;
    Ok(web::json(201, &view(&association)))
}

async fn delete(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path((namespace, name)): Path<(String, String)>,
) -> Result {
    load(&glance, &ctx, &namespace, &policy::REMOVE_TYPE).await?;
    store::dissociate(&glance.db, &ctx, &namespace, &name).await?;
    Ok(web::no_content(204))
}
