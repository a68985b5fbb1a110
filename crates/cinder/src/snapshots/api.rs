//! `/v3/snapshots`.

use std::sync::Arc;

use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Json, Params, Path, Result, Routes, State};

use super::{STATUSES, Snapshot, load, metadata_api, store, view};
use crate::asker::Asker;
use crate::form::{Form, action};
use crate::listing::{Listing, PAGING};
use crate::snapshots::store::NewSnapshot;
use crate::volumes;
use crate::words::invalid_snapshot;
use crate::{Cinder, policy, values};

type Cinders = State<Arc<Cinder>>;

pub fn routes(routes: Routes<Arc<Cinder>>) -> Routes<Arc<Cinder>> {
    let routes = routes
        .get("/v3/snapshots", &policy::SNAPSHOT_LIST, list)
        .get("/v3/snapshots/detail", &policy::SNAPSHOT_LIST, list_details)
        .post("/v3/snapshots", &policy::SNAPSHOT_CREATE, create)
        .get("/v3/snapshots/{id}", &policy::SNAPSHOT_GET, get)
        .put("/v3/snapshots/{id}", &policy::SNAPSHOT_UPDATE, update)
        .delete("/v3/snapshots/{id}", &policy::SNAPSHOT_DELETE, delete)
        .post("/v3/snapshots/{id}/action", &policy::SNAPSHOT_ACTION, act);
    metadata_api::routes(routes)
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
    web::Origin(origin): web::Origin,
    detail: bool,
) -> Result {
    let ctx = &asker.ctx;
    let listing = Listing::read(&params)?;
    let filters = filters(ctx, &params)?;
    let project = volumes::list::scope(ctx, &params)?;
    let all = store::list(&mut *cinder.db.read().await?, project).await?;
    let kept: Vec<Snapshot> =
        all.into_iter().filter(|one| filters.iter().all(|(k, v)| matches(one, k, v))).collect();
    let count = kept.len();
    let page = listing.page(kept)?;
    let shown: Vec<Value> =
        page.iter().map(|one| if detail { view::detail(ctx, one) } else { view::summary(one) }).collect();
    let mut body = json!({ "snapshots": shown });
    let ids: Vec<&str> = page.iter().map(|one| one.id.as_str()).collect();
    if let Some(links) = listing.next(&params, &origin, &ids) {
        body["snapshots_links"] = links;
    }
    if ctx.at_least(3, 45) && params.flag("with_count").unwrap_or(false) {
        body["count"] = json!(count);
    }
    Ok(web::json(200, &body))
}

fn filters(ctx: &Ctx, params: &Params) -> base::Result<Vec<(String, String)>> {
    let mut kept = Vec::new();
    for (key, value) in params.pairs() {
        if PAGING.contains(&key.as_str()) || matches!(key.as_str(), "all_tenants" | "all_projects") {
            continue;
        }
        let plain = key.trim_end_matches('~');
        let known = ["name", "status", "volume_id", "metadata", "availability_zone", "consumes_quota"];
        let is_known = known.contains(&plain) && (plain == key || ctx.at_least(3, 34));
        if !is_known && !ctx.is_admin() {
            if ctx.at_least(3, 31) {
                return Err(Error::bad_request(format!("Invalid filters {key} are found in query options.")));
            }
            continue;
        }
        if plain == "metadata" && !ctx.at_least(3, 22) || plain == "consumes_quota" && !ctx.at_least(3, 65) {
            continue;
        }
        kept.push((key.clone(), value.clone()));
    }
    Ok(kept)
}

fn matches(one: &Snapshot, key: &str, value: &str) -> bool {
    let like = |text: &str| text.to_lowercase().contains(&value.to_lowercase());
    match key {
        "id" => one.id == value,
        "name" | "display_name" => one.name.as_deref().unwrap_or_default() == value,
        "name~" | "display_name~" => one.name.as_deref().is_some_and(like),
        "status" => one.status == value,
        "status~" => like(&one.status),
        "volume_id" => one.volume_id == value,
        "volume_id~" => like(&one.volume_id),
        "project_id" => one.project_id == value,
        "user_id" => one.user_id == value,
        "size" | "volume_size" => value.parse() == Ok(one.size),
        "metadata" => values::pairs(value).iter().all(|(k, v)| one.metadata.get(k) == Some(v)),
        "availability_zone" | "availability_zone~" => true,
        "consumes_quota" => values::boolean(value).unwrap_or(true),
        _ => false,
    }
}

async fn create(State(cinder): Cinders, asker: Asker, Json(body): Json<Value>) -> Result {
    let ctx = &asker.ctx;
    let known = ["name", "display_name", "description", "volume_id", "force", "metadata"];
    let form = Form::of(&body, "snapshot", &known)?;
    form.require("volume_id")?;
    let volume_id = form.uuid("volume_id")?.unwrap_or_default();
    let mut force = form.flag("force")?;
    if ctx.at_least(3, 66) && force == Some(false) {
        return Err(Error::bad_request(
            "Since microversion 3.66 the 'force' flag is invalid for this request.  For backward compatability, \
             however, when the 'force' flag is passed with a value evaluating to True, it is silently ignored.",
        )
        .into());
    }
    if ctx.at_least(3, 66) {
        force = Some(true);
    }
    let name = form.named(["name", "display_name"])?.flatten();
    let description = form.text("description", 0)?.map(|text| text.trim().to_owned());
    let metadata = form.texts("metadata")?.unwrap_or_default();
    let project = ctx.require_project()?;
    let id = base::id::uuid();
    let made: Snapshot = db::write!(cinder.db, |tx| {
        let volume = volumes::load(tx, ctx, volume_id).await?;
        ctx.authorize(&policy::SNAPSHOT_CREATE, Some(&volume.project_id))?;
        let new = NewSnapshot {
            id: &id,
            project,
            name: &name,
            description: &description,
            metadata: &metadata,
            group_snapshot: None,
        };
        store::make(tx, &cinder.keys, ctx, volume, new, force == Some(true)).await
    })?;
    cinder.waker.wake(&format!("snapshot/{id}"));
    Ok(web::json(202, &json!({"snapshot": view::made(ctx, &made)})))
}

