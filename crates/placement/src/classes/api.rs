//! `/resource_classes`.

use std::sync::{Arc, LazyLock};

use base::{Error, Policy, Rule};
use serde_json::{Value, json};
use web::axum::extract::Request;
use web::schema::Schema;
use web::{Caller, Origin, Path, Result, Routes, State};

use super::{STANDARD, is_standard, store, unknown};
use crate::Placement;
use crate::wire::{Content, MOUNT, Reads, dated, located, since, valid_body};

const LIST: Policy = Policy::new("placement:resource_classes:list", Rule::Service);
const CREATE: Policy = Policy::new("placement:resource_classes:create", Rule::Service);
const SHOW: Policy = Policy::new("placement:resource_classes:show", Rule::Service);
const UPDATE: Policy = Policy::new("placement:resource_classes:update", Rule::Service);
const DELETE: Policy = Policy::new("placement:resource_classes:delete", Rule::Service);

type Placements = State<Arc<Placement>>;

static NAMED: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(&json!({
        "type": "object",
        "properties": {"name": {"type": "string", "pattern": "^CUSTOM_[A-Z0-9_]+$", "maxLength": 255}},
        "required": ["name"],
        "additionalProperties": false,
    }))
});

pub fn routes(routes: Routes<Arc<Placement>>) -> Routes<Arc<Placement>> {
    routes
        .get("/resource_classes", &LIST, list)
        .post("/resource_classes", &CREATE, create)
        .get("/resource_classes/{name}", &SHOW, get)
        .put("/resource_classes/{name}", &UPDATE, update)
        .delete("/resource_classes/{name}", &DELETE, delete)
}

fn view(name: &str) -> Value {
    json!({"name": name, "links": [{"rel": "self", "href": format!("{MOUNT}/resource_classes/{name}")}]})
}

async fn list(State(placement): Placements, Caller(ctx): Caller, _: Reads) -> Result {
    since(&ctx, 2)?;
    let own = store::list(&mut *placement.db.read().await?).await?;
    let all: Vec<Value> = STANDARD.into_iter().chain(own.iter().map(String::as_str)).map(view).collect();
    Ok(dated(&ctx, web::json(200, &json!({"resource_classes": all})), None))
}

async fn get(
    State(placement): Placements,
    Caller(ctx): Caller,
    _: Reads,
    Path(name): Path<String>,
) -> Result {
    since(&ctx, 2)?;
    if !store::exists(&mut *placement.db.read().await?, &name).await? {
        return Err(unknown(&name).into());
    }
    Ok(dated(&ctx, web::json(200, &view(&name)), None))
}

async fn create(
    State(placement): Placements,
    Caller(ctx): Caller,
    Origin(origin): Origin,
    Content(body): Content,
) -> Result {
    since(&ctx, 2)?;
    valid_body(&NAMED, &body)?;
    let name = body["name"].as_str().unwrap_or_default();
    if !store::create(&placement.db, &ctx, name).await? {
        return Err(Error::conflict(format!("Conflicting resource class already exists: {name}")).into());
    }
    Ok(located(web::no_content(201), &origin, &format!("/resource_classes/{name}")))
}

/// Up to 1.6 it renames, with a body; since 1.7 it makes sure that the class exists, without one.
async fn update(
    State(placement): Placements,
    Caller(ctx): Caller,
    Origin(origin): Origin,
    Path(name): Path<String>,
    request: Request,
) -> Result {
    since(&ctx, 2)?;
    if ctx.at_least(1, 7) {
        valid_body(&NAMED, &json!({"name": name}))?;
        let status = if store::create(&placement.db, &ctx, &name).await? { 201 } else { 204 };
        return Ok(located(web::no_content(status), &origin, &format!("/resource_classes/{name}")));
    }
    let Content(body) = <Content as web::axum::extract::FromRequest<()>>::from_request(request, &()).await?;
    valid_body(&NAMED, &body)?;
    if is_standard(&name) {
        return Err(Error::bad_request(format!("Cannot update standard resource class {name}")).into());
    }
    let to = body["name"].as_str().unwrap_or_default();
    store::rename(&placement.db, &ctx, &name, to).await?;
    Ok(web::json(200, &view(to)))
}

async fn delete(State(placement): Placements, Caller(ctx): Caller, Path(name): Path<String>) -> Result {
    since(&ctx, 2)?;
    if is_standard(&name) {
        return Err(Error::bad_request(format!(
            "Error in delete resource class: Cannot delete standard resource class {name}."
        ))
        .into());
    }
    store::delete(&placement.db, &ctx, &name).await?;
    Ok(web::no_content(204))
}
