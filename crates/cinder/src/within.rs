//! For a service that runs machines: steps within a transaction of its own, so that what it remembers of a volume and what
//! the volume says of it are never at odds, whenever the power goes. After the commit it calls [`Cinder::changed`].

use std::collections::BTreeMap;

use base::{Ctx, Result};
use db::{AnyConnection, Tx};

use crate::attachments::{Attachment, store as attached};
use crate::snapshots::{self, Snapshot, store::NewSnapshot};
use crate::types::{self, VolumeType};
use crate::volumes::{self, Status, Volume};
use crate::{Cinder, Disk, layers, policy};

impl Cinder {
    /// 404 unless `ctx` may see it.
    pub async fn volume_within(&self, conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<Volume> {
        volumes::load(conn, ctx, id).await
    }

    /// The same of a snapshot.
    pub async fn snapshot_within(&self, conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<Snapshot> {
        snapshots::load(conn, ctx, id).await
    }

    /// One that `ctx` may use, by id or name.
    pub async fn type_within(&self, conn: &mut AnyConnection, ctx: &Ctx, wanted: &str) -> Result<VolumeType> {
        types::find(conn, ctx, wanted).await
    }

    /// The volume is this server's from now on; 400 in Cinder's words when it cannot be.
    pub async fn reserve_within(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        volume_id: &str,
        server_id: &str,
        attachment_id: &str,
    ) -> Result<Attachment> {
        let volume = volumes::load(tx, ctx, volume_id).await?;
        ctx.authorize(&policy::ATTACHMENT_CREATE, Some(&volume.project_id))?;
        attached::create_in(tx, ctx, volume, attachment_id, Some(server_id), None, None).await
    }

    pub async fn complete_within(&self, tx: &mut Tx, ctx: &Ctx, attachment_id: &str) -> Result<()> {
        attached::complete_in(tx, ctx, attachment_id).await.map(|_| ())
    }

    /// 400 unless it is in use by somebody and nothing else is under way.
    pub async fn begin_detaching_within(&self, tx: &mut Tx, ctx: &Ctx, volume_id: &str) -> Result<()> {
        attached::mark_in(tx, ctx, volume_id, "os-begin_detaching").await
    }

    /// It stays attached after all.
    pub async fn roll_detaching_within(&self, tx: &mut Tx, ctx: &Ctx, volume_id: &str) -> Result<()> {
        attached::mark_in(tx, ctx, volume_id, "os-roll_detaching").await
    }

    /// No host has the volume any more, and it is its server's as before. Whatever else is being done to it goes on.
    pub async fn park_within(&self, tx: &mut Tx, ctx: &Ctx, attachment_id: &str, new_id: &str) -> Result<()> {
        attached::park_in(tx, ctx, attachment_id, new_id).await
    }

    /// Gone already is fine.
    pub async fn detach_within(&self, tx: &mut Tx, ctx: &Ctx, attachment_id: &str) -> Result<()> {
        match attached::delete_in(tx, ctx, attachment_id).await {
            Err(error) if error.is_not_found() => Ok(()),
            done => done.map(|_| ()),
        }
    }

    /// Of a volume that may be in use. Whoever commits calls [`Cinder::snapshot_made`].
    pub async fn make_snapshot_within(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        volume_id: &str,
        id: &str,
        name: &str,
    ) -> Result<Snapshot> {
        let volume = volumes::load(tx, ctx, volume_id).await?;
        ctx.authorize(&policy::SNAPSHOT_CREATE, Some(&volume.project_id))?;
        let (name, description, none) =
            (Some(name.to_owned()), volume.description.clone(), BTreeMap::default());
        let project = ctx.require_project()?;
        let new = NewSnapshot {
            id,
            project,
            name: &name,
            description: &description,
            metadata: &none,
            group_snapshot: None,
        };
        snapshots::store::make(tx, &self.keys, ctx, volume, new, true).await
    }

    pub fn snapshot_made(&self, id: &str) {
        self.waker.wake(&format!("snapshot/{id}"));
    }

    /// Attachments of this volume were written: what waited for that goes on.
    pub fn changed(&self, volume_id: &str) {
        self.waker.wake(&format!("volume/{volume_id}"));
    }

    /// Deletes it as `DELETE /volumes/{id}` does, with its refusals. Gone already is fine.
    pub async fn remove_volume(&self, ctx: &Ctx, id: &str) -> Result<()> {
        match volumes::api::remove(self, ctx, id, false, false).await {
            Err(error) if error.is_not_found() => Ok(()),
            done => done,
        }
    }

    /// Where it is at this instant; None while its files are being made or changed, or while machines are being told of
    /// others: [`Cinder::connection`] waits for that. Whoever holds [`crate::Guests::switch`] and
    /// [`crate::Guests::extend`] up while he asks, may start a machine with the answer.
    pub async fn disk_at_rest(&self, volume_id: &str) -> Result<Option<Disk>> {
        let mut conn = self.db.read().await?;
        let Some(volume) = volumes::store::get(&mut conn, volume_id).await? else { return Ok(None) };
        let chain = layers::store::chain(&mut conn, &volume.head).await?;
        drop(conn);
        let moves = matches!(
            volume.status,
            Status::Creating | Status::Extending | Status::Reverting | Status::RestoringBackup
        );
        if moves || volume.writing.is_some() || chain.iter().any(|layer| layer.state == layers::State::Wanted)
        {
            return Ok(None);
        }
        let found = self.disk(volume_id).await?;
        // A snapshot came between the two looks.
        if found.layers.last().is_none_or(|top| top.id != volume.head) {
            return Ok(None);
        }
        Ok(Some(self.opened(found).await?))
    }
}
