//! `/v2/images`: HTTP in and out.

use std::sync::Arc;
use std::time::Duration;

use base::{Ctx, Error};
use http::HeaderValue;
use serde_json::Value;
use web::axum::extract::{FromRequest, Request};
use web::{Caller, Json, Params, Path, Response, Result, Routes, State};

use super::patch::Form;
use super::{Image, Status, list, load_visible, patch, policy, rules, store, view};
use crate::Glance;
use crate::imports::METHODS;

type Glances = State<Arc<Glance>>;

/// How long a look at one image waits for its digests: a GiB takes about two seconds.
const PATIENCE: Duration = Duration::from_secs(5);

pub fn routes(routes: Routes<Arc<Glance>>) -> Routes<Arc<Glance>> {
    routes
        .get("/v2/images", &policy::LIST, list_images)
        .post("/v2/images", &policy::CREATE, create)
        .get("/v2/images/{id}", &policy::GET, get)
        .patch("/v2/images/{id}", &policy::seen::MODIFY, update)
        .delete("/v2/images/{id}", &policy::seen::DELETE, delete)
        .put("/v2/images/{id}/tags/{tag}", &policy::seen::MODIFY, add_tag)
        .delete("/v2/images/{id}/tags/{tag}", &policy::seen::MODIFY, delete_tag)
        .post("/v2/images/{id}/actions/deactivate", &policy::seen::DEACTIVATE, deactivate)
        .post("/v2/images/{id}/actions/reactivate", &policy::seen::REACTIVATE, reactivate)
}

async fn create(State(glance): Glances, Caller(ctx): Caller, Json(body): Json<Value>) -> Result {
    rules::in_a_project(&ctx, &policy::CREATE)?;
    let image = rules::new_image(&ctx, &body)?;
    store::create(&glance.db, &ctx, &image).await?;
    let mut response = web::json(201, &view::View(&image));
    for (name, value) in [
        ("location", format!("/v2/images/{}", image.id)),
        ("openstack-image-import-methods", METHODS.join(",")),
        ("openstack-image-store-ids", glance.files.ids().join(",")),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

async fn get(State(glance): Glances, Caller(ctx): Caller, Path(id): Path<String>) -> Result {
    let mut image = load_visible(&glance, &ctx, &id).await?;
    if image.is_unhashed() {
        // Clients print the digests right after an upload; the upload itself did not wait for them.
        let done = glance.hashing.wake_and_wait(&id);
        if tokio::time::timeout(PATIENCE, done).await.is_ok() {
            image = load_visible(&glance, &ctx, &id).await?;
        }
    }
    Ok(web::json(200, &view::View(&image)))
}

async fn update(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result {
    let kind =
        request.headers().get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let form = Form::of(kind)?;
    let Json(body) = <Json<Value> as FromRequest<()>>::from_request(request, &()).await?;
    let changes = patch::parse(form, &body)?;
    let image = load_visible(&glance, &ctx, &id).await?;
    rules::may_change(&ctx, &image, &policy::MODIFY)?;
    if changes.is_empty() {
        return Ok(web::json(200, &view::View(&image)));
    }
    let image = store::edit(&glance.db, &ctx, "image.update", &id, |image| {
        *image = patch::apply(&ctx, image, &changes)?;
        Ok(())
    })
    .await?;
    Ok(web::json(200, &view::View(&image)))
}

async fn delete(State(glance): Glances, Caller(ctx): Caller, Path(id): Path<String>) -> Result {
    let image = load_visible(&glance, &ctx, &id).await.map_err(|e| {
        if e.is_not_found() { Error::not_found(format!("Failed to find image {id} to delete")) } else { e }
    })?;
    rules::may_change(&ctx, &image, &policy::DELETE)?;
    rules::may_delete(&image)?;
    store::delete(&glance.db, glance.keys.get().map(AsRef::as_ref), &ctx, &image).await?;
    // Machines that run from it have links of their own to the data.
    glance.files.remove(&id)?;
    Ok(web::no_content(204))
}

async fn add_tag(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path((id, tag)): Path<(String, String)>,
) -> Result {
    change(&glance, &ctx, &id, &policy::MODIFY, |image| {
        rules::add_tag(image, &tag)?;
        rules::check(image)
    })
    .await
}

async fn delete_tag(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path((id, tag)): Path<(String, String)>,
) -> Result {
    change(&glance, &ctx, &id, &policy::MODIFY, |image| {
        let before = image.tags.len();
        image.tags.retain(|t| *t != tag);
        if image.tags.len() == before { Err(Error::not_found("Could not find tag.")) } else { Ok(()) }
    })
    .await
}

async fn deactivate(State(glance): Glances, Caller(ctx): Caller, Path(id): Path<String>) -> Result {
    change(&glance, &ctx, &id, &policy::DEACTIVATE, |image| match image.status {
        Status::Active | Status::Deactivated => {
            image.status = Status::Deactivated;
            Ok(())
        }
        other => {
            Err(Error::forbidden(format!("Not allowed to deactivate image in status '{}'", other.as_str())))
        }
    })
    .await
}

async fn reactivate(State(glance): Glances, Caller(ctx): Caller, Path(id): Path<String>) -> Result {
    change(&glance, &ctx, &id, &policy::REACTIVATE, |image| match image.status {
        Status::Active | Status::Deactivated => {
            image.status = Status::Active;
            Ok(())
        }
        other => {
            Err(Error::forbidden(format!("Not allowed to reactivate image in status '{}'", other.as_str())))
        }
    })
    .await
}

async fn change(
    glance: &Glance,
    ctx: &Ctx,
    id: &str,
    policy: &base::Policy,
    work: impl Fn(&mut Image) -> base::Result<()> + Sync,
) -> Result {
    let image = load_visible(glance, ctx, id).await?;
    rules::may_change(ctx, &image, policy)?;
    store::edit(&glance.db, ctx, "image.update", id, work).await?;
    Ok(web::no_content(204))
}

async fn list_images(State(glance): Glances, Caller(ctx): Caller, params: Params) -> Result<Response> {
    let (images, full) = list::page(&glance, &ctx, &params).await?;
    let next = images.last().filter(|_| full).map(|last| path(&params.with_marker("", &last.id)));
    let list = view::List {
        images: images.iter().map(view::View).collect(),
        first: path(params.with_marker("", "").trim_end_matches("marker=").trim_end_matches(['&', '?'])),
        next,
        schema: "/v2/schemas/images",
    };
    Ok(web::json(200, &list))
}

/// Glance's links are relative to its endpoint, so the mount is left out of them.
fn path(link: &str) -> String {
    link.replacen("/image/", "/", 1)
}
