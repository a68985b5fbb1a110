//! `/v3/group_snapshots`.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::time::micros_naive;
use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Json, Params, Path, Result, Routes, State};

use super::{GroupSnapshot, load, store};
use crate::asker::Asker;
use crate::form::{Form, action, since};
use crate::listing::{Listing, keep};
use crate::snapshots::{self, store::NewSnapshot};
use crate::{Cinder, groups, policy, volumes};

type Cinders = State<Arc<Cinder>>;

const STATUSES: [&str; 7] =
    ["error", "available", "creating", "deleting", "deleted", "updating", "error_deleting"];

pub fn routes(routes: Routes<Arc<Cinder>>) -> Routes<Arc<Cinder>> {
    routes
        .get("/v3/group_snapshots", &policy::GROUP_SNAPSHOT_LIST, list)
        .get("/v3/group_snapshots/detail", &policy::GROUP_SNAPSHOT_LIST, list_details)
        .post("/v3/group_snapshots", &policy::GROUP_SNAPSHOT_CREATE, create)
        .get("/v3/group_snapshots/{id}", &policy::GROUP_SNAPSHOT_GET, get)
        .delete("/v3/group_snapshots/{id}", &policy::GROUP_SNAPSHOT_DELETE, delete)
        .post("/v3/group_snapshots/{id}/action", &policy::GROUP_SNAPSHOT_RESET, act)
}

fn summary(one: &GroupSnapshot) -> Value {
    json!({"id": one.id, "name": one.name})
}

/// An answer to its maker tells of the type as well.
fn made(one: &GroupSnapshot) -> Value {
    json!({"id": one.id, "name": one.name, "group_type_id": one.group_type})
}

fn detail(ctx: &Ctx, one: &GroupSnapshot) -> Value {
    let mut body = json!({
        "id": one.id,
        "group_id": one.group_id,
        "group_type_id": one.group_type,
        "status": one.status,
        "created_at": micros_naive(one.created_at),
        "name": one.name,
        "description": one.description,
    });
    if ctx.at_least(3, 58) && ctx.is_admin() {
        body["project_id"] = json!(one.project_id);
    }
    body
}

async fn list(state: Cinders, asker: Asker, params: Params, origin: web::Origin) -> Result {
    page(state, asker, params, origin, false).await
}

async fn list_details(state: Cinders, asker: Asker, params: Params, origin: web::Origin) -> Result {
    page(state, asker, params, origin, true).await
}

async fn page(
    State(cinder): Cinders,
    asker: Asker,
    params: Params,
    origin: web::Origin,
    details: bool,
) -> Result {
    let ctx = &asker.ctx;
    since(ctx, 14)?;
    let listing = Listing::read(&params)?;
    let mut kept = store::list(&mut *cinder.db.read().await?, volumes::list::scope(ctx, &params)?).await?;
    if ctx.at_least(3, 29) {
        keep(ctx, &params, &mut kept, (&["group_id"], &[]), |one, field| match field {
            "name" => one.name.clone(),
            "status" => Some(one.status.clone()),
            _ => Some(one.group_id.clone()),
        })?;
    }
    let view = |one: &GroupSnapshot| if details { detail(ctx, one) } else { summary(one) };
    let names = ("group_snapshots", "group_snapshot_links");
    Ok(web::json(200, &listing.answer(&params, &origin, names, kept, view)?))
}

async fn get(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    since(&asker.ctx, 14)?;
    let one = load(&mut *cinder.db.read().await?, &asker.ctx, &id).await?;
    Ok(web::json(200, &json!({"group_snapshot": detail(&asker.ctx, &one)})))
}

