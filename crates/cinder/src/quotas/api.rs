//! `/v3/os-quota-sets`, `/v3/os-quota-class-sets` and `/v3/limits`.

use std::sync::Arc;

use base::{Error, Result as Checked};
use serde_json::{Map, Value, json};
use web::{Json, Params, Path, Result, Routes, State};

use super::{Amounts, store};
use crate::asker::Asker;
use crate::form::Form;
use crate::{Cinder, policy};

type Cinders = State<Arc<Cinder>>;

pub fn routes(routes: Routes<Arc<Cinder>>) -> Routes<Arc<Cinder>> {
    routes
        .get("/v3/os-quota-sets/{id}", &policy::QUOTA_SHOW, show)
        .put("/v3/os-quota-sets/{id}", &policy::QUOTA_UPDATE, update)
        .delete("/v3/os-quota-sets/{id}", &policy::QUOTA_DELETE, delete)
        .get("/v3/os-quota-sets/{id}/defaults", &policy::QUOTA_SHOW, defaults)
        .get("/v3/os-quota-class-sets/{id}", &policy::CLASS_GET, show_class)
        .put("/v3/os-quota-class-sets/{id}", &policy::CLASS_UPDATE, update_class)
        .get("/v3/limits", &policy::LIMITS, limits)
}

fn set(limits: &Amounts, id: Option<&str>) -> Map<String, Value> {
    let mut body: Map<String, Value> =
        limits.iter().map(|(name, limit)| (name.clone(), json!(limit))).collect();
    if let Some(id) = id {
        body.insert("id".into(), json!(id));
    }
    body
}

async fn show(State(cinder): Cinders, asker: Asker, Path(id): Path<String>, params: Params) -> Result {
    asker.ctx.authorize(&policy::QUOTA_SHOW, Some(&id))?;
    let mut conn = cinder.db.read().await?;
    let limits = store::limits(&mut conn, Some(&id)).await?;
    let mut body = set(&limits, Some(&id));
    if params.flag("usage").unwrap_or(false) {
        let used = store::used(&mut conn, &id).await?;
        for (name, limit) in &limits {
            let taken = used.get(name).copied().unwrap_or(0);
            body.insert(name.clone(), json!({"limit": limit, "in_use": taken, "reserved": 0}));
        }
    }
    Ok(web::json(200, &json!({ "quota_set": body })))
}

async fn defaults(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    asker.ctx.authorize(&policy::QUOTA_SHOW, Some(&id))?;
    let limits = store::limits(&mut *cinder.db.read().await?, None).await?;
    Ok(web::json(200, &json!({"quota_set": set(&limits, Some(&id))})))
}

/// The new limits; keys that name nothing are told all at once.
fn read(body: &Value, key: &str, known: &Amounts) -> Checked<Vec<(String, i64)>> {
    const NO_LIMITS: [&str; 2] = ["tenant_id", "id"];
    let form = Form::of(body, key, &[])?;
    if form.map().is_empty() {
        return Err(Error::bad_request(format!(
            "Invalid input for field/attribute {key}. Value: {{}}. {{}} does not have enough properties"
        )));
    }
    let mut values = Vec::new();
    let mut bad = Vec::new();
    for (name, value) in form.map().iter().filter(|(name, _)| !NO_LIMITS.contains(&name.as_str())) {
        if !known.contains_key(name) {
            bad.push(name.as_str());
            continue;
        }
        let number = value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        let number = number.ok_or_else(|| Error::bad_request(format!("{name} must be an integer")))?;
        if number < -1 {
            return Err(Error::bad_request(format!("{name} must be >= -1")));
        }
        if number > i64::from(i32::MAX) {
            return Err(Error::bad_request(format!("{name} must be <= {}", i32::MAX)));
        }
        values.push((name.clone(), number));
    }
    match bad.as_slice() {
        [] => Ok(values),
        _ => Err(Error::bad_request(format!(
            "Invalid input received: Bad key(s) in quota set: {}",
            bad.join(", ")
        ))),
    }
}

fn check_name(id: &str, what: &str) -> Checked<()> {
    match id.chars().count() {
        1..=255 => Ok(()),
        n => Err(Error::bad_request(format!("{what} has {n} characters, more than 255."))),
    }
}

async fn update(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    check_name(&id, "quota_set_name")?;
    let mut conn = cinder.db.read().await?;
    let values = read(&body, "quota_set", &store::limits(&mut conn, None).await?)?;
    let used = store::used(&mut conn, &id).await?;
    drop(conn);
    for (name, limit) in &values {
        let taken = used.get(name).copied().unwrap_or(0);
        if *limit >= 0 && *limit < taken && name != "per_volume_gigabytes" {
            return Err(Error::bad_request(format!(
                "Quota {name} limit must be equal or greater than existing resources. Current usage is {taken} and the \
                 requested limit is {limit}."
            ))
            .into());
        }
    }
    store::set(&cinder.db, &asker.ctx, &id, &values).await?;
    let limits = store::limits(&mut *cinder.db.read().await?, Some(&id)).await?;
    Ok(web::json(200, &json!({"quota_set": set(&limits, None)})))
}

async fn delete(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    store::delete(&cinder.db, &asker.ctx, &id).await?;
    Ok(web::no_content(200))
}

async fn show_class(State(cinder): Cinders, _: Asker, Path(id): Path<String>) -> Result {
    let limits = store::limits(&mut *cinder.db.read().await?, Some(&store::class(&id))).await?;
    Ok(web::json(200, &json!({"quota_class_set": set(&limits, Some(&id))})))
}

async fn update_class(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    check_name(&id, "quota_class_name")?;
    let known = store::limits(&mut *cinder.db.read().await?, None).await?;
    let values = read(&body, "quota_class_set", &known)?;
    let scope = store::class(&id);
    store::set(&cinder.db, &asker.ctx, &scope, &values).await?;
    let limits = store::limits(&mut *cinder.db.read().await?, Some(&scope)).await?;
    Ok(web::json(200, &json!({"quota_class_set": set(&limits, None)})))
}

async fn limits(State(cinder): Cinders, asker: Asker, params: Params) -> Result {
    let ctx = &asker.ctx;
    let other = params.get("project_id").or_else(|| params.get("tenant_id"));
    let project = match other.filter(|_| ctx.is_admin() && ctx.at_least(3, 39)) {
        Some(other) => other,
        None => ctx.require_project()?,
    };
    let mut conn = cinder.db.read().await?;
    let (limits, used) =
        (store::limits(&mut conn, Some(project)).await?, store::used(&mut conn, project).await?);
    let limit = |name: &str| limits.get(name).copied().unwrap_or(-1);
    let taken = |name: &str| used.get(name).copied().unwrap_or(0);
    let absolute = json!({
        "maxTotalVolumes": limit("volumes"), "maxTotalSnapshots": limit("snapshots"),
        "maxTotalVolumeGigabytes": limit("gigabytes"), "maxTotalBackups": limit("backups"),
        "maxTotalBackupGigabytes": limit("backup_gigabytes"),
        "totalVolumesUsed": taken("volumes"), "totalGigabytesUsed": taken("gigabytes"),
        "totalSnapshotsUsed": taken("snapshots"), "totalBackupsUsed": taken("backups"),
        "totalBackupGigabytesUsed": taken("backup_gigabytes"),
    });
    Ok(web::json(200, &json!({"limits": {"rate": [], "absolute": absolute}})))
}
