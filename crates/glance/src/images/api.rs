//! `/v2/images`: HTTP in and out.

use std::sync::Arc;

use base::page::Direction;
use base::{Ctx, Error};
use http::HeaderValue;
use serde_json::{Value, json};
use web::{Caller, Fault, Json, Origin, Params, Path, Response, Result, Routes, State};

use super::{Image, Status, Visibility, load_visible, patch, policy, rules, store, view};
use crate::Glance;

type Glances = State<Arc<Glance>>;

pub fn routes(routes: Routes<Arc<Glance>>) -> Routes<Arc<Glance>> {
    routes
        .get("/v2/images", &policy::LIST, list)
        .post("/v2/images", &policy::CREATE, create)
        .get("/v2/images/{id}", &policy::GET, get)
        .patch("/v2/images/{id}", &policy::MODIFY, update)
        .delete("/v2/images/{id}", &policy::DELETE, delete)
        .put("/v2/images/{id}/tags/{tag}", &policy::MODIFY, add_tag)
        .delete("/v2/images/{id}/tags/{tag}", &policy::MODIFY, delete_tag)
        .post("/v2/images/{id}/actions/deactivate", &policy::DEACTIVATE, deactivate)
        .post("/v2/images/{id}/actions/reactivate", &policy::REACTIVATE, reactivate)
}

async fn create(
    State(glance): Glances,
    Caller(ctx): Caller,
    Origin(origin): Origin,
    Json(body): Json<Value>,
) -> Result {
    let image = rules::new_image(&ctx, &body)?;
    store::create(&glance.db, &ctx, &image).await?;
    let mut response = web::json(201, &view::image(&image));
    let location = format!("{origin}/image/v2/images/{}", image.id);
    for (name, value) in [("location", location), ("openstack-image-import-methods", String::new())] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

async fn get(State(glance): Glances, Caller(ctx): Caller, Path(id): Path<String>) -> Result {
    Ok(web::json(200, &view::image(&load_visible(&glance, &ctx, &id).await?)))
}

async fn update(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    request: web::axum::extract::Request,
) -> Result {
    let kind =
        request.headers().get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/openstack-images-v2.") || !kind.ends_with("-json-patch") {
        return Err(Error::unsupported_media_type(
            "Supported content types are application/openstack-images-v2.1-json-patch, \
             application/openstack-images-v2.0-json-patch",
        )
        .into());
    }
    let Json(body) = <Json<Value> as web::axum::extract::FromRequest<()>>::from_request(request, &()).await?;
    let image = load_visible(&glance, &ctx, &id).await?;
    rules::may_change(&ctx, &image, &policy::MODIFY)?;
    let image = patch::apply(&ctx, &image, &body)?;
    store::update(&glance.db, &ctx, "image.update", &image).await?;
    Ok(web::json(200, &view::image(&load_visible(&glance, &ctx, &id).await?)))
}

async fn delete(State(glance): Glances, Caller(ctx): Caller, Path(id): Path<String>) -> Result {
    let image = load_visible(&glance, &ctx, &id).await?;
    rules::may_change(&ctx, &image, &policy::DELETE)?;
    rules::may_delete(&image)?;
    store::delete(&glance.db, &ctx, &image).await?;
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
        if image.tags.len() == before {
            Err(Error::not_found(format!("Image does not have tag {tag}.")))
        } else {
            Ok(())
        }
    })
    .await
}

async fn deactivate(State(glance): Glances, Caller(ctx): Caller, Path(id): Path<String>) -> Result {
    transit(&glance, &ctx, &id, &policy::DEACTIVATE, Status::Active, Status::Deactivated).await
}

async fn reactivate(State(glance): Glances, Caller(ctx): Caller, Path(id): Path<String>) -> Result {
    transit(&glance, &ctx, &id, &policy::REACTIVATE, Status::Deactivated, Status::Active).await
}

async fn transit(
    glance: &Glance,
    ctx: &Ctx,
    id: &str,
    policy: &base::Policy,
    from: Status,
    to: Status,
) -> Result {
    change(glance, ctx, id, policy, |image| {
        if image.status != from && image.status != to {
            return Err(Error::forbidden(format!(
                "Image status transition from {} to {} is not allowed",
                image.status.as_str(),
                to.as_str()
            )));
        }
        image.status = to;
        Ok(())
    })
    .await
}

