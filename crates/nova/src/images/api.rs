//! `/v2.1/images`

use std::sync::Arc;

use base::{Ctx, Error, Page};
use http::Method;
use serde_json::{Value, json};
use web::{Caller, Origin, Params, Path, Response, Result, State, no_content};

use super::{not_found, properties, view};
use crate::Nova;
use crate::query::{MAX_LIMIT, PROXIES_GONE};

/// All images that the caller may see, newest first.
async fn all(nova: &Nova, ctx: &Ctx) -> Result<Vec<Value>> {
    let mut path = "/v2/images?limit=1000".to_owned();
    let mut images = Vec::new();
    loop {
        let mut page = nova.image_api.call(ctx, Method::GET, &path, None).await?;
        if let Value::Array(more) = page["images"].take() {
            images.extend(more);
        }
        match page["next"].as_str() {
            Some(next) => path = next.to_owned(),
            None => return Ok(images),
        }
    }
}

/// Nova's filters: its own names for some of an image's fields, and `property-<name>`.
fn matches(image: &Value, params: &Params) -> base::Result<bool> {
    let own = properties(image);
    let property = |key: &str, wanted: &str| own.get(key).is_some_and(|value| value == wanted);
    for (key, wanted) in params.pairs() {
        let number = |field: &str| wanted.parse::<i64>().is_ok_and(|n| image[field].as_i64() == Some(n));
        let fits = match key.as_str() {
            "name" => image["name"] == **wanted,
            "status" => view::status(image).0.eq_ignore_ascii_case(wanted),
            "server" => property("instance_uuid", wanted.rsplit('/').next().unwrap_or_default()),
            "type" => property("image_type", wanted),
            "minRam" => number("min_ram"),
            "minDisk" => number("min_disk"),
            "changes-since" => {
                let since = base::time::parse(wanted)
                    .ok_or_else(|| Error::bad_request(format!("Invalid time {wanted}.")))?;
                image["updated_at"].as_str().and_then(base::time::parse).is_some_and(|at| at >= since)
            }
            key => key.strip_prefix("property-").is_none_or(|key| property(key, wanted)),
        };
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn find(nova: &Nova, ctx: &Ctx, params: &Params) -> Result<(Vec<Value>, bool)> {
    crate::query::before(ctx, PROXIES_GONE)?;
    let page = page(params)?;
    let mut images = Vec::new();
    for image in all(nova, ctx).await? {
        if matches(&image, params)? {
            images.push(image);
        }
    }
    let marker = page.marker.clone().unwrap_or_default();
    page.cut(images, MAX_LIMIT, |image| image["id"].as_str().unwrap_or_default())
        .ok_or_else(|| Error::bad_request(format!("marker [{marker}] not found")).into())
}

fn page(params: &Params) -> base::Result<Page> {
    let number = |key: &str| match params.get(key) {
        None => Ok(None),
        Some(text) => text
            .parse::<usize>()
            .map(Some)
            .map_err(|_| Error::bad_request(format!("{key} param must be an integer"))),
    };
    Ok(Page { limit: number("limit")?, marker: params.get("marker").map(Into::into), ..Page::default() })
}

fn listing(
    params: &Params,
    origin: &Origin,
    (images, more): &(Vec<Value>, bool),
    view: fn(&Origin, &Value) -> Value,
) -> Response {
    let views: Vec<Value> = images.iter().map(|image| view(origin, image)).collect();
    let mut body = json!({"images": views});
    if let (true, Some(last)) = (*more, images.last()) {
        body["images_links"] = web::next_link(params, &origin.0, last["id"].as_str().unwrap_or_default());
    }
    web::json(200, &body)
}

pub async fn list(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    params: Params,
    origin: Origin,
) -> Result<Response> {
    Ok(listing(&params, &origin, &find(&nova, &ctx, &params).await?, view::brief))
}

pub async fn detail(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    params: Params,
    origin: Origin,
) -> Result<Response> {
    Ok(listing(&params, &origin, &find(&nova, &ctx, &params).await?, view::full))
}

pub async fn show(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    origin: Origin,
) -> Result<Response> {
    crate::query::before(&ctx, PROXIES_GONE)?;
    let image = nova.glance_image(&ctx, &id).await?;
    Ok(web::json(200, &json!({"image": view::full(&origin, &image)})))
}

pub async fn delete(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    crate::query::before(&ctx, PROXIES_GONE)?;
    if !base::id::is_uuid(&id) {
        return Err(not_found().into());
    }
    let done = nova.image_api.call(&ctx, Method::DELETE, &format!("/v2/images/{id}"), None).await;
    done.map_err(|refused| match refused.status {
        404 => not_found(),
        403 => Error::forbidden("You are not allowed to delete the image."),
        _ => refused.into(),
    })?;
    Ok(no_content(204))
}
