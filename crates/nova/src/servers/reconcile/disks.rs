//! Volumes of machines: where they are when a machine starts, and how they come to a running one and go. Rows come first;
//! a step may be the last one before a kill and is done again.

use base::{Error, Result};
use cinder::{Disk, NewVolume};
use reconcile::Outcome;
use tokio::sync::OwnedMutexGuard;

use super::trouble::Trouble;
use super::{ATTEMPTS, Server, VmState, acting_for};
use crate::Nova;
use crate::block_devices::{BlockDevice, State, guests, names, store as devices};
use crate::instance_actions::store as actions;
use crate::servers::store;

/// How often volumes may move while a machine is about to start with them.
const LOOKS: usize = 20;

/// A server's volumes and where they are. Nobody moves them as long as this is kept.
#[derive(Default)]
pub(super) struct Disks {
    pub list: Vec<(BlockDevice, Disk)>,
    _turn: Option<OwnedMutexGuard<()>>,
}

impl Nova {
    /// The volumes that a machine has when it starts, connected.
    pub(super) async fn disks(&self, server: &Server) -> Result<Disks, Trouble> {
        let rows = self.devices_of(server).await?;
        self.held(server, rows.into_iter().filter(BlockDevice::belongs_to_machine).collect()).await
    }

    async fn devices_of(&self, server: &Server) -> Result<Vec<BlockDevice>> {
        devices::of_server(&mut *self.db.read().await?, &server.id).await
    }

    pub(super) async fn has_volumes(&self, server: &Server) -> Result<bool> {
        Ok(!self.devices_of(server).await?.is_empty())
    }

    pub(super) async fn root_volume(&self, server: &Server) -> Result<Option<String>> {
        let rows = self.devices_of(server).await?;
        Ok(rows.into_iter().find(BlockDevice::is_root).map(|row| row.volume_id))
    }

    async fn held(&self, server: &Server, mut rows: Vec<BlockDevice>) -> Result<Disks, Trouble> {
        if rows.is_empty() {
            return Ok(Disks::default());
        }
        for row in rows.iter_mut().filter(|row| row.device_name.is_none()) {
            *row = self.named(server, row).await?;
        }
        for _ in 0..LOOKS {
            for row in &mut rows {
                self.connect_volume(server, row).await?;
            }
            let turn = self.turns.take(&server.id).await;
            let mut list = Vec::with_capacity(rows.len());
            for row in &rows {
                let Some(disk) = self.cinder.disk_at_rest(&row.volume_id).await? else { break };
                list.push((row.clone(), disk));
            }
            if list.len() == rows.len() {
                return Ok(Disks { list, _turn: Some(turn) });
            }
        }
        Err(Error::unavailable("The server's volumes are being changed all the time.").into())
    }

    /// One that came while the server had no host.
    async fn named(&self, server: &Server, row: &BlockDevice) -> Result<BlockDevice> {
        db::write!(self.db, |tx| {
            let all = devices::of_server(tx, &server.id).await?;
            let Some(mut now) = all.iter().find(|d| d.id == row.id).cloned() else { return Ok(row.clone()) };
            if now.device_name.is_none() {
                now.device_name = Some(names::free(&server.flavor, &all)?);
                devices::save(tx, &now).await?;
            }
            Ok::<_, Error>(now)
        })
    }

    /// The volume knows of its host afterwards, and its files are there.
    async fn connect_volume(&self, server: &Server, row: &mut BlockDevice) -> Result<()> {
        let ctx = acting_for(server);
        let there = match &row.attachment_id {
            Some(id) => self.cinder.attachment(id).await.map(Some),
            None => Ok(None),
        };
        let there = match there {
            Err(error) if error.is_not_found() => None,
            there => there?,
        };
        let connected = there.as_ref().is_some_and(|attachment| attachment.connector.is_some());
        if connected {
            self.cinder.connection(&row.volume_id).await?;
            return Ok(());
        }
        let new = base::id::uuid();
        *row = db::write!(self.db, |tx| {
            let Some(mut now) = devices::get(tx, &row.id).await? else { return Ok(row.clone()) };
            // Somebody has taken a reservation back that no machine used.
            if there.is_none() {
                self.cinder.reserve_within(tx, &ctx, &now.volume_id, &server.id, &new).await?;
                now.attachment_id = Some(new.clone());
            }
            now.state = State::Attaching;
            devices::save(tx, &now).await?;
            Ok::<_, Error>(now)
        })?;
        let id = row.attachment_id.as_deref().unwrap_or_default();
        let name = row.device_name.as_deref().unwrap_or_default();
        self.cinder.connect(&ctx, id, &self.config.host, name).await?;
        Ok(())
    }