async fn change(
    glance: &Glance,
    ctx: &Ctx,
    id: &str,
    policy: &base::Policy,
    work: impl FnOnce(&mut Image) -> base::Result<()>,
) -> Result {
    let mut image = load_visible(glance, ctx, id).await?;
    rules::may_change(ctx, &image, policy)?;
    work(&mut image)?;
    store::update(&glance.db, ctx, "image.update", &image).await?;
    Ok(web::no_content(204))
}

const MAX_PAGE: usize = 1000;
const DEFAULT_PAGE: usize = 25;

async fn list(State(glance): Glances, Caller(ctx): Caller, params: Params) -> Result<Response> {
    let mut page = params.page()?;
    let filter = Filter::parse(&params)?;
    let project = if ctx.is_admin() { None } else { Some(ctx.require_project()?.to_owned()) };
    let own = ctx.project().map(|p| p.id.clone());
    let mut conn = glance.db.read().await?;
    let rows = store::list(&mut conn, project.as_deref()).await?;
    drop(conn);
    let mut images: Vec<Image> = rows
        .into_iter()
        .filter(|(image, membership)| filter.keeps(image, membership.as_deref(), own.as_deref()))
        .map(|(image, _)| image)
        .collect();
    if page.sort.is_empty() {
        page.sort = vec![("created_at".into(), Direction::Descending)];
    }
    for (key, _) in &page.sort {
        if !SORT_KEYS.contains(&key.as_str()) {
            return Err(Error::bad_request(format!("Unsupported sort key '{key}'.")).into());
        }
    }
    images.sort_by(|a, b| {
        let keys = page.sort.iter().map(|(key, dir)| {
            let order = sort_value(a, key).cmp(&sort_value(b, key));
            if *dir == Direction::Descending { order.reverse() } else { order }
        });
        keys.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then).then_with(|| b.id.cmp(&a.id))
    });
    page.limit = Some(page.limit.unwrap_or(DEFAULT_PAGE));
    let (images, more) = page
        .cut(images, MAX_PAGE, |i| &i.id)
        .ok_or_else(|| Fault(Error::bad_request("Invalid marker: no such image.")))?;
    let mut out = json!({
        "images": images.iter().map(view::image).collect::<Vec<_>>(),
        "schema": "/v2/schemas/images",
        "first": first(&params),
    });
    if let (true, Some(last)) = (more, images.last()) {
        out["next"] = Value::String(params.with_marker("", &last.id).replacen("/image", "", 1));
    }
    Ok(web::json(200, &out))
}

fn first(params: &Params) -> String {
    let with = params.with_marker("", "x").replacen("/image", "", 1);
    let without = with.trim_end_matches("marker=x").trim_end_matches(['&', '?']);
    without.to_owned()
}

const SORT_KEYS: [&str; 9] =
    ["name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at", "owner"];

/// Numbers sort as numbers: zero-padded text compares the same.
fn sort_value(image: &Image, key: &str) -> String {
    let number = |n: i64| format!("{n:020}");
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    match key {
        "name" => text(&image.name),
        "status" => image.status.as_str().into(),
        "container_format" => text(&image.container_format),
        "disk_format" => text(&image.disk_format),
        "size" => number(image.size.unwrap_or(0)),
        "created_at" => number(image.created_at),
        "updated_at" => number(image.updated_at),
        "owner" => text(&image.owner),
        _ => image.id.clone(),
    }
}

/// The filters of a list, parsed once.
struct Filter {
    equal: Vec<(String, Vec<String>)>,
    tags: Vec<String>,
    visibility: Option<Visibility>,
    hidden: bool,
    protected: Option<bool>,
    size_min: Option<i64>,
    size_max: Option<i64>,
    times: Vec<(bool, std::cmp::Ordering, bool, i64)>,
    member_status: String,
}

