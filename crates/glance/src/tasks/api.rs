//! `/v2/tasks` and `/v2/images/{id}/tasks`.

use std::cmp::Ordering;
use std::sync::Arc;

use base::{Error, Kind};
use serde_json::{Value, json};
use web::{Caller, Json, Params, Path, Result, Routes, State};

use super::{LEGACY, Task, store, view};
use crate::images::{load_visible, policy, rules as images};
use crate::imports::rules;
use crate::{Glance, imports};

type Glances = State<Arc<Glance>>;

pub fn routes(routes: Routes<Arc<Glance>>) -> Routes<Arc<Glance>> {
    routes
        .get("/v2/tasks", &policy::TASKS, list)
        .post("/v2/tasks", &policy::TASKS, create)
        .get("/v2/tasks/{id}", &policy::TASKS, get)
        .delete("/v2/tasks/{id}", &policy::TASKS, delete)
        .get("/v2/images/{id}/tasks", &policy::GET, of_image)
}

async fn of_image(State(glance): Glances, Caller(ctx): Caller, Path(id): Path<String>) -> Result {
    let image = load_visible(&glance, &ctx, &id).await?;
    let mut tasks = store::of_image(&mut glance.db.read().await?, &id).await?;
    if image.is_unhashed() {
        // Clients that want the digests wait until no task is under way.
        glance.hashing.wake(&id);
        tasks.push(Task::hashing(&image));
    }
    Ok(web::json(200, &json!({"tasks": tasks.iter().map(view::of_image).collect::<Vec<_>>()})))
}

async fn get(State(glance): Glances, Caller(ctx): Caller, Path(id): Path<String>) -> Result {
    images::in_a_project(&ctx, &policy::TASKS)?;
    let task = store::get(&mut *glance.db.read().await?, &id).await?;
    let task = task.ok_or_else(|| Error::not_found(format!("Task with the given id {id} was not found")))?;
    Ok(web::json(200, &view::whole(&task)))
}

async fn delete(Caller(ctx): Caller, Path(_): Path<String>) -> Result {
    images::in_a_project(&ctx, &policy::TASKS)?;
    Err(Error::new(
        Kind::MethodNotAllowed,
        "This operation is currently not permitted on Glance Tasks. They are auto deleted after reaching the time based \
         on their expires_at property.",
    )
    .into())
}

const MAX_PAGE: usize = 1000;
const DEFAULT_PAGE: usize = 25;

async fn list(State(glance): Glances, Caller(ctx): Caller, params: Params) -> Result {
    images::in_a_project(&ctx, &policy::TASKS)?;
    let choice = |key: &str, allowed: &[&str]| match params.get(key) {
        Some(v) if !allowed.contains(&v) => Err(Error::bad_request(format!("Invalid {key} value: {v}"))),
        other => Ok(other),
    };
    let status = choice("status", &["pending", "processing", "success", "failure"])?;
    let kind = choice("type", &["import"])?;
    let descending = match params.get("sort_dir").unwrap_or("desc") {
        "desc" => true,
        "asc" => false,
        other => return Err(Error::bad_request(format!("Invalid sort direction: {other}")).into()),
    };
    let key = params.get("sort_key").unwrap_or("created_at");
    if !["created_at", "updated_at", "expires_at", "id", "status", "type"].contains(&key) {
        return Err(Error::bad_request("Sort key supplied was not valid.").into());
    }
    let limit = match params.get("limit") {
        None => DEFAULT_PAGE,
        Some(text) => {
            let n: i64 = text.parse().map_err(|_| Error::bad_request("limit param must be an integer"))?;
            usize::try_from(n).map_err(|_| Error::bad_request("limit param must be positive"))?.min(MAX_PAGE)
        }
    };
    let mut tasks = store::list(&mut glance.db.read().await?).await?;
    tasks.retain(|t| status.is_none_or(|s| s == t.status.as_str()) && kind.is_none_or(|k| k == t.kind));
    tasks.sort_by(|a, b| {
        let order = compare(a, b, key).then_with(|| a.id.cmp(&b.id));
        if descending { order.reverse() } else { order }
    });
    let start = match params.get("marker") {
        None => 0,
        Some(marker) if !base::id::is_uuid(marker) => {
            return Err(Error::bad_request("Invalid marker format").into());
        }
        Some(marker) => {
            let at = tasks.iter().position(|t| t.id == marker);
            at.ok_or_else(|| Error::bad_request(format!("Task with the given id {marker} was not found")))?
                + 1
        }
    };
    let page: Vec<&Task> = tasks.iter().skip(start).take(limit).collect();
    let link = |marker: &str| params.with_marker("", marker).replacen("/image/", "/", 1);
    let mut out = json!({
        "tasks": page.iter().map(|t| view::brief(t)).collect::<Vec<_>>(),
        "first": link("").trim_end_matches("marker=").trim_end_matches(['&', '?']),
        "schema": "/v2/schemas/tasks",
    });
    if let Some(last) = page.last().filter(|_| page.len() == limit) {
        out["next"] = json!(link(&last.id));
    }
    Ok(web::json(200, &out))
}

fn compare(a: &Task, b: &Task, key: &str) -> Ordering {
    match key {
        "updated_at" => a.updated_at.cmp(&b.updated_at),
        "expires_at" => a.expires_at.cmp(&b.expires_at),
        "status" => a.status.as_str().cmp(b.status.as_str()),
        "type" => a.kind.cmp(&b.kind),
        "id" => a.id.cmp(&b.id),
        _ => a.created_at.cmp(&b.created_at),
    }
}

/// The older way to import: the task makes the image.
async fn create(State(glance): Glances, Caller(ctx): Caller, Json(body): Json<Value>) -> Result {
    images::in_a_project(&ctx, &policy::TASKS)?;
    for key in ["type", "input"] {
        if body.get(key).is_none() {
            return Err(Error::bad_request(format!("Task '{key}' is required")).into());
        }
    }
    if body["type"] != LEGACY {
        return Err(Error::bad_request(format!(
            "Provided object does not match schema 'task': {} is not one of ['import']",
            body["type"]
        ))
        .into());
    }
    let input = body["input"].clone();
    rules::legacy(&ctx, &input, &glance.download)?;
    let task = Task::new(&ctx, LEGACY, None, input);
    imports::store::queue(&glance.db, &ctx, &task, None).await?;
    glance.importing.wake(&task.id);
    let mut response = web::json(201, &view::whole(&task));
    if let Ok(value) = http::HeaderValue::from_str(&format!("/v2/tasks/{}", task.id)) {
        response.headers_mut().insert(http::header::LOCATION, value);
    }
    Ok(response)
}
