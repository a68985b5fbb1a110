//! `/v1/quotas`, `/v1/project-quotas`

use std::sync::{Arc, LazyLock};

use base::{Error, Policy, Rule};
use db::Event;
use serde_json::{Map, Value, json};
use web::schema::Schema;
use web::{Caller, Origin, Params, Path, Result, Routes, State, no_content};

use super::{Quotas, RESOURCES, store};
use crate::Barbican;
use crate::body::{self, Body};
use crate::refs::Slice;

const OWN: Policy = Policy::new("quotas:get", Rule::Reader);
const GET: Policy = Policy::new("project_quotas:get", Rule::Admin);
const PUT: Policy = Policy::new("project_quotas:put", Rule::Admin);
const DELETE: Policy = Policy::new("project_quotas:delete", Rule::Admin);

pub fn routes(routes: Routes<Arc<Barbican>>) -> Routes<Arc<Barbican>> {
    routes
        .get("/v1/quotas", &OWN, own)
        .get("/v1/project-quotas", &GET, list)
        .get("/v1/project-quotas/{project_id}", &GET, show)
        .put("/v1/project-quotas/{project_id}", &PUT, put)
        .delete("/v1/project-quotas/{project_id}", &DELETE, delete)
}

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let numbers: Map<String, Value> =
        RESOURCES.iter().map(|name| ((*name).to_owned(), json!({"type": "integer"}))).collect();
    Schema::new(&json!({
        "type": "object",
        "properties": {
            "project_quotas": {"type": "object", "properties": numbers, "additionalProperties": false},
        },
        "required": ["project_quotas"],
        "additionalProperties": false,
    }))
});

/// `default`: what an unset number is shown as.
fn view(quotas: &Quotas, default: &Value) -> Value {
    let shown = |(name, number): (&&str, &Option<i64>)| {
        ((*name).to_owned(), number.map_or_else(|| default.clone(), Value::from))
    };
    Value::Object(RESOURCES.iter().zip(&quotas.0).map(shown).collect())
}

fn missing() -> Error {
    Error::not_found("Project quotas not found.")
}

async fn own(State(app): State<Arc<Barbican>>, Caller(ctx): Caller) -> Result {
    let quotas = store::find(&mut *app.db.read().await?, ctx.require_project()?).await?;
    Ok(web::json(200, &json!({"quotas": view(&quotas.unwrap_or_default(), &json!(-1))})))
}

async fn list(State(app): State<Arc<Barbican>>, origin: Origin, params: Params) -> Result {
    let slice = Slice::of(&params);
    let (page, total) = store::list(&mut *app.db.read().await?, slice).await?;
    let shown = |one: &store::Listed| json!({"project_id": one.project_id, "project_quotas": view(&one.quotas, &Value::Null)});
    let items = page.iter().map(shown).collect();
    Ok(web::json(200, &slice.page(&origin, &params, "project_quotas", "project_quotas", items, total)))
}

async fn show(State(app): State<Arc<Barbican>>, Path(project): Path<String>) -> Result {
    let quotas = store::find(&mut *app.db.read().await?, &project).await?.ok_or_else(missing)?;
    Ok(web::json(200, &json!({"project_quotas": view(&quotas, &Value::Null)})))
}

async fn put(
    State(app): State<Arc<Barbican>>,
    Caller(ctx): Caller,
    Path(project): Path<String>,
    body: Body,
) -> Result {
    let wanted = body.object()?;
    body::check(&SCHEMA, "Project Quota", &wanted)?;
    let numbers = &wanted["project_quotas"];
    let quotas = Quotas(RESOURCES.map(|name| numbers[name].as_i64()));
    let written: Result<(), Error> = db::write!(app.db, |tx| store::put(tx, &ctx, &project, &quotas).await);
    written?;
    Ok(no_content(204))
}

async fn delete(
    State(app): State<Arc<Barbican>>,
    Caller(ctx): Caller,
    Path(project): Path<String>,
) -> Result {
    let written: Result<(), Error> = db::write!(app.db, |tx| {
        if !store::remove(tx, &project).await? {
            return Err(missing());
        }
        tx.event(Event::new("key-manager", "quota.delete", &project, &project, &ctx)).await?;
        Ok(())
    });
    written?;
    Ok(no_content(204))
}
