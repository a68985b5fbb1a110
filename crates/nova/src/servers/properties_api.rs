//! `/v2.1/servers/{id}/metadata`, `/tags` and `/os-server-password`

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Ctx, Error};
use db::Event;
use http::HeaderValue;
use http::header::LOCATION;
use serde_json::{Value, json};
use web::{Caller, Json, Origin, Path, Response, Result, State, no_content};

use super::create::parse::metadata as pairs;
use super::{Server, VmState, policy, rules, store};
use crate::links::Links;
use crate::schema::{self, Kind, TAG};
use crate::{Nova, quotas};

const RESTING: &[VmState] = &[VmState::Active, VmState::Paused, VmState::Stopped];
const METADATA: Kind = Kind::Metadata { null: false, numbers: false };
const MOST_TAGS: usize = 50;

async fn find(nova: &Nova, ctx: &Ctx, id: &str) -> Result<Server> {
    Ok(store::find(&mut *nova.db.read().await?, ctx, id).await?)
}

/// Changes metadata under the lock and the project's quota.
async fn change_metadata(
    nova: &Nova,
    ctx: &Ctx,
    id: &str,
    action: &'static str,
    change: impl Fn(&mut BTreeMap<String, String>) -> base::Result<()> + Send + Sync,
) -> base::Result<BTreeMap<String, String>> {
    db::write!(nova.db, |tx| {
        let mut server = store::find(tx, ctx, id).await?;
        ctx.authorize(&policy::METADATA_CHANGE, Some(&server.project_id))?;
        rules::check_lock(ctx, &server)?;
        rules::check_vm_state(&server, action, RESTING)?;
        change(&mut server.metadata)?;
        let limit = quotas::limits(tx, Some(&server.project_id)).await?.of("metadata_items");
        if limit >= 0 && i64::try_from(server.metadata.len()).unwrap_or(i64::MAX) > limit {
            return Err(Error::forbidden(format!("Maximum number of metadata items exceeds {limit}")));
        }
        store::save(tx, ctx, "server.update", &server).await?;
        Ok(server.metadata)
    })
}

pub async fn metadata(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    Ok(web::json(200, &json!({"metadata": find(&nova, &ctx, &id).await?.metadata})))
}

fn checked(ctx: &Ctx, body: &Value, key: &str) -> base::Result<BTreeMap<String, String>> {
    let inner = schema::root(body, &[key])?
        .get(key)
        .ok_or_else(|| Error::bad_request(format!("'{key}' is a required property")))?;
    schema::check(&METADATA, inner, key, ctx.microversion.minor)?;
    Ok(pairs(Some(inner)))
}

/// POST: the given items on top of what is there.
pub async fn merge_metadata(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response> {
    let items = checked(&ctx, &body, "metadata")?;
    let all = change_metadata(&nova, &ctx, &id, "update metadata", |m| {
        m.extend(items.clone());
        Ok(())
    })
    .await?;
    Ok(web::json(200, &json!({"metadata": all})))
}

/// PUT: the given items and no others.
pub async fn replace_metadata(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response> {
    let items = checked(&ctx, &body, "metadata")?;
    let all = change_metadata(&nova, &ctx, &id, "update metadata", |m| {
        m.clone_from(&items);
        Ok(())
    })
    .await?;
    Ok(web::json(200, &json!({"metadata": all})))
}

fn no_item() -> Error {
    Error::not_found("Metadata item was not found")
}

pub async fn metadata_item(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, key)): Path<(String, String)>,
) -> Result<Response> {
    let server = find(&nova, &ctx, &id).await?;
    let value = server.metadata.get(&key).ok_or_else(no_item)?;
    Ok(web::json(200, &json!({"meta": {&*key: value}})))
}

pub async fn set_metadata_item(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, key)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Result<Response> {
    let items = checked(&ctx, &body, "meta")?;
    if items.len() != 1 {
        return Err(Error::bad_request("Request body contains too many or too few items").into());
    }
    if !items.contains_key(&key) {
        return Err(Error::bad_request("Request body and URI mismatch").into());
    }
    change_metadata(&nova, &ctx, &id, "update metadata", |m| {
        m.extend(items.clone());
        Ok(())
    })
    .await?;
    Ok(web::json(200, &json!({"meta": items})))
}

pub async fn delete_metadata_item(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, key)): Path<(String, String)>,
) -> Result<Response> {
    change_metadata(&nova, &ctx, &id, "delete metadata", |m| m.remove(&key).map(drop).ok_or_else(no_item))
        .await?;
    Ok(no_content(204))
}

