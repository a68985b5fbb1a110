//! `/v2.1/servers/{id}/os-volume_attachments`: the server's volumes; more of them and fewer while it lives.

use std::sync::Arc;

use base::{Ctx, Error};
use serde_json::{Map, Value, json};
use web::{Caller, Json, Params, Path, Response, Result, State as From, no_content};

use super::{BlockDevice, State, names, policy, rules, store, view};
use crate::Nova;
use crate::instance_actions::store as actions;
use crate::schema::{self, Field, Kind, TAG, flag};
use crate::servers::{self, Server, VmState};

const DEVICE: Kind = Kind::TextOrNull(0, usize::MAX, schema::ANY_CHAR, "");
const CREATE: &[Field] = &[
    Field::new("volumeId", Kind::Uuid).required(),
    Field::new("device", DEVICE),
    Field::new("tag", TAG).from(49),
    Field::new("delete_on_termination", Kind::Bool).from(79),
];
const UPDATE: &[Field] = &[
    Field::new("volumeId", Kind::Uuid).required(),
    Field::new("device", DEVICE).from(85),
    Field::new("tag", TAG).from(85),
    Field::new("delete_on_termination", Kind::Bool).from(85),
    Field::new("serverId", Kind::Uuid).from(85),
    Field::new("id", Kind::Uuid).from(85),
];

pub async fn list(
    From(nova): From<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Response> {
    crate::query::only(&ctx, &params, &["limit", "offset"])?;
    let (limit, offset) = (number(&params, "limit")?, number(&params, "offset")?);
    let mut conn = nova.db.read().await?;
    servers::store::find(&mut conn, &ctx, &id).await?;
    let all = store::of_server(&mut conn, &id).await?;
    drop(conn);
    let most = limit.filter(|n| *n > 0).unwrap_or(crate::query::MAX_LIMIT).min(crate::query::MAX_LIMIT);
    let shown = all.iter().filter(|device| device.is_shown()).skip(offset.unwrap_or(0)).take(most);
    let views: Vec<Value> = shown.map(|device| view::detail(&ctx, device)).collect();
    Ok(web::json(200, &json!({"volumeAttachments": views})))
}

fn number(params: &Params, key: &str) -> base::Result<Option<usize>> {
    let Some(text) = params.get(key) else { return Ok(None) };
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(Some(text.parse().unwrap_or(usize::MAX)));
    }
    Err(schema::invalid(key, &json!(text), &format!("'{text}' does not match '^[0-9]*$'")))
}

pub async fn show(
    From(nova): From<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, volume)): Path<(String, String)>,
) -> Result<Response> {
    let mut conn = nova.db.read().await?;
    servers::store::find(&mut conn, &ctx, &id).await?;
    let found = store::find(&mut conn, &id, &volume).await?;
    let device = found.ok_or_else(|| rules::not_attached(&id, &volume))?;
    Ok(web::json(200, &json!({"volumeAttachment": view::detail(&ctx, &device)})))
}

fn text(fields: &Map<String, Value>, key: &str) -> Option<String> {
    fields.get(key).and_then(Value::as_str).map(str::to_owned)
}

