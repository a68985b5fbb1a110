//! `/v3/backups`.

use std::collections::HashSet;
use std::sync::Arc;

use base::time::micros_naive;
use base::{Ctx, Error, Result as Checked};
use serde_json::{Value, json};
use web::{Json, Params, Path, Result, Routes, State};

use super::store::Also;
use super::{Backup, load, records_api, store};
use crate::asker::Asker;
use crate::form::{Form, action, since};
use crate::listing::{Listing, keep};
use crate::volumes::create::NewVolume;
use crate::{Cinder, policy, volumes};

type Cinders = State<Arc<Cinder>>;

pub fn routes(routes: Routes<Arc<Cinder>>) -> Routes<Arc<Cinder>> {
    records_api::routes(routes)
        .get("/v3/backups", &policy::BACKUP_LIST, list)
        .get("/v3/backups/detail", &policy::BACKUP_LIST, list_details)
        .post("/v3/backups", &policy::BACKUP_CREATE, create)
        .get("/v3/backups/{id}", &policy::BACKUP_GET, get)
        .put("/v3/backups/{id}", &policy::BACKUP_UPDATE, update)
        .delete("/v3/backups/{id}", &policy::BACKUP_DELETE, delete)
        .post("/v3/backups/{id}/restore", &policy::BACKUP_RESTORE, restore)
        .post("/v3/backups/{id}/action", &policy::BACKUP_RESET, act)
}

pub fn summary(asker: &Asker, one: &Backup) -> Value {
    json!({"id": one.id, "name": one.name, "links": asker.links.of("backups", &one.id)})
}

