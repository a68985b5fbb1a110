//! `/v3/volumes`.

use std::sync::Arc;

use base::{Ctx, Error, Result as Checked};
use serde_json::{Value, json};
use web::{Json, Params, Path, Result, Routes, State};

use super::create::NewVolume;
use super::{Volume, actions, list, load, metadata_api, rules, store, view};
use crate::asker::Asker;
use crate::form::{Form, since};
use crate::listing::Listing;
use crate::{Cinder, attachments, layers, policy, snapshots, types};

type Cinders = State<Arc<Cinder>>;

pub fn routes(routes: Routes<Arc<Cinder>>) -> Routes<Arc<Cinder>> {
    let routes = routes
        .get("/v3/volumes", &policy::LIST, list_volumes)
        .get("/v3/volumes/detail", &policy::LIST, list_details)
        .get("/v3/volumes/summary", &policy::LIST, summary)
        .post("/v3/volumes", &policy::CREATE, create)
        .get("/v3/volumes/{id}", &policy::GET, get)
        .put("/v3/volumes/{id}", &policy::UPDATE, update)
        .delete("/v3/volumes/{id}", &policy::DELETE, delete)
        .get("/v3/volumes/{id}/encryption", &policy::ENCRYPTION_OF_VOLUME, encryption)
        .get("/v3/volumes/{id}/encryption/{key}", &policy::ENCRYPTION_OF_VOLUME, encryption_key)
        .post("/v3/volumes/{id}/action", &policy::ACTION, actions::act);
    metadata_api::routes(routes)
}

async fn list_volumes(state: Cinders, asker: Asker, params: Params, origin: web::Origin) -> Result {
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
    let Asker { ctx, links } = &asker;
    let listing = Listing::read(&params)?;
    let with_count = ctx.at_least(3, 45) && params.flag("with_count").unwrap_or(false);
    let found = list::page(&cinder, ctx, &params, &listing).await?;
    let shown: Vec<Value> = if detail {
        let mut conn = cinder.db.read().await?;
        let names = types::store::names(&mut conn).await?;
        let attached = attachments::store::by_volume(&mut conn, list::scope(ctx, &params)?).await?;
        drop(conn);
        let pool = cinder.pool();
        let around = view::Around { ctx, links, types: &names, pool: &pool, whole: true };
        let of = |volume: &Volume| attached.get(&volume.id).map_or(&[][..], Vec::as_slice);
        found.page.iter().map(|volume| view::detail(&around, volume, of(volume))).collect()
    } else {
        found.page.iter().map(|volume| view::summary(links, volume)).collect()
    };
    let mut body = json!({ "volumes": shown });
    let ids: Vec<&str> = found.page.iter().map(|volume| volume.id.as_str()).collect();
    if let Some(links) = listing.next(&params, &origin, &ids) {
        body["volumes_links"] = links;
    }
    if with_count {
        body["count"] = json!(found.count);
    }
    Ok(web::json(200, &body))
}

async fn summary(State(cinder): Cinders, asker: Asker, params: Params) -> Result {
    let ctx = &asker.ctx;
    since(ctx, 12)?;
    let filters = list::Filters::read(ctx, &params)?;
    let mut all = store::list(&mut *cinder.db.read().await?, list::scope(ctx, &params)?).await?;
    all.retain(|volume| filters.keep(volume));
    let total: i64 = all.iter().map(|volume| volume.size).sum();
    let mut body = json!({"total_count": all.len(), "total_size": total});
    if ctx.at_least(3, 36) {
        body["metadata"] = json!(store::all_metadata(&all));
    }
    Ok(web::json(200, &json!({ "volume-summary": body })))
}

/// One volume as an answer.
async fn shown(cinder: &Cinder, asker: &Asker, volume: &Volume, whole: bool) -> Checked<Value> {
    let mut conn = cinder.db.read().await?;
    let names = types::store::names(&mut conn).await?;
    let attached = attachments::store::of_volume(&mut conn, &volume.id).await?;
    let pool = cinder.pool();
    let around = view::Around { ctx: &asker.ctx, links: &asker.links, types: &names, pool: &pool, whole };
    Ok(json!({"volume": view::detail(&around, volume, &attached)}))
}