pub async fn create(
    From(nova): From<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response> {
    let fields = schema::body(&body, "volumeAttachment", CREATE, ctx.microversion.minor)?;
    if let Some(name) = text(fields, "device") {
        names::check(&name)?;
    }
    let wanted = BlockDevice {
        id: base::id::uuid(),
        server_id: id.clone(),
        position: 0,
        state: State::Attaching,
        source_type: "volume".into(),
        source_id: None,
        volume_id: text(fields, "volumeId").unwrap_or_default(),
        attachment_id: Some(base::id::uuid()),
        size_gib: None,
        volume_type: None,
        boot_index: None,
        device_name: None,
        disk_bus: None,
        device_type: None,
        guest_format: None,
        tag: text(fields, "tag"),
        delete_on_termination: fields.get("delete_on_termination").and_then(flag).unwrap_or(false),
        request_id: Some(ctx.request_id.to_string()),
        attempts: 0,
        created_at: base::time::now(),
    };
    let device = attach(&nova, &ctx, &id, wanted).await?;
    nova.waker.wake(&id);
    if ctx.at_least(2, 101) {
        return Ok(no_content(202));
    }
    Ok(web::json(200, &json!({"volumeAttachment": view::made(&ctx, &device)})))
}

/// Row, reservation and action in one transaction. The machine gets it from the reconciler.
async fn attach(nova: &Nova, ctx: &Ctx, id: &str, wanted: BlockDevice) -> base::Result<BlockDevice> {
    const ACTION: &str = "attach_volume";
    db::write!(nova.db, |tx| {
        let server = servers::store::find(tx, ctx, id).await?;
        ctx.authorize(&policy::CREATE, Some(&server.project_id))?;
        rules::check_server(ctx, &server, ACTION)?;
        let volume = nova.cinder.volume_within(tx, ctx, &wanted.volume_id).await?;
        rules::check_not_attached(id, &volume, &store::of_volume(tx, &volume.id).await?)?;
        let offloaded = server.vm_state == VmState::ShelvedOffloaded;
        if offloaded {
            rules::check_offloaded(&volume, wanted.tag.as_deref())?;
        }
        rules::check_multiattach(ctx, &volume)?;
        let mut device = wanted.clone();
        let there = store::of_server(tx, id).await?;
        let name = names::free(&server.flavor, &there)?;
        device.device_name = Some(name).filter(|_| !offloaded);
        device.position = there.iter().map(|d| d.position + 1).max().unwrap_or(0);
        device.size_gib = Some(volume.size);
        let attachment = device.attachment_id.clone().unwrap_or_default();
        nova.cinder.reserve_within(tx, ctx, &volume.id, id, &attachment).await.map_err(rules::refused)?;
        if offloaded {
            // Nobody is there to connect it until it is unshelved, and yet it is in use.
            nova.cinder.complete_within(tx, ctx, &attachment).await?;
            device.state = State::Attached;
            device.request_id = None;
            actions::record(tx, ctx, id, &server.project_id, ACTION).await?;
        } else {
            actions::start(tx, ctx, id, &server.project_id, ACTION).await?;
        }
        store::insert(tx, &device).await?;
        changed(tx, ctx, &server, "server.volume.attach").await?;
        Ok::<_, Error>(device)
    })
}

async fn changed(tx: &mut db::Tx, ctx: &Ctx, server: &Server, kind: &'static str) -> base::Result<()> {
    Ok(tx.event(db::Event::new("nova", kind, &server.id, &server.project_id, ctx)).await?)
}

/// Until 2.84 another volume for this one, which only Cinder may ask for, of volumes that it moves; since 2.85 what else
/// there is to change, too.
pub async fn update(
    From(nova): From<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, volume)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Result<Response> {
    let fields = schema::body(&body, "volumeAttachment", UPDATE, ctx.microversion.minor)?;
    if let Some(name) = text(fields, "device") {
        names::check(&name)?;
    }
    let server = servers::store::find(&mut *nova.db.read().await?, &ctx, &id).await?;
    let only_swap = !ctx.at_least(2, 85);
    let swap = only_swap || text(fields, "volumeId").as_deref() != Some(&*volume);
    let needed = if swap { &policy::SWAP } else { &policy::UPDATE };
    ctx.authorize(needed, Some(&server.project_id))?;
    if !only_swap {
        change(&nova, &ctx, &id, &volume, fields).await?;
    }
    if swap {
        // 404 when it is not there.
        nova.cinder.volume(&ctx, &volume).await?;
        return Err(Error::conflict(format!(
            "volume {volume} is not migrating; this API should only be called by Cinder"
        ))
        .into());
    }
    Ok(no_content(202))
}

async fn change(
    nova: &Nova,
    ctx: &Ctx,
    id: &str,
    volume: &str,
    fields: &Map<String, Value>,
) -> base::Result<()> {
    db::write!(nova.db, |tx| {
        let server = servers::store::find(tx, ctx, id).await?;
        let found = store::find(tx, id, volume).await?;
        let mut device = found
            .ok_or_else(|| Error::not_found(format!("No volume Block Device Mapping with id {volume}.")))?;
        let present = [
            ("id", Some(&device.volume_id)),
            ("serverId", Some(&device.server_id)),
            ("device", device.device_name.as_ref()),
            ("tag", device.tag.as_ref()),
        ];
        for (key, value) in present {
            if fields.contains_key(key) && text(fields, key).as_ref() != value {
                return Err(Error::bad_request(format!("The {key} property is not mutable")));
            }
        }
        if let Some(deleted) = fields.get("delete_on_termination").and_then(flag) {
            device.delete_on_termination = deleted;
        }
        store::save(tx, &device).await?;
        changed(tx, ctx, &server, "server.volume.update").await
    })
}

pub async fn delete(
    From(nova): From<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, volume)): Path<(String, String)>,
) -> Result<Response> {
    const ACTION: &str = "detach_volume";
    let unmade: Option<BlockDevice> = db::write!(nova.db, |tx| {
        let server = servers::store::find(tx, &ctx, &id).await?;
        ctx.authorize(&policy::DELETE, Some(&server.project_id))?;
        rules::check_shelved(&ctx, &server, ACTION)?;
        nova.cinder.volume_within(tx, &ctx, &volume).await?;
        let found = store::find(tx, &id, &volume).await?;
        let mut device = found.ok_or_else(|| rules::not_attached(&id, &volume))?;
        if device.is_root() {
            return Err(Error::bad_request("Cannot detach a root device volume"));
        }
        rules::check_server(&ctx, &server, ACTION)?;
        changed(tx, &ctx, &server, "server.volume.detach").await?;
        if server.vm_state == VmState::ShelvedOffloaded {
            if let Some(attachment) = &device.attachment_id {
                nova.cinder.detach_within(tx, &ctx, attachment).await?;
            }
            actions::record(tx, &ctx, &id, &server.project_id, ACTION).await?;
            // As when the server goes: what is deleted with it is deleted.
            device.attachment_id = None;
            device.state = State::Leaving;
            store::save(tx, &device).await?;
            return Ok(Some(device));
        }
        nova.cinder.begin_detaching_within(tx, &ctx, &volume).await.map_err(rules::refused)?;
        device.state = State::Detaching;
        device.attempts = 0;
        device.request_id = Some(ctx.request_id.to_string());
        store::save(tx, &device).await?;
        actions::start(tx, &ctx, &id, &server.project_id, ACTION).await?;
        Ok::<_, Error>(None)
    })?;
    if unmade.is_some() {
        nova.cinder.changed(&volume);
    }
    nova.waker.wake(&id);
    Ok(no_content(202))
}
