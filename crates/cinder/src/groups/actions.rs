//! `/v3/groups/{id}/action`, and groups made of others or of their snapshots.

use std::sync::Arc;

use base::{Ctx, Error, Result as Checked};
use serde_json::{Value, json};
use web::{Json, Path, Result, State};

use super::api::{summary, take_quota};
use super::{Group, STATUSES, invalid, load, store};
use crate::asker::Asker;
use crate::form::{Form, action, since};
use crate::volumes::{self, create::NewVolume};
use crate::{Cinder, attachments, group_snapshots, policy, snapshots};

type Cinders = State<Arc<Cinder>>;

pub async fn act(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let ctx = &asker.ctx;
    since(ctx, 13)?;
    let (name, inner) = action(&body)?;
    match name {
        "delete" => {
            let form = Form::inner(inner, name, &["delete-volumes"])?;
            delete(&cinder, ctx, &id, form.flag("delete-volumes")?.unwrap_or(false)).await?;
        }
        "reset_status" => {
            since(ctx, 20)?;
            ctx.authorize(&policy::GROUP_RESET, None)?;
            let form = Form::inner(inner, name, &["status"])?;
            let status = form.required_text("status")?.to_lowercase();
            if !STATUSES.contains(&status.as_str()) {
                let text = format!("Group status: {status} is invalid, valid statuses are: {STATUSES:?}.");
                return Err(Error::bad_request(text.replace('"', "'")).into());
            }
            db::write!(cinder.db, |tx| {
                let mut group = load(tx, ctx, &id).await?;
                group.status.clone_from(&status);
                store::write(tx, ctx, "group.reset", &group).await
            })?;
        }
        "enable_replication"
        | "disable_replication"
        | "failover_replication"
        | "list_replication_targets" => {
            since(ctx, 38)?;
            let group = load(&mut *cinder.db.read().await?, ctx, &id).await?;
            ctx.authorize(&policy::GROUP_REPLICATION, Some(&group.project_id))?;
            let text = format!("Invalid group type: Group {id} is not a replication group type.");
            return Err(Error::bad_request(text).into());
        }
        other => return Err(Error::bad_request(format!("There is no such action: {other}")).into()),
    }
    Ok(web::no_content(202))
}

/// The rows go at once, of the volumes as well.
async fn delete(cinder: &Cinder, ctx: &Ctx, id: &str, with_volumes: bool) -> Checked<()> {
    let released: Vec<String> = db::write!(cinder.db, |tx| {
        let group = load(tx, ctx, id).await?;
        ctx.authorize(&policy::GROUP_DELETE, Some(&group.project_id))?;
        if !with_volumes && !["available", "error"].contains(&group.status.as_str()) {
            return Err(invalid(format!(
                "Group status must be available or error, but current status is: {}",
                group.status
            )));
        }
        if group_snapshots::store::has_any(tx, id).await? {
            return Err(invalid("Group has existing snapshots."));
        }
        let members = store::volumes(tx, id).await?;
        if !members.is_empty() && !with_volumes {
            return Err(invalid(format!(
                "Group {id} still contains volumes. The delete-volumes flag is required to delete it."
            )));
        }
        let mut released = Vec::new();
        for mut volume in members {
            let attached = attachments::store::of_volume(tx, &volume.id).await?;
            if attached.iter().any(attachments::Attachment::is_connected) {
                return Err(invalid(format!("Volume in group {id} is attached. Need to detach first.")));
            }
            if !snapshots::store::of_volume(tx, &volume.id).await?.is_empty() {
                return Err(invalid("Volume in group still has dependent snapshots."));
            }
            volume.group_id = None;
            volumes::store::update(tx, ctx, "volume.group", &mut volume).await?;
            released.extend(volumes::api::remove_in(cinder, tx, ctx, &volume.id, true, false).await?);
        }
        store::delete(tx, ctx, &group).await?;
        Ok::<_, Error>(released)
    })?;
    released.iter().for_each(|layer| cinder.waker.wake(&format!("layer/{layer}")));
    Ok(())
}

/// A volume for each of the source's, with what it had.
pub async fn create_from_source(State(cinder): Cinders, asker: Asker, Json(body): Json<Value>) -> Result {
    let ctx = &asker.ctx;
    since(ctx, 14)?;
    let (name, inner) = action(&body)?;
    if name != "create-from-src" {
        return Err(Error::bad_request(format!("There is no such action: {name}")).into());
    }
    let form = Form::inner(inner, name, &["name", "description", "group_snapshot_id", "source_group_id"])?;
    let text = |key| form.text(key, 0).map(|text| text.map(|text| text.trim().to_owned()));
    let (name, description) = (text("name")?, text("description")?);
    let (snapshot, source) = (form.uuid("group_snapshot_id")?, form.uuid("source_group_id")?);
    if snapshot.is_some() == source.is_some() {
        let text = format!(
            "Invalid input for field/attribute create-from-src. Value: {inner}. {inner} is not valid under any of the given \
             schemas"
        );
        return Err(Error::bad_request(text).into());
    }
    let (project, id) = (ctx.require_project()?, base::id::uuid());
    let (made, volumes): (Group, Vec<String>) = db::write!(cinder.db, |tx| {
        let (like, sources) = match (snapshot, source) {
            (Some(snapshot), _) => {
                let taken = group_snapshots::load(tx, ctx, snapshot).await?;
                let like = load(tx, ctx, &taken.group_id).await?;
                let parts = snapshots::store::of_group_snapshot(tx, snapshot).await?;
                let part = |part: snapshots::Snapshot| NewVolume {
                    snapshot: Some(part.id),
                    volume_type: Some(part.type_id),
                    ..NewVolume::default()
                };
                (like, parts.into_iter().map(part).collect::<Vec<_>>())
            }
            (None, source) => {
                let like = load(tx, ctx, source.unwrap_or_default()).await?;
                let parts = store::volumes(tx, &like.id).await?;
                let part = |part: volumes::Volume| NewVolume {
                    source: Some(part.id),
                    volume_type: Some(part.type_id),
                    ..NewVolume::default()
                };
                (like, parts.into_iter().map(part).collect())
            }
        };
        if sources.is_empty() {
            return Err(invalid(match snapshot {
                Some(_) => "Group snapshot is empty. No group will be created.",
                None => "Source Group is empty. No group will be created.",
            }));
        }
        take_quota(tx, project).await?;
        let group = Group {
            id: id.clone(),
            project_id: project.into(),
            user_id: ctx.user_id().into(),
            name: name.clone(),
            description: description.clone(),
            status: "available".into(),
            group_snapshot_id: snapshot.map(Into::into),
            source_group_id: source.map(Into::into),
            created_at: base::time::now(),
            ..like
        };
        store::write(tx, ctx, "group.create", &group).await?;
        let mut made = Vec::with_capacity(sources.len());
        for new in sources {
            let new = NewVolume { group: Some(id.clone()), ..new };
            made.push(cinder.make_in(tx, ctx, &new, None, &base::id::uuid()).await?.id);
        }
        Ok::<_, Error>((group, made))
    })?;
    volumes.iter().for_each(|volume| cinder.waker.wake(&format!("volume/{volume}")));
    Ok(web::json(202, &json!({"group": summary(&made)})))
}