/// What the guest posted to the metadata service.
pub async fn password(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    let mut conn = nova.db.read().await?;
    store::find(&mut conn, &ctx, &id).await?;
    let password = store::spec(&mut conn, &id).await?.guest_password.unwrap_or_default();
    Ok(web::json(200, &json!({"password": password})))
}

pub async fn clear_password(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    db::write!(nova.db, |tx| {
        let server = store::find(tx, &ctx, &id).await?;
        ctx.authorize(&policy::PASSWORD_CLEAR, Some(&server.project_id))?;
        store::clear_guest_password(tx, &id).await?;
        tx.event(Event::new("nova", "server.password.clear", &id, &server.project_id, &ctx)).await?;
        Ok::<_, Error>(())
    })?;
    Ok(no_content(204))
}

async fn change_tags<T: Send>(
    nova: &Nova,
    ctx: &Ctx,
    id: &str,
    action: &'static str,
    change: impl Fn(&mut Vec<String>) -> base::Result<T> + Send + Sync,
) -> base::Result<T> {
    crate::query::since(ctx, 26)?;
    db::write!(nova.db, |tx| {
        let mut server = store::find(tx, ctx, id).await?;
        ctx.authorize(&policy::TAGS_CHANGE, Some(&server.project_id))?;
        rules::check_vm_state(&server, action, RESTING)?;
        let answer = change(&mut server.tags)?;
        server.tags.sort();
        server.tags.dedup();
        store::save(tx, ctx, "server.update", &server).await?;
        Ok(answer)
    })
}

pub async fn tags(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    crate::query::since(&ctx, 26)?;
    Ok(web::json(200, &json!({"tags": find(&nova, &ctx, &id).await?.tags})))
}

const TAGS: &[schema::Field] = &[schema::Field::new("tags", Kind::List(&TAG, 0, MOST_TAGS)).required()];

pub async fn replace_tags(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response> {
    schema::root(&body, &["tags"])?;
    schema::check(&Kind::Object(TAGS), &body, "tags", ctx.microversion.minor)?;
    let wanted: Vec<String> =
        body["tags"].as_array().into_iter().flatten().filter_map(|t| t.as_str().map(Into::into)).collect();
    change_tags(&nova, &ctx, &id, "update tags", |tags| {
        tags.clone_from(&wanted);
        Ok(())
    })
    .await?;
    tags(State(nova), Caller(ctx), Path(id)).await
}

pub async fn delete_tags(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    change_tags(&nova, &ctx, &id, "delete tags", |tags| {
        tags.clear();
        Ok(())
    })
    .await?;
    Ok(no_content(204))
}

fn no_tag(id: &str, tag: &str) -> Error {
    Error::not_found(format!("Server {id} has no tag '{tag}'"))
}

pub async fn tag(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, tag)): Path<(String, String)>,
) -> Result<Response> {
    crate::query::since(&ctx, 26)?;
    if find(&nova, &ctx, &id).await?.tags.contains(&tag) {
        Ok(no_content(204))
    } else {
        Err(no_tag(&id, &tag).into())
    }
}

pub async fn set_tag(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, tag)): Path<(String, String)>,
    origin: Origin,
) -> Result<Response> {
    if let Err(e) = schema::check(&TAG, &json!(tag), "tag", 96) {
        return Err(Error::bad_request(format!(
            "Tag '{tag}' is invalid. It must be a non empty string without characters '/' and ','. Validation \
             error message: {}",
            e.message
        ))
        .into());
    }
    let is_new = change_tags(&nova, &ctx, &id, "update tag", |tags| {
        if tags.contains(&tag) {
            return Ok(false);
        }
        if tags.len() >= MOST_TAGS {
            return Err(Error::bad_request(format!(
                "The number of tags exceeded the per-server limit {MOST_TAGS}"
            )));
        }
        tags.push(tag.clone());
        Ok(true)
    })
    .await?;
    if !is_new {
        return Ok(no_content(204));
    }
    let mut response = no_content(201);
    let location = format!("{}/tags/{tag}", Links::new(&origin).to("servers", &id));
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

pub async fn delete_tag(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, tag)): Path<(String, String)>,
) -> Result<Response> {
    change_tags(&nova, &ctx, &id, "delete tag", |tags| match tags.iter().position(|t| *t == tag) {
        Some(at) => {
            tags.remove(at);
            Ok(())
        }
        None => Err(no_tag(&id, &tag)),
    })
    .await?;
    Ok(no_content(204))
}