    /// The machine has them, or will find them when it starts.
    pub(super) async fn disks_are_in(&self, server: &Server, disks: Disks) -> Result<()> {
        let unfinished = |row: &BlockDevice| row.state == State::Attaching;
        if !disks.list.iter().any(|(row, _)| unfinished(row)) {
            return Ok(());
        }
        let ctx = acting_for(server);
        db::write!(self.db, |tx| {
            for (row, _) in disks.list.iter().filter(|(row, _)| unfinished(row)) {
                let Some(mut now) = devices::get(tx, &row.id).await? else { continue };
                if now.state != State::Attaching {
                    continue;
                }
                if let Some(attachment) = &now.attachment_id {
                    self.cinder.complete_within(tx, &ctx, attachment).await?;
                }
                if let Some(request) = now.request_id.take() {
                    actions::end(tx, &server.id, &request, None).await?;
                }
                now.state = State::Attached;
                now.attempts = 0;
                devices::save(tx, &now).await?;
            }
            Ok::<_, Error>(())
        })
    }

    /// Volumes that are to come to this server or to go from it, while it has nothing else to do: the end of a task looks
    /// here, too.
    pub(super) async fn settle_disks(&self, id: &str) -> Result<Outcome> {
        let (rows, server) = {
            let mut conn = self.db.read().await?;
            let rows = devices::of_server(&mut conn, id).await?;
            if rows.iter().all(|row| matches!(row.state, State::Attached | State::Wanted)) {
                return Ok(Outcome::Done);
            }
            (rows, store::get(&mut conn, id).await?)
        };
        let Some(server) = server.filter(|server| server.deleted_at.is_none()) else {
            return Ok(Outcome::Done);
        };
        if server.task_state.is_some() || server.vm_state == VmState::Building {
            return Ok(Outcome::Done);
        }
        for row in rows {
            match row.state {
                State::Wanted | State::Attached => {}
                State::Attaching => self.attach_volume(&server, row).await?,
                State::Detaching => self.detach_volume(&server, row).await?,
                State::Leaving => self.let_go(&server, &row).await?,
            }
        }
        Ok(Outcome::Done)
    }

    async fn attach_volume(&self, server: &Server, row: BlockDevice) -> Result<()> {
        let Err(trouble) = self.try_attach(server, &row).await else {
            tracing::info!(server = server.id, volume = row.volume_id, "a volume is attached");
            return Ok(());
        };
        if trouble.is_passing() && row.attempts + 1 < ATTEMPTS {
            db::write!(self.db, |tx| {
                let Some(mut now) = devices::get(tx, &row.id).await? else { return Ok(()) };
                now.attempts += 1;
                devices::save(tx, &now).await
            })?;
            return Err(Error::unavailable(trouble.told().1));
        }
        // Before somebody else may have it.
        self.hypervisor.unplug_disk(&server.id, &row.volume_id).await.map_err(Error::internal)?;
        tracing::warn!(
            server = server.id,
            volume = row.volume_id,
            reason = trouble.told().1,
            "a volume is not attached"
        );
        self.forget_device(server, &row, Some(trouble.told())).await
    }

    async fn try_attach(&self, server: &Server, row: &BlockDevice) -> Result<(), Trouble> {
        let disks = self.held(server, vec![row.clone()]).await?;
        for (row, disk) in &disks.list {
            // Nothing happens to a machine that does not run.
            self.hypervisor.plug_disk(&server.id, &guests::plan(Some(row), disk)).await?;
        }
        Ok(self.disks_are_in(server, disks).await?)
    }

    async fn detach_volume(&self, server: &Server, row: BlockDevice) -> Result<()> {
        let unplug = self.hypervisor.unplug_disk(&server.id, &row.volume_id);
        let Some(unplugged) = self.unless_preempted(server, unplug).await else { return Ok(()) };
        match unplugged {
            Ok(()) => {
                self.forget_device(server, &row, None).await?;
                tracing::info!(server = server.id, volume = row.volume_id, "a volume is detached");
                Ok(())
            }
            Err(error) => self.keep_volume(server, &row, error).await,
        }
    }

    /// The guest does not let go of it.
    async fn keep_volume(&self, server: &Server, row: &BlockDevice, error: host::Error) -> Result<()> {
        let told =
            format!("Device detach failed for {}: {error}", row.device_name.as_deref().unwrap_or_default());
        let last = row.attempts + 1 >= ATTEMPTS || matches!(error, host::Error::Refused(_));
        let ctx = acting_for(server);
        db::write!(self.db, |tx| {
            let Some(mut now) = devices::get(tx, &row.id).await? else { return Ok(()) };
            now.attempts += 1;
            if last {
                now.attempts = 0;
                now.state = State::Attached;
                self.cinder.roll_detaching_within(tx, &ctx, &now.volume_id).await?;
                if let Some(request) = now.request_id.take() {
                    actions::end(tx, &server.id, &request, Some((&told, &told))).await?;
                }
            }
            devices::save(tx, &now).await
        })?;
        tracing::warn!(server = server.id, volume = row.volume_id, %error, last, "a volume could not be detached");
        if last { Ok(()) } else { Err(Error::unavailable(told)) }
    }

