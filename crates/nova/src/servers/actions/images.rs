//! Images of a server's disk: snapshots and rotating backups.

use std::collections::BTreeMap;

use base::{Ctx, Error};
use cinder::volumes::rules::{IMAGE_KEY, IMAGE_KEY_POLICY};
use glance::Image;
use http::HeaderValue;
use http::header::LOCATION;
use serde_json::{Map, Value, json};
use web::{Origin, Response, Result, no_content};

use super::{accept, volume_images};
use crate::schema::{self, Field, Kind, MAX_INT};
use crate::servers::{Server, Snapshot, TaskState, VmState, policy, rules, store};
use crate::{Nova, quotas};

const METADATA: Kind = Kind::Metadata { null: false, numbers: false };
const CREATE_IMAGE: &[Field] = &[Field::new("name", Kind::Name).required(), Field::new("metadata", METADATA)];
const CREATE_BACKUP: &[Field] = &[
    Field::new("name", Kind::Name).required(),
    Field::new("backup_type", Kind::Text(0, usize::MAX, schema::ANY_CHAR, "")).required(),
    Field::new("rotation", Kind::Integer(0, MAX_INT)).required(),
    Field::new("metadata", METADATA),
];

/// A lock does not keep anybody from copying.
const STATES: &[VmState] = &[VmState::Active, VmState::Stopped, VmState::Paused, VmState::Suspended];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Snapshot,
    Backup,
}

pub(super) async fn create_image(
    nova: &Nova,
    ctx: &Ctx,
    id: &str,
    body: &Value,
    origin: &Origin,
) -> Result<Response> {
    let fields = schema::body(body, "createImage", CREATE_IMAGE, ctx.microversion.minor)?;
    let server = nova.seen(ctx, id, &policy::CREATE_IMAGE).await?;
    let properties = given_properties(nova, ctx, fields).await?;
    rules::check_state(&server, "createImage", STATES)?;
    let name = fields["name"].as_str().unwrap_or_default();
    let image = reserve(nova, ctx, &server, name, Purpose::Snapshot, &properties).await?;
    if server.image_id.is_none() {
        volume_images::create(nova, ctx, &server, &image, STATES).await?;
        return Ok(answer(ctx, origin, &image.id, true));
    }
    begin(nova, ctx, id, "createImage", TaskState::ImageSnapshotPending, &image, None).await?;
    Ok(answer(ctx, origin, &image.id, true))
}

pub(super) async fn create_backup(
    nova: &Nova,
    ctx: &Ctx,
    id: &str,
    body: &Value,
    origin: &Origin,
) -> Result<Response> {
    let fields = schema::body(body, "createBackup", CREATE_BACKUP, ctx.microversion.minor)?;
    let server = nova.seen(ctx, id, &policy::CREATE_BACKUP).await?;
    let mut properties = given_properties(nova, ctx, fields).await?;
    rules::check_state(&server, "createBackup", STATES)?;
    if server.image_id.is_none() {
        return Err(Error::bad_request("Backup is not supported for volume-backed instances.").into());
    }
    let kind = fields["backup_type"].as_str().unwrap_or_default().to_owned();
    let rotation = schema::integer(&fields["rotation"]).unwrap_or(0);
    properties.push(("backup_type".into(), kind.clone()));
    let name = fields["name"].as_str().unwrap_or_default();
    let image = reserve(nova, ctx, &server, name, Purpose::Backup, &properties).await?;
    begin(nova, ctx, id, "createBackup", TaskState::ImageBackup, &image, Some((kind, rotation))).await?;
    Ok(answer(ctx, origin, &image.id, rotation > 0))
}

async fn given_properties(
    nova: &Nova,
    ctx: &Ctx,
    fields: &Map<String, Value>,
) -> base::Result<Vec<(String, String)>> {
    let given: Vec<(String, String)> =
        crate::servers::create::parse::metadata(fields.get("metadata")).into_iter().collect();
    // Before 2.39 Nova counted them as a server's; Glance counts them in any case.
    if !ctx.at_least(2, 39) {
        let project = ctx.project().map(|p| p.id.as_str());
        let limit = quotas::limits(&mut *nova.db.read().await?, project).await?.of("metadata_items");
        if limit >= 0 && i64::try_from(given.len()).unwrap_or(i64::MAX) > limit {
            return Err(Error::forbidden("Image metadata limit exceeded"));
        }
    }
    Ok(given)
}