impl Filter {
    fn parse(params: &Params) -> base::Result<Self> {
        let mut filter = Filter {
            equal: Vec::new(),
            tags: params.all("tag").map(Into::into).collect(),
            visibility: None,
            hidden: params.flag("os_hidden").unwrap_or(false),
            protected: None,
            size_min: None,
            size_max: None,
            times: Vec::new(),
            member_status: "accepted".into(),
        };
        for (key, value) in params.pairs() {
            match key.as_str() {
                "limit" | "marker" | "sort" | "sort_key" | "sort_dir" | "tag" | "os_hidden" => {}
                "visibility" if value == "all" => {}
                "visibility" => {
                    filter.visibility =
                        Some(Visibility::parse(value).ok_or_else(|| {
                            Error::bad_request(format!("Invalid visibility value: {value}"))
                        })?);
                }
                "protected" => {
                    filter.protected = Some(
                        params
                            .flag("protected")
                            .ok_or_else(|| Error::bad_request("Invalid value for option protected"))?,
                    );
                }
                "size_min" | "size_max" => {
                    let n = value.parse::<i64>().ok().filter(|n| *n >= 0);
                    let n =
                        n.ok_or_else(|| Error::bad_request(format!("Cannot convert {value} to an integer")))?;
                    if key == "size_min" { filter.size_min = Some(n) } else { filter.size_max = Some(n) }
                }
                "member_status" => {
                    if !["pending", "accepted", "rejected", "all"].contains(&value.as_str()) {
                        return Err(Error::bad_request(format!("Invalid status: {value}")));
                    }
                    filter.member_status = value.clone();
                }
                "created_at" | "updated_at" => filter.times.push(parse_time(key == "created_at", value)?),
                _ => filter.equal.push((key.clone(), one_or_many(value))),
            }
        }
        Ok(filter)
    }

    fn keeps(&self, image: &Image, membership: Option<&str>, own: Option<&str>) -> bool {
        let owned = own.is_some() && image.owner.as_deref() == own;
        let visible = match (self.visibility, image.visibility) {
            (Some(asked), v) if asked != v => false,
            (None, Visibility::Community) => owned,
            (_, Visibility::Shared) if !owned && membership.is_some() => {
                self.member_status == "all" || membership == Some(&self.member_status)
            }
            _ => true,
        };
        visible
            && image.hidden == self.hidden
            && self.protected.is_none_or(|p| p == image.protected)
            && self.tags.iter().all(|t| image.tags.contains(t))
            && self.size_min.is_none_or(|n| image.size.unwrap_or(0) >= n)
            && self.size_max.is_none_or(|n| image.size.unwrap_or(0) <= n)
            && self.times.iter().all(|&(created, order, or_equal, at)| {
                let actual = if created { image.created_at } else { image.updated_at } / 1_000_000;
                let found = actual.cmp(&(at / 1_000_000));
                found == order || (or_equal && found == std::cmp::Ordering::Equal)
            })
            && self
                .equal
                .iter()
                .all(|(key, wanted)| attribute(image, key).is_some_and(|v| wanted.contains(&v)))
    }
}

/// `in:a,b,"c d"` is a list.
fn one_or_many(value: &str) -> Vec<String> {
    match value.strip_prefix("in:") {
        None => vec![value.to_owned()],
        Some(list) => list.split(',').map(|v| v.trim_matches('"').to_owned()).collect(),
    }
}

fn attribute(image: &Image, key: &str) -> Option<String> {
    match key {
        "id" => Some(image.id.clone()),
        "name" => image.name.clone(),
        "status" => Some(image.status.as_str().into()),
        "owner" => image.owner.clone(),
        "disk_format" => image.disk_format.clone(),
        "container_format" => image.container_format.clone(),
        "checksum" => image.checksum.clone(),
        "os_hash_algo" => image.hash_algo.clone(),
        "os_hash_value" => image.hash_value.clone(),
        "min_disk" => Some(image.min_disk.to_string()),
        "min_ram" => Some(image.min_ram.to_string()),
        "size" => image.size.map(|n| n.to_string()),
        other => image.properties.get(other).cloned(),
    }
}

/// `gte:2026-01-01T00:00:00Z`; without an operator it means equal.
fn parse_time(created: bool, value: &str) -> base::Result<(bool, std::cmp::Ordering, bool, i64)> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let table = [
        ("gte:", Greater, true),
        ("gt:", Greater, false),
        ("lte:", Less, true),
        ("lt:", Less, false),
        ("eq:", Equal, true),
    ];
    let (order, or_equal, text) = table
        .into_iter()
        .find_map(|(prefix, order, or_equal)| Some((order, or_equal, value.strip_prefix(prefix)?)))
        .unwrap_or((Equal, true, value));
    let at =
        base::time::parse(text).ok_or_else(|| Error::bad_request(format!("Invalid time format: {text}.")))?;
    Ok((created, order, or_equal, at))
}
