//! `POST /v3/volumes/{id}/action`: one route, many actions, each with its own policy.

use std::sync::Arc;

use base::{Error, Policy, Result as Checked};
use serde_json::{Value, json};
use web::{Json, Path, Result, State};

use super::{Status, Volume, api, load, reimage, retype, rules, store, upload};
use crate::asker::Asker;
use crate::attachments::{self, store::Connector};
use crate::form::{self, Form, since};
use crate::quotas::{self, More};
use crate::words::{invalid_input, invalid_volume, no_volume};
use crate::{Cinder, layers, policy, snapshots, types};

pub async fn act(
    State(cinder): State<Arc<Cinder>>,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let (name, _) = form::action(&body)?;
    let volume = load(&mut *cinder.db.read().await?, &asker.ctx, &id).await?;
    let action = Action { cinder: &cinder, asker: &asker, volume: &volume, name, body: &body };
    let done = match name {
        "os-extend" => action.extend().await,
        "os-set_bootable" => action.set_bootable().await,
        "os-update_readonly_flag" => action.set_readonly().await,
        "os-reset_status" => action.reset_status().await,
        "os-force_delete" => action.force_delete().await,
        "os-retype" => retype::begin(&action).await,
        "os-migrate_volume" => action.migrate().await,
        "os-reimage" => reimage::begin(&action).await,
        "revert" => action.revert().await,
        "os-volume_upload_image" => upload::begin(&action).await,
        "os-set_image_metadata" | "os-unset_image_metadata" | "os-show_image_metadata" => {
            action.image_metadata().await
        }
        "os-reserve" | "os-unreserve" | "os-begin_detaching" | "os-roll_detaching" => action.mark().await,
        "os-attach" => action.attach().await,
        "os-detach" | "os-force_detach" => action.detach().await,
        "os-initialize_connection" => action.initialize_connection().await,
        "os-terminate_connection" => action.terminate_connection().await,
        other => Err(Error::bad_request(format!("There is no such action: {other}"))),
    };
    Ok(done?)
}

pub struct Action<'a> {
    pub cinder: &'a Cinder,
    pub asker: &'a Asker,
    pub volume: &'a Volume,
    pub name: &'a str,
    pub body: &'a Value,
}

type Answered = Checked<web::Response>;

impl<'a> Action<'a> {
    pub fn may(&self, policy: &Policy) -> Checked<()> {
        rules::may(&self.asker.ctx, policy, self.volume)
    }