async fn get(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    let volume = load(&mut *cinder.db.read().await?, &asker.ctx, &id).await?;
    Ok(web::json(200, &shown(&cinder, &asker, &volume, true).await?))
}

fn read(ctx: &Ctx, body: &Value) -> Checked<NewVolume> {
    const KNOWN: [&str; 16] = [
        "name",
        "description",
        "display_name",
        "display_description",
        "volume_type",
        "metadata",
        "snapshot_id",
        "source_volid",
        "consistencygroup_id",
        "size",
        "availability_zone",
        "multiattach",
        "image_id",
        "imageRef",
        "group_id",
        "backup_id",
    ];
    let mut body = body.clone();
    if let Some(map) = body.as_object_mut() {
        // There is one place to put volumes, so hints choose nothing.
        if let Some(hints) = map.remove("OS-SCH-HNT:scheduler_hints")
            && !(hints.is_object() || hints.is_null())
        {
            return Err(Error::bad_request(
                "Invalid input for field/attribute OS-SCH-HNT:scheduler_hints. It is not of type 'object'",
            ));
        }
    }
    let form = Form::of(&body, "volume", if ctx.at_least(3, 53) { &KNOWN } else { &[] })?;
    if form.flag("multiattach")? == Some(true) {
        return Err(Error::bad_request(
            "multiattach parameter has been removed. The default behavior is to use multiattach enabled volume types. \
             Contact your administrator to create a multiattach enabled volume type and use it to create multiattach \
             volumes.",
        ));
    }
    if let Some(id) = form.text("consistencygroup_id", 0)?.filter(|id| !id.is_empty()) {
        return Err(Error::not_found(format!("ConsistencyGroup {id} could not be found.")));
    }
    if let Some(zone) = form.get("availability_zone") {
        form.text("availability_zone", 1)?;
        if zone.as_str().is_some_and(|zone| zone.trim().is_empty()) {
            return Err(Error::bad_request("availability_zone must not be empty"));
        }
    }
    let uuid = |key| form.uuid(key).map(|id| id.map(str::to_owned));
    let text = |key| form.text(key, 0).map(|text| text.filter(|t| !t.is_empty()).map(str::to_owned));
    Ok(NewVolume {
        id: None,
        size: form.size("size")?,
        name: form.named(["name", "display_name"])?.flatten(),
        description: form.named(["description", "display_description"])?.flatten(),
        volume_type: text("volume_type")?,
        metadata: form.texts("metadata")?.unwrap_or_default(),
        availability_zone: text("availability_zone")?,
        image: match text("imageRef")? {
            Some(image) => Some(image),
            None => text("image_id")?,
        },
        snapshot: uuid("snapshot_id")?,
        source: uuid("source_volid")?,
        backup: if ctx.at_least(3, 47) { uuid("backup_id")? } else { None },
        group: if ctx.at_least(3, 13) { uuid("group_id")? } else { None },
    })
}

async fn create(State(cinder): Cinders, asker: Asker, Json(body): Json<Value>) -> Result {
    let new = read(&asker.ctx, &body)?;
    let volume = cinder.create_volume(&asker.ctx, &new).await?;
    Ok(web::json(202, &shown(&cinder, &asker, &volume, false).await?))
}

async fn update(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let ctx = &asker.ctx;
    let known = ["name", "description", "display_name", "display_description", "metadata"];
    let form = Form::of(&body, "volume", &known)?;
    if form.map().is_empty() && ctx.at_least(3, 53) {
        let text = "Invalid input for field/attribute volume. Value: {}. {} is not valid under any of the given schemas";
        return Err(Error::bad_request(text).into());
    }
    let name = form.named(["name", "display_name"])?;
    let description = form.named(["description", "display_description"])?;
    let metadata = form.texts("metadata")?;
    let volume = load(&mut *cinder.db.read().await?, ctx, &id).await?;
    rules::may(ctx, &policy::UPDATE, &volume)?;
    let volume = store::edit(&cinder.db, ctx, "volume.update", &id, |volume| {
        if let Some(name) = &name {
            volume.name.clone_from(name);
        }
        if let Some(description) = &description {
            volume.description.clone_from(description);
        }
        if let Some(metadata) = &metadata {
            volume.metadata.clone_from(metadata);
        }
        Ok(())
    })
    .await?;
    Ok(web::json(200, &shown(&cinder, &asker, &volume, false).await?))
}

