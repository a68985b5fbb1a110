//! Images of disks: the copy, its way into Glance, and how many backups stay.

use base::{Error, Result};
use reconcile::Outcome;

use super::trouble::Trouble;
use super::{End, Server, TaskState, acting_for};
use crate::Nova;
use crate::servers::{Snapshot, store};

/// A finished copy is named for its format, so that a restart knows it.
const FORMATS: [&str; 2] = ["qcow2", "raw"];
const UNFINISHED: &str = "copying";

impl Nova {
    pub(super) async fn snapshot(&self, server: &Server) -> Result<Outcome> {
        let mut spec = store::spec(&mut *self.db.read().await?, &server.id).await?;
        let Some(snapshot) = spec.work.snapshot.take() else {
            let lost = Trouble::lasting("Which image was to be filled is not known any more.");
            return self.end_as_before(server, &lost, None).await;
        };
        let Some(done) = self.unless_preempted(server, self.try_snapshot(server.clone(), &snapshot)).await
        else {
            return Ok(Outcome::Done);
        };
        let Some(now) = store::get(&mut *self.db.read().await?, &server.id).await? else {
            return Ok(Outcome::Done);
        };
        if !now.task_state.is_some_and(TaskState::is_image) {
            return Ok(Outcome::Done);
        }
        match done {
            Ok(()) => {
                self.settle(
                    &now,
                    |s| {
                        s.task_state = None;
                        s.attempts = 0;
                    },
                    Some(&spec),
                    Some(End::Success),
                )
                .await?;
                Ok(Outcome::Done)
            }
            Err(trouble) => {
                if let Some(error) = self.again(&now, &trouble).await {
                    return Err(error);
                }
                self.drop_image(server, &snapshot.image_id).await?;
                self.end_as_before(&now, &trouble, Some(&spec)).await
            }
        }
    }

    async fn try_snapshot(&self, mut server: Server, snapshot: &Snapshot) -> Result<(), Trouble> {
        let image = &snapshot.image_id;
        if server.task_state != Some(TaskState::ImageUploading) {
            self.copy_disk(&server, image).await?;
            if !self.move_on(&mut server, TaskState::ImageUploading).await? {
                return Ok(());
            }
        }
        self.fill_image(&server, image).await?;
        match &snapshot.backup {
            Some((kind, rotation)) => Ok(self.rotate(&server, kind, *rotation).await?),
            None => Ok(()),
        }
    }

    /// The server's disk as it is now, in a file beside the images.
    pub(super) async fn copy_disk(&self, server: &Server, image: &str) -> Result<(), Trouble> {
        let plan = self.present(server).await?.plan;
        self.remove_copy(image)?;
        let unfinished = self.glance.scratch_file(image, UNFINISHED);
        let copy = self.hypervisor.snapshot(&plan, &unfinished).await?;
        let finished = self.glance.scratch_file(image, &copy.format);
        Ok(host::files::rename(&unfinished, &finished)?)
    }

    /// The copy becomes the image's data. An image that somebody deleted meanwhile is nobody's trouble.
    pub(super) async fn fill_image(&self, server: &Server, image: &str) -> Result<(), Trouble> {
        let ctx = acting_for(server);
        let found = match self.glance.image(&ctx, image).await {
            Err(error) if error.is_not_found() => {
                self.remove_copy(image)?;
                return Ok(());
            }
            found => found?,
        };
        if found.status != glance::Status::Active {
            let copies = FORMATS.map(|format| (format, self.glance.scratch_file(image, format)));
            let finished = || copies.iter().find(|(_, path)| path.exists());
            if finished().is_none() {
                // A kill came between its way into the store and the image's row: the disk is still here to copy.
                self.copy_disk(server, image).await?;
            }
            let Some((format, copy)) = finished() else {
                return Err(Trouble::lasting("The copy of the server's disk is gone."));
            };
            self.glance.fill_image(&ctx, image, format, copy).await?;
        }
        Ok(self.remove_copy(image)?)
    }

    fn remove_copy(&self, image: &str) -> Result<()> {
        let mut files = FORMATS.into_iter().chain([UNFINISHED]);
        files.try_for_each(|suffix| {
            host::files::remove(&self.glance.scratch_file(image, suffix)).map_err(Error::internal)
        })
    }

    /// An image that was reserved for this server, with whatever of its data is there.
    pub(super) async fn drop_image(&self, server: &Server, image: &str) -> Result<()> {
        self.remove_copy(image)?;
        self.glance.discard_image(&acting_for(server), image).await
    }

    /// The newest backups of one type stay.
    async fn rotate(&self, server: &Server, kind: &str, keep: i64) -> Result<()> {
        let wanted = [("image_type", "backup"), ("backup_type", kind), ("instance_uuid", &*server.id)];
        let backups = self.glance.images_with(&server.project_id, &wanted).await?;
        for old in backups.iter().skip(usize::try_from(keep).unwrap_or(0)) {
            self.glance.discard_image(&acting_for(server), &old.id).await?;
        }
        Ok(())
    }
}
