//! `/v3/groups`.

use std::collections::HashMap;
use std::sync::Arc;

use base::time::micros_naive;
use base::{Ctx, Error, Result as Checked};
use serde_json::{Value, json};
use web::{Json, Params, Path, Result, Routes, State};

use super::{Group, actions, invalid, load, store};
use crate::asker::Asker;
use crate::form::{Form, since};
use crate::listing::{Listing, keep};
use crate::quotas::{self, More};
use crate::volumes::{self, Status, Volume};
use crate::words::invalid_volume;
use crate::{Cinder, group_types, policy, types};

type Cinders = State<Arc<Cinder>>;

pub fn routes(routes: Routes<Arc<Cinder>>) -> Routes<Arc<Cinder>> {
    routes
        .get("/v3/groups", &policy::GROUP_LIST, list)
        .get("/v3/groups/detail", &policy::GROUP_LIST, list_details)
        .post("/v3/groups", &policy::GROUP_CREATE, create)
        .get("/v3/groups/{id}", &policy::GROUP_GET, get)
        .put("/v3/groups/{id}", &policy::GROUP_UPDATE, update)
        .post("/v3/groups/action", &policy::GROUP_CREATE, actions::create_from_source)
        .post("/v3/groups/{id}/action", &policy::GROUP_ACTION, actions::act)
}

pub fn summary(one: &Group) -> Value {
    json!({"id": one.id, "name": one.name})
}

/// `volumes`: told when asked for.
fn detail(ctx: &Ctx, one: &Group, volumes: Option<Vec<String>>) -> Value {
    let mut body = json!({
        "id": one.id,
        "status": one.status,
        "availability_zone": one.availability_zone,
        "created_at": micros_naive(one.created_at),
        "name": one.name,
        "description": one.description,
        "group_type": one.group_type,
        "volume_types": one.volume_types,
    });
    if ctx.at_least(3, 14) {
        body["group_snapshot_id"] = json!(one.group_snapshot_id);
        body["source_group_id"] = json!(one.source_group_id);
    }
    if let Some(volumes) = volumes.filter(|_| ctx.at_least(3, 25)) {
        body["volumes"] = json!(volumes);
    }
    if ctx.at_least(3, 38) {
        body["replication_status"] = json!("disabled");
    }
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
    since(ctx, 13)?;
    let listing = Listing::read(&params)?;
    let scope = volumes::list::scope(ctx, &params)?;
    let with_volumes = details && params.flag("list_volume").unwrap_or(false);
    let mut conn = cinder.db.read().await?;
    let mut kept = store::list(&mut conn, scope).await?;
    let mut members: HashMap<String, Vec<String>> = HashMap::new();
    if with_volumes {
        for (group, volume) in store::members(&mut conn, scope).await? {
            members.entry(group).or_default().push(volume);
        }
    }
    drop(conn);
    let fields = ["group_type", "group_type_id", "group_snapshot_id", "source_group_id"];
    keep(ctx, &params, &mut kept, (&fields, &["list_volume"]), |one, field| match field {
        "name" => one.name.clone(),
        "status" => Some(one.status.clone()),
        "group_snapshot_id" => one.group_snapshot_id.clone(),
        "source_group_id" => one.source_group_id.clone(),
        _ => Some(one.group_type.clone()),
    })?;
    let mut volumes = |one: &Group| with_volumes.then(|| members.remove(&one.id).unwrap_or_default());
    let view = |one: &Group| if details { detail(ctx, one, volumes(one)) } else { summary(one) };
    Ok(web::json(200, &listing.answer(&params, &origin, ("groups", "group_links"), kept, view)?))
}

async fn get(State(cinder): Cinders, asker: Asker, Path(id): Path<String>, params: Params) -> Result {
    since(&asker.ctx, 13)?;
    let mut conn = cinder.db.read().await?;
    let one = load(&mut conn, &asker.ctx, &id).await?;
    let volumes = match params.flag("list_volume").unwrap_or(false) {
        true => Some(store::volumes(&mut conn, &id).await?.into_iter().map(|volume| volume.id).collect()),
        false => None,
    };
    drop(conn);
    Ok(web::json(200, &json!({"group": detail(&asker.ctx, &one, volumes)})))
}

async fn create(State(cinder): Cinders, asker: Asker, Json(body): Json<Value>) -> Result {
    let ctx = &asker.ctx;
    since(ctx, 13)?;
    let known = ["name", "description", "group_type", "volume_types", "availability_zone"];
    let form = Form::of(&body, "group", &known)?;
    let group_type = form.required_text("group_type")?;
    let wanted = types_of(form.require("volume_types")?)?;
    let zone = form.text("availability_zone", 1)?.unwrap_or(&cinder.config.availability_zone);
    if zone != cinder.config.availability_zone {
        return Err(Error::bad_request(format!("Availability zone '{zone}' is invalid.")).into());
    }
    let text = |key| form.text(key, 0).map(|text| text.map(|text| text.trim().to_owned()));
    let (name, description, id) = (text("name")?, text("description")?, base::id::uuid());
    let project = ctx.require_project()?;
    let able = cinder.capabilities().await?;
    let made: Group = db::write!(cinder.db, |tx| {
        let kind = group_types::find(tx, ctx, group_type).await?;
        let mut volume_types = Vec::with_capacity(wanted.len());
        for wanted in &wanted {
            let found = types::find(tx, ctx, wanted).await?;
            if !volume_types.contains(&found.id) {
                volume_types.push(found.id);
            }
        }
        take_quota(tx, project).await?;
        let status = if crate::services::fits(&kind.specs, &able) { "available" } else { "error" };
        let group = Group {
            id: id.clone(),
            project_id: project.into(),
            user_id: ctx.user_id().into(),
            name: name.clone(),
            description: description.clone(),
            status: status.into(),
            availability_zone: zone.into(),
            group_type: kind.id,
            volume_types,
            group_snapshot_id: None,
            source_group_id: None,
            created_at: base::time::now(),
        };
        store::write(tx, ctx, "group.create", &group).await?;
        Ok::<_, Error>(group)
    })?;
    Ok(web::json(202, &json!({"group": summary(&made)})))
}

