//! `/v3/backups/{id}/export_record` and `/v3/backups/import_record`: what a database knows of a backup, for one that has
//! lost it. The backup's data stays where it is.

use std::sync::Arc;

use base::{Ctx, Error, Result as Checked};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use web::{Json, Path, Result, Routes, State};

use super::{Backup, api, load, store};
use crate::asker::Asker;
use crate::form::Form;
use crate::{Cinder, policy};

/// The name that other clouds' files of backups have, too.
const SERVICE: &str = "cinder.backup.drivers.posix.PosixBackupDriver";

pub fn routes(routes: Routes<Arc<Cinder>>) -> Routes<Arc<Cinder>> {
    routes.get("/v3/backups/{id}/export_record", &policy::BACKUP_EXPORT, export).post(
        "/v3/backups/import_record",
        &policy::BACKUP_IMPORT,
        import,
    )
}

async fn export(State(cinder): State<Arc<Cinder>>, asker: Asker, Path(id): Path<String>) -> Result {
    let one = load(&mut *cinder.db.read().await?, &asker.ctx, &id).await?;
    if one.status != "available" {
        let text = format!("Invalid backup: Backup status must be available and not {}.", one.status);
        return Err(Error::bad_request(text).into());
    }
    let told =
        json!({"backup_service": SERVICE, "backup_url": BASE64_STANDARD.encode(record(&one).to_string())});
    Ok(web::json(200, &json!({ "backup-record": told })))
}

fn record(one: &Backup) -> Value {
    json!({
        "id": one.id,
        "size": one.size,
        "volume_id": one.volume_id,
        "snapshot_id": one.snapshot_id,
        "display_name": one.name,
        "display_description": one.description,
        "container": one.container,
        "parent_id": one.parent,
        "bootable": one.bootable,
        "image_metadata": one.image_metadata,
        "volume_metadata": one.volume_metadata,
        "backup_metadata": one.metadata,
        "data_timestamp": one.data_at,
        "service_metadata": one.layer,
    })
}

async fn import(State(cinder): State<Arc<Cinder>>, asker: Asker, Json(body): Json<Value>) -> Result {
    let form = Form::of(&body, "backup-record", &["backup_service", "backup_url"])?;
    form.required_text("backup_service")?;
    let text = form.require("backup_url")?.as_str().unwrap_or_default();
    let told = read(&asker.ctx, text)?;
    let made = store::import(&cinder.db, &cinder.keys, &asker.ctx, &told).await?;
    Ok(web::json(201, &json!({"backup": api::summary(&asker, &made)})))
}

fn read(ctx: &Ctx, text: &str) -> Checked<Backup> {
    let garbled = || Error::bad_request("Invalid input received: Can't parse backup record.");
    let bytes = BASE64_STANDARD.decode(text.trim()).map_err(|_| garbled())?;
    let told: Value = serde_json::from_slice(&bytes).map_err(|_| garbled())?;
    let missing = |what| {
        Error::bad_request(format!("Invalid input received: Provided backup record is missing {what}"))
    };
    let text = |key: &str| told[key].as_str().map(str::to_owned);
    let texts = |key: &str| serde_json::from_value(told[key].clone()).unwrap_or_default();
    let now = base::time::now();
    let id = text("id").filter(|id| base::id::is_uuid(id)).ok_or_else(|| missing("an id"))?;
    Ok(Backup {
        id,
        project_id: ctx.require_project()?.into(),
        user_id: ctx.user_id().into(),
        volume_id: text("volume_id").unwrap_or_default(),
        snapshot_id: text("snapshot_id"),
        name: text("display_name"),
        description: text("display_description"),
        container: text("container"),
        size: told["size"].as_i64().filter(|size| *size > 0).ok_or_else(|| missing("size attribute"))?,
        status: "available".into(),
        fail_reason: None,
        bootable: told["bootable"].as_bool().unwrap_or(false),
        image_metadata: texts("image_metadata"),
        metadata: texts("backup_metadata"),
        volume_metadata: texts("volume_metadata"),
        parent: text("parent_id"),
        layer: text("service_metadata").ok_or_else(|| missing("the place of its data"))?,
        key_id: None,
        source: None,
        data_at: told["data_timestamp"].as_i64().unwrap_or(now),
        created_at: now,
        updated_at: None,
    })
}