fn detail(cinder: &Cinder, asker: &Asker, one: &Backup, parents: &HashSet<String>) -> Value {
    let ctx = &asker.ctx;
    let mut body = summary(asker, one);
    let more = json!({
        "status": one.status,
        "size": one.size,
        "object_count": 1,
        "availability_zone": cinder.config.availability_zone,
        "container": one.container,
        "created_at": micros_naive(one.created_at),
        "updated_at": one.updated_at.map(micros_naive),
        "description": one.description,
        "fail_reason": one.fail_reason,
        "volume_id": one.volume_id,
        "is_incremental": one.parent.is_some(),
        "has_dependent_backups": parents.contains(&one.id),
        "snapshot_id": one.snapshot_id,
        "data_timestamp": micros_naive(one.data_at),
    });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    if ctx.is_admin() && ctx.at_least(3, 18) {
        body["os-backup-project-attr:project_id"] = json!(one.project_id);
    }
    if ctx.at_least(3, 43) {
        body["metadata"] = json!(one.metadata);
    }
    if ctx.at_least(3, 56) {
        body["user_id"] = json!(one.user_id);
    }
    if let Some(key) = one.key_id.as_ref().filter(|_| ctx.at_least(3, 64)) {
        body["encryption_key_id"] = json!(key);
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
    let listing = Listing::read(&params)?;
    let mut conn = cinder.db.read().await?;
    let mut kept = store::list(&mut conn, volumes::list::scope(ctx, &params)?).await?;
    let parents = store::parents(&mut conn).await?;
    drop(conn);
    keep(ctx, &params, &mut kept, (&["volume_id"], &[]), |one, field| match field {
        "name" => one.name.clone(),
        "status" => Some(one.status.clone()),
        _ => Some(one.volume_id.clone()),
    })?;
    let count = kept.len();
    let view =
        |one: &Backup| if details { detail(&cinder, &asker, one, &parents) } else { summary(&asker, one) };
    let mut body = listing.answer(&params, &origin, ("backups", "backups_links"), kept, view)?;
    if ctx.at_least(3, 45) && params.flag("with_count").unwrap_or(false) {
        body["count"] = json!(count);
    }
    Ok(web::json(200, &body))
}

fn read(ctx: &Ctx, body: &Value) -> Checked<(Backup, Also)> {
    let mut known =
        vec!["volume_id", "container", "description", "incremental", "force", "name", "snapshot_id"];
    if ctx.at_least(3, 43) {
        known.push("metadata");
    }
    if ctx.at_least(3, 51) {
        known.push("availability_zone");
    }
    let form = Form::of(body, "backup", &known)?;
    let now = base::time::now();
    let text = |key| form.text(key, 0).map(|text| text.map(|text| text.trim().to_owned()));
    let wanted = Backup {
        id: base::id::uuid(),
        project_id: ctx.require_project()?.into(),
        user_id: ctx.user_id().into(),
        volume_id: form.required_uuid("volume_id")?.into(),
        snapshot_id: form.uuid("snapshot_id")?.map(Into::into),
        name: text("name")?,
        description: text("description")?,
        container: text("container")?,
        size: 0,
        status: "creating".into(),
        fail_reason: None,
        bootable: false,
        image_metadata: Default::default(),
        metadata: form.texts("metadata")?.unwrap_or_default(),
        volume_metadata: Default::default(),
        parent: None,
        layer: String::new(),
        key_id: None,
        source: None,
        data_at: now,
        created_at: now,
        updated_at: None,
    };
    let flag = |key| form.flag(key).map(|flag| flag.unwrap_or(false));
    Ok((wanted, Also { force: flag("force")?, incremental: flag("incremental")?, differences: false }))
}

async fn create(State(cinder): Cinders, asker: Asker, Json(body): Json<Value>) -> Result {
    let (wanted, also) = read(&asker.ctx, &body)?;
    let also = Also { differences: cinder.driver.merges(), ..also };
    let made = store::create(&cinder.db, &cinder.keys, &asker.ctx, &wanted, also).await?;
    cinder.waker.wake(&format!("backup/{}", made.id));
    Ok(web::json(202, &json!({"backup": summary(&asker, &made)})))
}

async fn get(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    let mut conn = cinder.db.read().await?;
    let found = load(&mut conn, &asker.ctx, &id).await?;
    let parents = store::parents(&mut conn).await?;
    drop(conn);
    Ok(web::json(200, &json!({"backup": detail(&cinder, &asker, &found, &parents)})))
}

async fn update(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let ctx = &asker.ctx;
    since(ctx, 9)?;
    let known: &[&str] =
        if ctx.at_least(3, 43) { &["name", "description", "metadata"] } else { &["name", "description"] };
    let form = Form::of(&body, "backup", known)?;
    let (name, description) = (form.named(["name", "name"])?, form.named(["description", "description"])?);
    let metadata = form.texts("metadata")?;
    if name.is_none() && description.is_none() && metadata.is_none() {
        return Err(Error::bad_request("Missing updated parameters in request body.").into());
    }
    let found = load(&mut *cinder.db.read().await?, ctx, &id).await?;
    ctx.authorize(&policy::BACKUP_UPDATE, Some(&found.project_id))?;
    let found = store::edit(&cinder.db, ctx, &id, |one| {
        if let Some(name) = &name {
            one.name.clone_from(name);
        }
        if let Some(description) = &description {
            one.description.clone_from(description);
        }
        if let Some(metadata) = &metadata {
            one.metadata.clone_from(metadata);
        }
        Ok(())
    })
    .await?;
    Ok(web::json(200, &json!({"backup": summary(&asker, &found)})))
}

async fn delete(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    let layer = store::delete(&cinder.db, &cinder.keys, &asker.ctx, &id, false).await?;
    cinder.waker.wake(&format!("layer/{layer}"));
    Ok(web::no_content(202))
}

async fn restore(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let ctx = &asker.ctx;
    let form = Form::of(&body, "restore", &["name", "volume_id"])?;
    let (name, volume) = (form.text("name", 0)?, form.uuid("volume_id")?);
    let (volume_id, volume_name) = match volume {
        Some(volume) => {
            let (old, name) = store::restore(&cinder.db, &cinder.keys, ctx, &id, volume).await?;
            cinder.waker.wake(&format!("layer/{old}"));
            cinder.waker.wake(&format!("volume/{volume}"));
            (volume.to_owned(), name)
        }
        None => {
            let backup = load(&mut *cinder.db.read().await?, ctx, &id).await?;
            ctx.authorize(&policy::BACKUP_RESTORE, Some(&backup.project_id))?;
            let name = name.map_or_else(|| format!("restore_backup_{id}"), Into::into);
            let new = NewVolume {
                name: Some(name),
                description: Some(format!("auto-created_from_restore_from_backup: {id}")),
                backup: Some(id.clone()),
                ..NewVolume::default()
            };
            let made = cinder.create_volume(ctx, &new).await?;
            (made.id, made.name)
        }
    };
    let told = json!({"backup_id": id, "volume_id": volume_id, "volume_name": volume_name});
    Ok(web::json(202, &json!({ "restore": told })))
}

async fn act(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let ctx = &asker.ctx;
    let (name, _) = action(&body)?;
    load(&mut *cinder.db.read().await?, ctx, &id).await?;
    match name {
        "os-reset_status" => {
            let form = Form::of(&body, name, &["status"])?;
            form.require("status")?;
            let status = form.one_of("status", &["available", "error"])?;
            let status = status.ok_or_else(|| Error::bad_request("'status' is a required property"))?;
            store::edit(&cinder.db, ctx, &id, |one| {
                if one.status == "creating" {
                    return Err(Error::bad_request("Invalid backup: The backup is still being made."));
                }
                one.status = status.into();
                Ok(())
            })
            .await?;
        }
        "os-force_delete" => {
            let layer = store::delete(&cinder.db, &cinder.keys, ctx, &id, true).await?;
            cinder.waker.wake(&format!("layer/{layer}"));
        }
        other => return Err(Error::bad_request(format!("There is no such action: {other}")).into()),
    }
    Ok(web::no_content(202))
}