fn types_of(value: &Value) -> Checked<Vec<&str>> {
    let refused = || {
        Error::bad_request(format!(
            "Invalid input for field/attribute volume_types. Value: {value}. It is not a list of names"
        ))
    };
    let list = value.as_array().filter(|list| !list.is_empty()).ok_or_else(refused)?;
    let names = list.iter().map(|one| one.as_str().filter(|name| !name.is_empty()).ok_or_else(refused));
    names.collect()
}

pub async fn take_quota(tx: &mut db::Tx, project: &str) -> Checked<()> {
    let kind = types::default_of(tx, project).await?;
    quotas::store::take(tx, project, &kind, More { groups: 1, ..More::default() }, 0).await
}

fn ids(text: Option<&str>) -> Vec<String> {
    let ids = text.unwrap_or_default().split(',').map(str::trim).filter(|id| !id.is_empty());
    ids.map(Into::into).collect()
}

async fn update(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let ctx = &asker.ctx;
    since(ctx, 13)?;
    let form = Form::of(&body, "group", &["name", "description", "add_volumes", "remove_volumes"])?;
    let text = |key| form.text(key, 0).map(|text| text.map(|text| text.trim().to_owned()));
    let (name, description) = (text("name")?, text("description")?);
    let long = |key: &str| form.get(key).and_then(Value::as_str);
    let (add, remove) = (ids(long("add_volumes")), ids(long("remove_volumes")));
    let both: Vec<&String> = add.iter().filter(|id| remove.contains(id)).collect();
    if !both.is_empty() {
        let text = format!("UUIDs {both:?} are in both add and remove volume list.");
        return Err(invalid_volume(text).into());
    }
    db::write!(cinder.db, |tx| {
        let mut group = load(tx, ctx, &id).await?;
        ctx.authorize(&policy::GROUP_UPDATE, Some(&group.project_id))?;
        let members = store::volumes(tx, &id).await?;
        let mut changed = Vec::new();
        for volume in add.iter().filter(|id| !members.iter().any(|member| member.id == **id)) {
            changed.push(Volume { group_id: Some(id.clone()), ..may_join(tx, ctx, &group, volume).await? });
        }
        for volume in &remove {
            let member = members.iter().find(|member| member.id == *volume);
            changed.push(Volume { group_id: None, ..may_leave(&group, volume, member)? });
        }
        let (named, told) =
            (name.is_some() && name != group.name, description.is_some() && description != group.description);
        if changed.is_empty() && !named && !told {
            return Err(invalid(format!(
                "Cannot update group {id} because no valid name, description, add_volumes, or remove_volumes were provided."
            )));
        }
        if !changed.is_empty() && group.status != "available" {
            return Err(invalid("Group status must be available."));
        }
        if named {
            group.name.clone_from(&name);
        }
        if told {
            group.description.clone_from(&description);
        }
        store::write(tx, ctx, "group.update", &group).await?;
        for mut volume in changed {
            volumes::store::update(tx, ctx, "volume.group", &mut volume).await?;
        }
        Ok::<_, Error>(())
    })?;
    Ok(web::no_content(202))
}

async fn may_join(tx: &mut db::Tx, ctx: &Ctx, group: &Group, id: &str) -> Checked<Volume> {
    let refused =
        |why: String| invalid_volume(format!("Cannot add volume {id} to group {} because {why}", group.id));
    let found = volumes::store::get(tx, id).await?.filter(|volume| ctx.owns(&volume.project_id));
    let volume = found.ok_or_else(|| refused("volume cannot be found.".into()))?;
    if let Some(other) = &volume.group_id {
        return Err(refused(format!("it is already in group {other}.")));
    }
    if volume.project_id != group.project_id {
        let text =
            format!("Cannot add volume {id} to group {} as they belong to different projects.", group.id);
        return Err(invalid_volume(text));
    }
    if !group.volume_types.contains(&volume.type_id) {
        return Err(refused(format!("volume type {} is not supported by the group.", volume.type_id)));
    }
    match volume.status {
        Status::Available | Status::InUse => Ok(volume),
        other => Err(refused(format!(
            "volume is in an invalid state: {}. Valid states are: ('available', 'in-use').",
            other.as_str()
        ))),
    }
}

fn may_leave(group: &Group, id: &str, member: Option<&Volume>) -> Checked<Volume> {
    let refused = |why: String| {
        invalid_volume(format!("Cannot remove volume {id} from group {} because {why}", group.id))
    };
    let volume = member.ok_or_else(|| refused("it is not in the group.".into()))?;
    match volume.status {
        Status::Available | Status::InUse | Status::Error | Status::ErrorDeleting => Ok(volume.clone()),
        other => Err(refused(format!(
            "volume is in an invalid state: {}. Valid states are: ('available', 'in-use', 'error', 'error_deleting').",
            other.as_str()
        ))),
    }
}