    /// No machine has it: the volume is everybody's again, and the row goes.
    async fn forget_device(
        &self,
        server: &Server,
        row: &BlockDevice,
        error: Option<(&str, &str)>,
    ) -> Result<()> {
        let ctx = acting_for(server);
        db::write!(self.db, |tx| {
            let Some(now) = devices::get(tx, &row.id).await? else { return Ok(()) };
            if let Some(attachment) = &now.attachment_id {
                self.cinder.detach_within(tx, &ctx, attachment).await?;
            }
            if let Some(request) = &now.request_id {
                actions::end(tx, &server.id, request, error).await?;
            }
            devices::delete(tx, &now.id).await
        })?;
        self.cinder.changed(&row.volume_id);
        Ok(())
    }

    /// Makes the volumes that the server was asked for with, and reserves them.
    pub(super) async fn make_volumes(&self, server: &Server) -> Result<(), Trouble> {
        let aborted =
            |reason: &str| Trouble::lasting(format!("Build of instance {} aborted: {reason}", server.id));
        let ctx = acting_for(server);
        for row in self.devices_of(server).await?.into_iter().filter(|row| row.state == State::Wanted) {
            let of = |source: &str| row.source_id.clone().filter(|_| row.source_type == source);
            let new = NewVolume {
                id: Some(row.volume_id.clone()),
                size: row.size_gib,
                name: (row.source_type == "blank").then(|| format!("{}-blank-vol", server.id)),
                volume_type: row.volume_type.clone(),
                image: of("image"),
                snapshot: of("snapshot"),
                ..NewVolume::default()
            };
            let made = self.cinder.create_volume(&ctx, &new).await;
            let made = match made {
                Err(error) if !error.retryable() => return Err(aborted(&error.message)),
                made => made?,
            };
            self.cinder.connection(&made.id).await?;
            let now = self.cinder.volume(&ctx, &made.id).await?;
            if now.status != cinder::Status::Available {
                return Err(aborted(&format!(
                    "Volume {} did not finish being created even after we waited for it. And its status is {}.",
                    now.id,
                    now.status.as_str()
                )));
            }
            let attachment = base::id::uuid();
            db::write!(self.db, |tx| {
                let Some(mut row) = devices::get(tx, &row.id).await? else { return Ok(()) };
                self.cinder.reserve_within(tx, &ctx, &row.volume_id, &server.id, &attachment).await?;
                row.attachment_id = Some(attachment.clone());
                row.size_gib = Some(now.size);
                row.state = State::Attaching;
                devices::save(tx, &row).await
            })?;
        }
        Ok(())
    }

    /// The server's machine is gone: its volumes are detached, and deleted where that was said.
    pub(super) async fn release_volumes(&self, server: &Server) -> Result<()> {
        let ctx = acting_for(server);
        for row in self.devices_of(server).await? {
            if row.state == State::Wanted && self.cinder.volume(&ctx, &row.volume_id).await.is_ok() {
                // It may still be under way, and could not be deleted then.
                self.cinder.connection(&row.volume_id).await?;
            }
            db::write!(self.db, |tx| {
                let Some(mut now) = devices::get(tx, &row.id).await? else { return Ok(()) };
                if let Some(attachment) = &now.attachment_id {
                    self.cinder.detach_within(tx, &ctx, attachment).await?;
                }
                now.attachment_id = None;
                now.state = State::Leaving;
                devices::save(tx, &now).await
            })?;
            self.cinder.changed(&row.volume_id);
            self.let_go(server, &row).await?;
        }
        Ok(())
    }

    /// The end of a row. A volume that cannot be deleted with its server, because of its snapshots perhaps, stays.
    async fn let_go(&self, server: &Server, row: &BlockDevice) -> Result<()> {
        if row.delete_on_termination {
            match self.cinder.remove_volume(&acting_for(server), &row.volume_id).await {
                Err(error) if error.retryable() => return Err(error),
                Err(error) => {
                    tracing::warn!(server = server.id, volume = row.volume_id, %error, "a volume is not deleted with its server");
                }
                Ok(()) => {}
            }
        }
        db::write!(self.db, |tx| devices::delete(tx, &row.id).await)
    }

    /// The server leaves its host and keeps its volumes: no host has them, and nobody else gets them.
    pub(super) async fn park_volumes(&self, server: &Server) -> Result<()> {
        let ctx = acting_for(server);
        for row in self.devices_of(server).await? {
            if row.state == State::Detaching {
                self.forget_device(server, &row, None).await?;
                continue;
            }
            let Some(old) = row.attachment_id.clone() else { continue };
            let connected = match self.cinder.attachment(&old).await {
                Err(error) if error.is_not_found() => false,
                found => found?.is_connected(),
            };
            if !connected {
                continue;
            }
            let new = base::id::uuid();
            db::write!(self.db, |tx| {
                let Some(mut now) = devices::get(tx, &row.id).await? else { return Ok(()) };
                self.cinder.park_within(tx, &ctx, &old, &new).await?;
                if let Some(request) = now.request_id.take() {
                    actions::end(tx, &server.id, &request, None).await?;
                }
                now.attachment_id = Some(new.clone());
                now.state = State::Attached;
                devices::save(tx, &now).await
            })?;
            self.cinder.changed(&row.volume_id);
        }
        Ok(())
    }
}