async fn create(State(cinder): Cinders, asker: Asker, Json(body): Json<Value>) -> Result {
    let ctx = &asker.ctx;
    since(ctx, 14)?;
    let form = Form::of(&body, "group_snapshot", &["group_id", "name", "description"])?;
    let group_id = form.required_uuid("group_id")?;
    let text = |key| form.text(key, 0).map(|text| text.map(|text| text.trim().to_owned()));
    let (name, description, id) = (text("name")?, text("description")?, base::id::uuid());
    let project = ctx.require_project()?;
    let (one, parts): (GroupSnapshot, Vec<String>) = db::write!(cinder.db, |tx| {
        let group = groups::load(tx, ctx, group_id).await?;
        ctx.authorize(&policy::GROUP_SNAPSHOT_CREATE, Some(&group.project_id))?;
        let members = groups::store::volumes(tx, group_id).await?;
        if members.is_empty() {
            return Err(Error::bad_request(
                "Invalid Group: Source group is empty. No group snapshot will be created.",
            ));
        }
        let one = GroupSnapshot {
            id: id.clone(),
            project_id: project.into(),
            user_id: ctx.user_id().into(),
            group_id: group.id,
            group_type: group.group_type,
            name: name.clone(),
            description: description.clone(),
            status: "creating".into(),
            created_at: base::time::now(),
        };
        store::write(tx, ctx, "group_snapshot.create", &one).await?;
        let (mut parts, none) = (Vec::new(), BTreeMap::new());
        for volume in members {
            ctx.authorize(&policy::SNAPSHOT_CREATE, Some(&volume.project_id))?;
            let part = base::id::uuid();
            let new = NewSnapshot {
                id: &part,
                project,
                name: &name,
                description: &description,
                metadata: &none,
                group_snapshot: Some(&id),
            };
            snapshots::store::make(tx, &cinder.keys, ctx, volume, new, true).await?;
            parts.push(part);
        }
        Ok::<_, Error>((one, parts))
    })?;
    parts.iter().for_each(|part| cinder.waker.wake(&format!("snapshot/{part}")));
    Ok(web::json(202, &json!({"group_snapshot": made(&one)})))
}

async fn delete(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    let ctx = &asker.ctx;
    since(ctx, 14)?;
    let released: Vec<String> = db::write!(cinder.db, |tx| {
        let one = load(tx, ctx, &id).await?;
        ctx.authorize(&policy::GROUP_SNAPSHOT_DELETE, Some(&one.project_id))?;
        let parts = snapshots::store::of_group_snapshot(tx, &id).await?;
        let busy = parts.iter().any(|part| !["available", "error"].contains(&part.status.as_str()));
        if busy || !["available", "error"].contains(&one.status.as_str()) {
            return Err(Error::bad_request(
                "Invalid GroupSnapshot: GroupSnapshot status must be available or error, and no Group can be currently \
                 using it as source for its creation.",
            ));
        }
        let mut released = Vec::new();
        for part in parts {
            snapshots::store::delete(tx, ctx, &part).await?;
            released.push(part.layer);
        }
        store::delete(tx, ctx, &one).await?;
        Ok::<_, Error>(released)
    })?;
    released.iter().for_each(|layer| cinder.waker.wake(&format!("layer/{layer}")));
    Ok(web::no_content(202))
}

async fn act(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let ctx = &asker.ctx;
    since(ctx, 19)?;
    let (name, inner) = action(&body)?;
    if name != "reset_status" {
        return Err(Error::bad_request(format!("There is no such action: {name}")).into());
    }
    let form = Form::inner(inner, name, &["status"])?;
    let status = form.required_text("status")?.to_lowercase();
    if !STATUSES.contains(&status.as_str()) {
        let text = format!("Group snapshot status: {status} is invalid, valid statuses are: {STATUSES:?}.");
        return Err(Error::bad_request(text.replace('"', "'")).into());
    }
    db::write!(cinder.db, |tx| {
        let mut one = load(tx, ctx, &id).await?;
        one.status.clone_from(&status);
        store::write(tx, ctx, "group_snapshot.reset", &one).await
    })?;
    Ok(web::no_content(202))
}