async fn delete(State(cinder): Cinders, asker: Asker, Path(id): Path<String>, params: Params) -> Result {
    let ctx = &asker.ctx;
    let force = ctx.at_least(3, 23) && params.flag("force").unwrap_or(false);
    let cascade = params.flag("cascade").unwrap_or(false);
    if force {
        let volume = load(&mut *cinder.db.read().await?, ctx, &id).await?;
        rules::may(ctx, &policy::FORCE_DELETE, &volume)?;
    }
    remove(&cinder, ctx, &id, force, cascade).await?;
    Ok(web::no_content(202))
}

/// The rows go at once, and with them the quota; files follow.
pub async fn remove(cinder: &Cinder, ctx: &Ctx, id: &str, force: bool, cascade: bool) -> Checked<()> {
    let released: Vec<String> =
        db::write!(cinder.db, |tx| remove_in(cinder, tx, ctx, id, force, cascade).await)?;
    released.iter().for_each(|layer| cinder.waker.wake(&format!("layer/{layer}")));
    Ok(())
}

/// In the caller's transaction. Answers the layers that may go.
pub async fn remove_in(
    cinder: &Cinder,
    tx: &mut db::Tx,
    ctx: &Ctx,
    id: &str,
    force: bool,
    cascade: bool,
) -> Checked<Vec<String>> {
    let volume = load(tx, ctx, id).await?;
    rules::may(ctx, &policy::DELETE, &volume)?;
    let attached = attachments::store::of_volume(tx, id).await?;
    let own = snapshots::store::of_volume(tx, id).await?;
    crate::services::check_thawed(tx).await?;
    rules::may_delete(&volume, &attached, own.len(), force, cascade)?;
    let mut released = Vec::new();
    for snapshot in own {
        let at_rest = ["available", "error", "deleting"].contains(&snapshot.status.as_str());
        let apart = snapshot.group_snapshot_id.is_none();
        if !ctx.owns(&snapshot.project_id) || !apart || !(force || at_rest) {
            return Err(crate::words::invalid_volume("Failed to update snapshot."));
        }
        released.push(snapshot.layer.clone());
        snapshots::store::delete(tx, ctx, &snapshot).await?;
    }
    store::delete(tx, ctx, &volume).await?;
    for key in [&volume.key_id, &volume.flat_key_id] {
        cinder.keys.remove(tx, ctx, key.as_deref()).await?;
    }
    for layer in [Some(volume.head), volume.writing, volume.flat].into_iter().flatten() {
        layers::store::release(tx, &layer).await?;
        released.push(layer);
    }
    Ok(released)
}

async fn encryption(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    Ok(web::json(200, &encryption_of(&cinder, &asker.ctx, &id).await?))
}

/// What whoever attaches the volume has to know, but for the key itself.
async fn encryption_of(cinder: &Cinder, ctx: &Ctx, id: &str) -> Checked<Value> {
    let mut conn = cinder.db.read().await?;
    let volume = load(&mut conn, ctx, id).await?;
    let kind = types::store::get(&mut conn, &volume.type_id).await?;
    let mut body = json!({"encryption_key_id": volume.key_id});
    if let Some(specs) = kind.and_then(|kind| kind.encryption_specs()) {
        body["control_location"] = json!(specs.control_location);
        body["cipher"] = json!(specs.cipher);
        body["key_size"] = json!(specs.key_size);
        body["provider"] = json!(specs.provider);
    }
    Ok(body)
}

async fn encryption_key(
    State(cinder): Cinders,
    asker: Asker,
    Path((id, key)): Path<(String, String)>,
) -> Result {
    let all = encryption_of(&cinder, &asker.ctx, &id).await?;
    let body = all.get(&key).map_or_else(|| json!({}), |value| json!({ key: value }));
    Ok(web::json(200, &body))
}
