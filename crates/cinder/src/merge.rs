//! Layers of deleted snapshots: what was written above one goes into it, and one layer less lies under the volume.
//!
//! ```text
//!   a ◄── b ◄── head      nobody needs `a` but `b`: what `b` has is written into `a`, and `a` is what `b` was
//!   a ◄── head            machines are told, and then the file of `b` goes
//! ```
//! `b` is no volume's head, so nobody writes it. Whoever reads by way of `b` never sees that `a` is written, for of `a` he
//! reads only what `b` lacks; so it does not matter who has them open, how far it has come, and how often it is begun.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base::{Error, Result};
use reconcile::Outcome;
use tokio::sync::Mutex;

use crate::layers::{self, Layer};
use crate::volumes::Volume;
use crate::{Cinder, attachments};

/// When somebody else's turn may be over.
const LATER: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Merging {
    /// One at a time: a file is read by one merge while none writes it, and machines hear of them in their order.
    turn: Mutex<()>,
    /// How many files have gone that somebody may have been about to open.
    gone: AtomicU64,
}

impl Cinder {
    /// Into this layer, if nobody else needs it.
    pub(crate) async fn merge(&self, id: &str) -> Result<Outcome> {
        if !self.driver.merges() {
            return Ok(Outcome::Done);
        }
        if self.to_merge(id).await?.is_none() {
            return Ok(Outcome::Done);
        }
        let Ok(_turn) = self.merging.turn.try_lock() else { return Ok(Outcome::Again(LATER)) };
        let Some(chain) = self.to_merge(id).await? else { return Ok(Outcome::Done) };
        self.driver.merge(&layers::plans(&chain, None)).await.map_err(Error::internal)?;
        let merged: Option<String> = db::write!(self.db, |tx| {
            // Somebody may use it by now, and then all is as it was: the upper one hides what is below.
            let upper = layers::store::to_merge(tx, id).await?;
            let Some(upper) = upper.filter(|upper| chain.last() == Some(upper)) else { return Ok(None) };
            layers::store::merge(tx, id, &upper).await?;
            Ok::<_, Error>(Some(upper.id))
        })?;
        if let Some(upper) = merged {
            self.waker.wake(&format!("layer/{upper}"));
        }
        Ok(Outcome::Done)
    }

    /// The layers up to the one that is merged into this one.
    async fn to_merge(&self, id: &str) -> Result<Option<Vec<Layer>>> {
        let mut conn = self.db.read().await?;
        let Some(upper) = layers::store::to_merge(&mut conn, id).await? else { return Ok(None) };
        layers::store::chain(&mut conn, &upper.id).await.map(Some)
    }

    /// Machines that read a merged layer read the one below it from now on. One that starts meanwhile was told of either the
    /// old layers, and is waited for, or the new ones.
    pub(crate) async fn let_go(&self, layer: &Layer) -> Result<Outcome> {
        let Ok(_turn) = self.merging.turn.try_lock() else { return Ok(Outcome::Again(LATER)) };
        if let (Some(guests), Some(below)) = (self.guests.get(), &layer.parent) {
            let volumes = layers::store::volumes_above(&mut *self.db.read().await?, below).await?;
            for volume in volumes {
                let all = attachments::store::of_volume(&mut *self.db.read().await?, &volume).await?;
                if all.iter().any(|a| a.is_connected() && a.server_id.is_none()) {
                    // Whoever that is was told of files, and is not to be reached.
                    return Ok(Outcome::Done);
                }
                for server in all.iter().filter(|a| a.is_connected()).filter_map(|a| a.server_id.as_ref()) {
                    guests.rebase(server, &self.disk(&volume).await?).await?;
                }
            }
        }
        layers::store::set_unwanted(&self.db, &layer.id).await?;
        self.merging.gone.fetch_add(1, Ordering::SeqCst);
        self.waker.wake(&format!("layer/{}", layer.id));
        Ok(Outcome::Done)
    }

    /// Looks at what lies under a volume.
    pub(crate) async fn wake_below(&self, volume: &Volume) -> Result<()> {
        for layer in layers::store::chain(&mut *self.db.read().await?, &volume.head).await? {
            self.waker.wake(&format!("layer/{}", layer.id));
        }
        Ok(())
    }

    /// Work that opens layers of which rows told: where one was merged and gone in between, it can be done again.
    pub(crate) async fn over_layers<T>(&self, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let before = self.merging.gone.load(Ordering::SeqCst);
        match work.await {
            Err(error) if !error.retryable() && self.merging.gone.load(Ordering::SeqCst) != before => {
                Err(Error::unavailable("Layers were merged meanwhile; it is done again.").because(error))
            }
            done => done,
        }
    }
}