    pub fn form(&self, known: &[&str]) -> Checked<Form<'a>> {
        Form::of(self.body, self.name, known)
    }

    pub fn wake(&self) {
        self.cinder.waker.wake(&format!("volume/{}", self.volume.id));
    }

    async fn edit(
        &self,
        kind: &'static str,
        change: impl Fn(&mut Volume) -> Checked<()> + Sync,
    ) -> Checked<Volume> {
        store::edit(&self.cinder.db, &self.asker.ctx, kind, &self.volume.id, change).await
    }

    async fn extend(&self) -> Answered {
        let ctx = &self.asker.ctx;
        let form = self.form(&["new_size"])?;
        form.require("new_size")?;
        let size = form.size("new_size")?.ok_or_else(|| invalid_input("new_size must be given"))?;
        let online = self.volume.status == Status::InUse && ctx.at_least(3, 42);
        self.may(if online { &policy::EXTEND_ATTACHED } else { &policy::EXTEND })?;
        let id = &self.volume.id;
        db::write!(self.cinder.db, |tx| {
            let mut volume = store::get(tx, id).await?.ok_or_else(|| no_volume(id))?;
            crate::services::check_thawed(tx).await?;
            rules::may_extend(&volume, size, online)?;
            let kind = types::store::get(tx, &volume.type_id).await?;
            let kind = kind.ok_or_else(|| crate::words::no_type(&volume.type_id))?;
            rules::size_fits(&kind, size)?;
            let more = More { gib: size - volume.size, ..More::default() };
            quotas::store::take(tx, &volume.project_id, &kind, more, size).await?;
            volume.previous_status = Some(volume.status);
            volume.status = Status::Extending;
            volume.pending_size = Some(size);
            store::update(tx, ctx, "volume.extend", &mut volume).await
        })?;
        self.wake();
        Ok(web::no_content(202))
    }

    async fn set_bootable(&self) -> Answered {
        self.may(&policy::UPDATE)?;
        let bootable = self.form(&["bootable"])?.required_flag("bootable")?;
        self.edit("volume.update", |volume| {
            volume.bootable = bootable;
            Ok(())
        })
        .await?;
        Ok(web::no_content(200))
    }

    async fn set_readonly(&self) -> Answered {
        self.may(&policy::READONLY)?;
        let readonly = self.form(&["readonly"])?.required_flag("readonly")?;
        self.edit("volume.update", |volume| {
            if volume.status != Status::Available {
                return Err(invalid_volume(format!(
                    "Volume {} status must be available to update readonly flag, but current status is: {}.",
                    volume.id,
                    volume.status.as_str()
                )));
            }
            volume.readonly = Some(readonly);
            Ok(())
        })
        .await?;
        Ok(web::no_content(202))
    }

    async fn reset_status(&self) -> Answered {
        self.may(&policy::RESET)?;
        let ctx = &self.asker.ctx;
        let form = self.form(&["status", "attach_status", "migration_status"])?;
        let text = |key| form.text(key, 0).map(|text| text.filter(|t| !t.is_empty()).map(str::to_lowercase));
        let (status, attach, migration) =
            (text("status")?, text("attach_status")?, text("migration_status")?);
        if status.is_none() && attach.is_none() && migration.is_none() {
            return Err(Error::bad_request(
                "'Must specify 'status', 'attach_status' or 'migration_status' for update.'",
            ));
        }
        let status = match &status {
            None => None,
            Some(text) => Some(
                Status::parse(text)
                    .ok_or_else(|| Error::bad_request(format!("'Volume status: {text} is invalid.'")))?,
            ),
        };
        if let Some(text) = attach.as_deref().filter(|text| !["attached", "detached"].contains(text)) {
            return Err(Error::bad_request(format!("'Volume attach status: {text} is invalid.'")));
        }
        const MIGRATION: [&str; 7] =
            ["migrating", "error", "success", "completing", "none", "starting", "deleting"];
        if let Some(text) = migration.as_deref().filter(|text| !MIGRATION.contains(text)) {
            return Err(Error::bad_request(format!("'Volume migration status: {text} is invalid.'")));
        }
        if status == Some(Status::Deleting) {
            return Err(Error::bad_request("Cannot reset-state to deleting"));
        }
        let id = &self.volume.id;
        // A machine that has the volume is believed, not the admin.
        let unused = match attach.as_deref() {
            Some("detached") => self.cinder.unused(id).await?,
            _ => Vec::new(),
        };
        db::write!(self.cinder.db, |tx| {
            let mut volume = store::get(tx, id).await?.ok_or_else(|| no_volume(id))?;
            let attached = attachments::store::of_volume(tx, id).await?;
            if status == Some(Status::InUse) && attached.is_empty() {
                return Err(Error::bad_request(
                    "Cannot reset-state to in-use because volume does not have any attachments.",
                ));
            }
            volume.status = status.unwrap_or(volume.status);
            if let Some(text) = &migration {
                volume.migration_status = Some(text.clone()).filter(|text| text != "none");
            }
            // Half an extension is none.
            volume.pending_size = None;
            if attach.as_deref() == Some("detached") {
                attachments::store::forget(tx, &mut volume, &unused).await?;
            }
            store::update(tx, ctx, "volume.reset", &mut volume).await
        })?;
        if !unused.is_empty() {
            self.wake();
        }
        Ok(web::no_content(202))
    }

    async fn force_delete(&self) -> Answered {
        self.may(&policy::ADMIN_DELETE)?;
        api::remove(self.cinder, &self.asker.ctx, &self.volume.id, true, false).await?;
        Ok(web::no_content(202))
    }

    /// There is nowhere else to go.
    async fn migrate(&self) -> Answered {
        self.may(&policy::MIGRATE)?;
        let form = self.form(&["host", "force_host_copy", "lock_volume", "cluster"])?;
        form.flag("force_host_copy")?;
        form.flag("lock_volume")?;
        let (host, cluster) = (form.text("host", 0)?, form.text("cluster", 0)?);
        let wanted = match (host, cluster) {
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) if !self.asker.ctx.at_least(3, 16) => {
                return Err(Error::bad_request("'host' is a required property"));
            }
            _ => return Err(invalid_input("One and only one of cluster and host must be set.")),
        };
        if wanted.split('#').next() != Some(&self.cinder.backend()) {
            return Err(Error::bad_request(format!("Invalid host: No available service named '{wanted}'")));
        }
        Err(invalid_volume(format!(
            "Volume {} status must be available or in-use, must not be migrating, have snapshots, be replicated, be part \
             of a group and destination host/cluster must be different than the current one",
            self.volume.id
        )))
    }

    async fn revert(&self) -> Answered {
        let ctx = &self.asker.ctx;
        since(ctx, 40)?;
        self.may(&policy::REVERT)?;
        let wanted = self.form(&[])?.text("snapshot_id", 0)?;
        let id = &self.volume.id;
        let old: String = db::write!(self.cinder.db, |tx| {
            let mut volume = store::get(tx, id).await?.ok_or_else(|| no_volume(id))?;
            let mut all = snapshots::store::of_volume(tx, id).await?;
            if all.is_empty() {
                return Err(Error::bad_request(format!("Volume {id} doesn't have any snapshots.")));
            }
            let mut latest = all.swap_remove(0);
            if wanted != Some(&latest.id) {
                let shown = wanted.unwrap_or("None");
                return Err(Error::bad_request(format!(
                    "Specified snapshot {shown} is None or not the latest one of volume {id}."
                )));
            }
            if volume.size != latest.size {
                return Err(Error::bad_request(format!(
                    "Can't revert volume {id} to its latest snapshot {}. The volume size must be equal to the snapshot \
                     size.",
                    latest.id
                )));
            }
            for (at_rest, what, kind) in [
                (volume.status == Status::Available, "Volume's", "Invalid volume"),
                (latest.status == "available", "Snapshot's", "Invalid snapshot"),
            ] {
                if !at_rest {
                    return Err(Error::conflict(format!(
                        "{kind}: Can't revert volume {id} to its latest snapshot {}. {what} status must be 'available'.",
                        latest.id
                    )));
                }
            }
            let head = layers::Layer::over(&latest.layer, volume.bytes()).locked(volume.cipher.clone());
            layers::store::insert(tx, &head).await?;
            let old = std::mem::replace(&mut volume.head, head.id);
            volume.status = Status::Reverting;
            latest.status = "restoring".into();
            snapshots::store::update(tx, ctx, "snapshot.restore", &mut latest).await?;
            store::update(tx, ctx, "volume.revert", &mut volume).await?;
            layers::store::release(tx, &old).await?;
            Ok::<_, Error>(old)
        })?;
        self.cinder.waker.wake(&format!("layer/{old}"));
        self.wake();
        Ok(web::no_content(202))
    }

    async fn image_metadata(&self) -> Answered {
        let id = &self.volume.id;
        match self.name {
            "os-show_image_metadata" => {
                self.may(&policy::META_GET)?;
                Ok(web::json(200, &json!({"metadata": self.volume.image_metadata})))
            }
            "os-set_image_metadata" => {
                self.may(&policy::IMAGE_META_SET)?;
                let form = self.form(&["metadata"])?;
                form.require("metadata")?;
                let given = form.texts("metadata")?.unwrap_or_default();
                let volume = self
                    .edit("volume.update", |volume| {
                        rules::may_change_metadata(volume, "Updating")?;
                        volume.image_metadata.extend(given.clone());
                        Ok(())
                    })
                    .await?;
                Ok(web::json(200, &json!({"metadata": volume.image_metadata})))
            }
            _ => {
                self.may(&policy::IMAGE_META_UNSET)?;
                let key = self.form(&["key"])?.required_text("key")?;
                self.edit("volume.update", |volume| {
                    rules::may_change_metadata(volume, "Deleting")?;
                    volume.image_metadata.remove(key).map(|_| ()).ok_or_else(|| {
                        Error::not_found(format!("Glance metadata for volume/snapshot {id} cannot be found."))
                    })
                })
                .await?;
                Ok(web::no_content(200))
            }
        }
    }

    async fn mark(&self) -> Answered {
        self.may(match self.name {
            "os-reserve" => &policy::RESERVE,
            "os-unreserve" => &policy::UNRESERVE,
            "os-begin_detaching" => &policy::BEGIN_DETACHING,
            _ => &policy::ROLL_DETACHING,
        })?;
        attachments::store::mark(&self.cinder.db, &self.asker.ctx, &self.volume.id, self.name).await?;
        Ok(web::no_content(202))
    }

    async fn attach(&self) -> Answered {
        self.may(&policy::ATTACH)?;
        let form = self.form(&["instance_uuid", "mountpoint", "host_name", "mode"])?;
        let mountpoint = form.required_text("mountpoint")?;
        let (server, host) = (form.uuid("instance_uuid")?, form.text("host_name", 0)?);
        let mode = form.one_of("mode", &["rw", "ro"])?.unwrap_or("rw");
        if server.is_none() && host.is_none() {
            return Err(Error::bad_request(format!(
                "Invalid input for field/attribute os-attach. Value: {}. It is not valid under any of the given schemas",
                self.body["os-attach"]
            )));
        }
        let (db, ctx) = (&self.cinder.db, &self.asker.ctx);
        attachments::store::attach(db, ctx, &self.volume.id, server, host, mountpoint, mode).await?;
        Ok(web::no_content(202))
    }

    async fn detach(&self) -> Answered {
        let forced = self.name == "os-force_detach";
        self.may(if forced { &policy::ADMIN_DETACH } else { &policy::DETACH })?;
        let id = match &self.body[self.name] {
            Value::Null => None,
            inner => {
                let form = Form::inner(inner, self.name, &["attachment_id", "connector"])?;
                if forced { form.text("attachment_id", 0)? } else { form.uuid("attachment_id")? }
            }
        };
        self.cinder.check_detach(&self.asker.ctx, self.volume, id).await?;
        let (db, ctx) = (&self.cinder.db, &self.asker.ctx);
        attachments::store::detach(db, ctx, &self.volume.id, id).await?;
        self.wake();
        Ok(web::no_content(202))
    }

    async fn initialize_connection(&self) -> Answered {
        self.may(&policy::INITIALIZE)?;
        let form = self.form(&["connector"])?;
        let connector = form.require("connector")?;
        if !connector.is_object() {
            return Err(invalid_input("connector must be an object"));
        }
        if self.volume.status == Status::Maintenance {
            return Err(invalid_volume("The volume connection cannot be initialized in maintenance mode."));
        }
        let read = Connector::read(connector);
        if let Some(mode) = &read.mode {
            attachments::check_mode(self.volume, mode)?;
        }
        let connection = self.cinder.connection(&self.volume.id).await?;
        let mut info = connection.info();
        info["enforce_multipath"] = json!(connector["enforce_multipath"].as_bool().unwrap_or(false));
        Ok(web::json(200, &json!({ "connection_info": info })))
    }

    async fn terminate_connection(&self) -> Answered {
        self.may(&policy::TERMINATE)?;
        self.form(&["connector"])?.require("connector")?;
        self.cinder.check_detach(&self.asker.ctx, self.volume, None).await?;
        let (db, ctx) = (&self.cinder.db, &self.asker.ctx);
        attachments::store::mark(db, ctx, &self.volume.id, "os-unreserve").await?;
        Ok(web::no_content(202))
    }
}