async fn get(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    let found = load(&mut *cinder.db.read().await?, &asker.ctx, &id).await?;
    Ok(web::json(200, &json!({"snapshot": view::detail(&asker.ctx, &found)})))
}

async fn update(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let ctx = &asker.ctx;
    let form = Form::of(&body, "snapshot", &["name", "description", "display_name", "display_description"])?;
    let name = form.named(["name", "display_name"])?;
    let description = form.named(["description", "display_description"])?;
    if name.is_none() && description.is_none() {
        return Err(Error::bad_request(format!(
            "Invalid input for field/attribute snapshot. Value: {}. {} is not valid under any of the given schemas",
            body["snapshot"], body["snapshot"]
        ))
        .into());
    }
    let found = load(&mut *cinder.db.read().await?, ctx, &id).await?;
    ctx.authorize(&policy::SNAPSHOT_UPDATE, Some(&found.project_id))?;
    let found = store::edit(&cinder.db, ctx, "snapshot.update", &id, |one| {
        if let Some(name) = &name {
            one.name.clone_from(name);
        }
        if let Some(description) = &description {
            one.description.clone_from(description);
        }
        Ok(())
    })
    .await?;
    Ok(web::json(200, &json!({"snapshot": view::made(ctx, &found)})))
}

async fn delete(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    remove(&cinder, &asker.ctx, &id, false).await
}

async fn remove(cinder: &Cinder, ctx: &Ctx, id: &str, force: bool) -> Result {
    let layer: String = db::write!(cinder.db, |tx| {
        let snapshot = load(tx, ctx, id).await?;
        ctx.authorize(&policy::SNAPSHOT_DELETE, Some(&snapshot.project_id))?;
        let at_rest = ["available", "error", "deleting"].contains(&snapshot.status.as_str());
        if !force && (!at_rest || snapshot.group_snapshot_id.is_some()) {
            return Err(invalid_snapshot(
                "Snapshot status must be available or error and must not be part of a group.",
            ));
        }
        store::delete(tx, ctx, &snapshot).await?;
        Ok::<_, Error>(snapshot.layer)
    })?;
    cinder.waker.wake(&format!("layer/{layer}"));
    Ok(web::no_content(202))
}

async fn act(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let ctx = &asker.ctx;
    let (name, _) = action(&body)?;
    let owner = load(&mut *cinder.db.read().await?, ctx, &id).await?.project_id;
    match name {
        "os-reset_status" => {
            ctx.authorize(&policy::SNAPSHOT_RESET, Some(&owner))?;
            let form = Form::of(&body, name, &["status"])?;
            let status = form.required_text("status")?.to_ascii_lowercase();
            if !STATUSES.contains(&status.as_str()) {
                return Err(Error::bad_request(format!(
                    "Invalid input for field/attribute status. Value: {status}. '{status}' is not a 'snapshot_status'"
                ))
                .into());
            }
            store::edit(&cinder.db, ctx, "snapshot.reset", &id, |one| {
                one.status.clone_from(&status);
                Ok(())
            })
            .await?;
        }
        "os-update_snapshot_status" => {
            ctx.authorize(&policy::SNAPSHOT_STATUS, Some(&owner))?;
            let form = Form::of(&body, name, &["status", "progress"])?;
            let (status, progress) = (form.required_text("status")?, form.text("progress", 0)?);
            if let Some(text) = progress {
                let number = text.strip_suffix('%').and_then(|n| n.parse::<u8>().ok());
                number.filter(|n| *n <= 100).ok_or_else(|| {
                    Error::bad_request("progress must be an integer percentage between 0 and 100")
                })?;
            }
            store::edit(&cinder.db, ctx, "snapshot.status", &id, |one| {
                let next: &[&str] = match one.status.as_str() {
                    "creating" => &["creating", "available", "error"],
                    "deleting" => &["deleting", "error_deleting"],
                    other => {
                        return Err(Error::bad_request(format!(
                            "Snapshot status {other} not allowed for update_snapshot_status"
                        )));
                    }
                };
                if !next.contains(&status) {
                    return Err(Error::bad_request(format!(
                        "Provided snapshot status {status} not allowed for snapshot with status {}.",
                        one.status
                    )));
                }
                one.status = status.into();
                if let Some(progress) = progress {
                    one.progress = progress.into();
                }
                Ok(())
            })
            .await?;
        }
        "os-force_delete" => {
            ctx.authorize(&policy::SNAPSHOT_FORCE_DELETE, Some(&owner))?;
            return remove(&cinder, ctx, &id, true).await;
        }
        other => return Err(Error::bad_request(format!("There is no such action: {other}")).into()),
    }
    Ok(web::no_content(202))
}