/// The wish and the empty image are one transaction: a kill leaves no image behind that nobody fills.
async fn begin(
    nova: &Nova,
    ctx: &Ctx,
    id: &str,
    action: &'static str,
    task: TaskState,
    image: &Image,
    backup: Option<(String, i64)>,
) -> base::Result<()> {
    let wanted = Snapshot { image_id: image.id.clone(), backup };
    db::write!(nova.db, |tx| {
        let mut server = store::find(tx, ctx, id).await?;
        rules::check_state(&server, action, STATES)?;
        let mut spec = store::spec(tx, id).await?;
        spec.work.snapshot = Some(wanted.clone());
        server.task_state = Some(task);
        nova.glance.insert_image(tx, ctx, image, &server.project_id).await?;
        accept(tx, ctx, &mut server, Some(&spec), action).await
    })?;
    nova.waker.wake(id);
    Ok(())
}

fn answer(ctx: &Ctx, origin: &Origin, image: &str, location: bool) -> Response {
    if ctx.at_least(2, 45) {
        return web::json(202, &json!({"image_id": image}));
    }
    let mut response = no_content(202);
    let link = HeaderValue::from_str(&format!("{}/image/images/{image}", origin.0));
    if let (true, Ok(link)) = (location, link) {
        response.headers_mut().insert(LOCATION, link);
    }
    response
}

/// Keys of the base image that say something of that image alone.
const NOT_INHERITED: &[&str] = &[
    "cache_in_nova",
    "bittorrent",
    "img_signature_hash_method",
    "img_signature",
    "img_signature_key_type",
    "img_signature_certificate_uuid",
    "instance_uuid",
    "user_id",
    "image_type",
    "backup_type",
    "instance_owner",
    IMAGE_KEY,
    IMAGE_KEY_POLICY,
];

/// An empty image with the properties that Nova gives to a server's images: to be written with the wish that makes the
/// reconciler fill it.
pub(super) async fn reserve(
    nova: &Nova,
    ctx: &Ctx,
    server: &Server,
    name: &str,
    purpose: Purpose,
    given: &[(String, String)],
) -> base::Result<Image> {
    let base = match &server.image_id {
        Some(id) => nova.glance.image(ctx, id).await.ok(),
        None => None,
    };
    let mut properties: BTreeMap<String, String> =
        base.as_ref().map(|image| image.properties.clone()).unwrap_or_default();
    properties.retain(|key, _| !NOT_INHERITED.contains(&key.as_str()) && !key.starts_with("os_glance"));
    let project = ctx.require_project()?;
    let own = ctx.project().is_some_and(|p| p.id == server.project_id);
    let mut set = |key: &str, value: &str| properties.insert(key.to_owned(), value.to_owned());
    set("base_image_ref", server.image_id.as_deref().unwrap_or_default());
    set("boot_roles", &ctx.auth.roles.join(","));
    set("image_location", "snapshot");
    set("image_state", "available");
    set("image_type", if purpose == Purpose::Backup { "backup" } else { "snapshot" });
    set("instance_uuid", &server.id);
    set("owner_id", project);
    set("owner_project_name", ctx.project().map_or("", |p| p.name.as_str()));
    set("owner_user_name", &ctx.auth.user.name);
    set("user_id", ctx.user_id());
    properties.extend(given.iter().cloned());
    if base.is_none() && server.image_id.is_none() {
        // What the volume was made of.
        let told: BTreeMap<String, String> =
            serde_json::from_str(&server.image_properties).unwrap_or_default();
        let own = |key: &str| NOT_INHERITED.contains(&key) || properties.contains_key(key);
        let told: Vec<(String, String)> = told.into_iter().filter(|(key, _)| !own(key)).collect();
        properties.extend(told);
    }
    let mut body: Map<String, Value> = properties.into_iter().map(|(k, v)| (k, json!(v))).collect();
    body.insert("name".into(), json!(name));
    body.insert("visibility".into(), json!(if own { "private" } else { "shared" }));
    body.insert("container_format".into(), json!("bare"));
    // The least that a server made from it needs: the disk is as large as this one's.
    let disk = server.image_id.as_ref().map_or(0, |_| server.flavor.root_gib);
    let least = base.as_ref().map_or(0, |image| image.min_disk).max(disk);
    body.insert("min_disk".into(), json!(least));
    body.insert("min_ram".into(), json!(base.as_ref().map_or(0, |image| image.min_ram)));
    nova.glance.plan_image(ctx, &Value::Object(body))
}
