//! `os-retype`. All types have the same backend, so nothing moves; but what encrypts a volume changes by copying it.
//!
//! ```text
//!   available ── the same encryption ──► another type at once
//!       └── another one ──► retyping: copied into one layer with a key of its own ──► another type, the old key is gone
//! ```

use base::{Ctx, Error, Result};

use super::actions::Action;
use super::{Status, Volume, rules, store};
use crate::form::Form;
use crate::layers::{self, Layer};
use crate::messages::{self, Trouble};
use crate::quotas::{self, More};
use crate::types::VolumeType;
use crate::words::{invalid_input, invalid_volume, no_volume};
use crate::{Cinder, attachments, policy, snapshots, types};

pub async fn begin(action: &Action<'_>) -> Result<web::Response> {
    action.may(&policy::RETYPE)?;
    let (cinder, ctx) = (action.cinder, &action.asker.ctx);
    let form: Form<'_> = action.form(&["new_type", "migration_policy"])?;
    let wanted = form.required_text("new_type")?;
    let may_move = form.one_of("migration_policy", &["on-demand", "never"])? == Some("on-demand");
    let id = &action.volume.id;
    db::write!(cinder.db, |tx| {
        let new = types::find(tx, ctx, wanted).await?;
        let mut volume = store::get(tx, id).await?.ok_or_else(|| no_volume(id))?;
        let old = types::store::get(tx, &volume.type_id).await?;
        let qos_changes = old.as_ref().is_some_and(|old| old.qos_id != new.qos_id);
        rules::may_retype(&volume, &new, qos_changes)?;
        let limits = quotas::store::limits(tx, Some(&volume.project_id)).await?;
        let used = quotas::store::used(tx, &volume.project_id).await?;
        let own = |all: &quotas::Amounts| -> quotas::Amounts {
            all.iter().filter(|(name, _)| name.ends_with(&new.name)).map(|(k, v)| (k.clone(), *v)).collect()
        };
        let more = More { volumes: 1, gib: volume.size, ..More::default() };
        quotas::check(&own(&limits), &own(&used), &new.name, more)?;
        let before = old.and_then(|old| old.encryption_specs());
        let unused = volume.flat.clone();
        if before == new.encryption_specs() {
            volume.type_id = new.id.clone();
            volume.multiattach = new.is_multiattach();
        } else {
            cinder.begin_encrypting(tx, ctx, &mut volume, &new, may_move).await?;
        }
        store::update(tx, ctx, "volume.retype", &mut volume).await?;
        match unused.filter(|unused| volume.flat.as_ref() != Some(unused)) {
            Some(unused) => layers::store::release(tx, &unused).await,
            None => Ok(()),
        }
    })?;
    action.wake();
    Ok(web::no_content(202))
}

impl Cinder {
    async fn begin_encrypting(
        &self,
        tx: &mut db::Tx,
        ctx: &Ctx,
        volume: &mut Volume,
        new: &VolumeType,
        may_move: bool,
    ) -> Result<()> {
        if !may_move {
            return Err(invalid_volume("Retype requires migration but is not allowed."));
        }
        if !snapshots::store::of_volume(tx, &volume.id).await?.is_empty() {
            return Err(invalid_volume("Volume must not have snapshots."));
        }
        let free = attachments::store::of_volume(tx, &volume.id).await?.is_empty();
        if volume.status != Status::Available || !free {
            return Err(invalid_volume(format!(
                "What encrypts volume {} can only change while no server has it.",
                volume.id
            )));
        }
        // Of a retype that an admin put an end to a moment ago.
        self.keys.remove(tx, ctx, volume.flat_key_id.take().as_deref()).await?;
        let mut target = Layer::copy(volume.bytes());
        if let Some(encryption) = new.encryption_specs() {
            target = target.locked(Some(encryption.cipher()?));
            volume.flat_key_id = Some(self.keys.make(tx, &owner(ctx, volume), &encryption).await?);
        }
        layers::store::insert(tx, &target).await?;
        volume.flat = Some(target.id);
        volume.pending_type = Some(new.id.clone());
        volume.previous_status = Some(volume.status);
        volume.status = Status::Retyping;
        Ok(())
    }

    /// Copies the volume into its new layer. It may have been done before a crash, wholly or in part.
    pub(crate) async fn encrypt_anew(&self, ctx: &Ctx, volume: &Volume) -> Result<()> {
        let copied = self.copy_anew(ctx, volume).await;
        if let Err(error) = &copied {
            if error.retryable() {
                return copied;
            }
            tracing::warn!(volume = volume.id, ?error, "a volume could not be encrypted as wanted");
        }
        let gone: Option<String> = db::write!(self.db, |tx| {
            let found = store::get(tx, &volume.id).await?;
            let same = |now: &Volume| now.status == Status::Retyping && now.flat == volume.flat;
            // Nobody waits for the copy any more.
            let Some(mut now) = found.filter(same) else { return Ok(volume.flat.clone()) };
            let kind = match &now.pending_type {
                Some(kind) => types::store::get(tx, kind).await?,
                None => None,
            };
            let (flat, key) = (now.flat.take(), now.flat_key_id.take());
            now.pending_type = None;
            now.status = now.previous_status.take().unwrap_or(Status::Available);
            let gone = match (&copied, kind, flat) {
                (Ok(()), Some(kind), Some(flat)) => {
                    layers::store::set_ready(tx, std::slice::from_ref(&flat)).await?;
                    let layer = layers::store::get(tx, &flat).await?;
                    now.cipher = layer.and_then(|layer| layer.cipher);
                    self.keys.remove(tx, ctx, now.key_id.as_deref()).await?;
                    now.key_id = key;
                    now.type_id = kind.id.clone();
                    now.multiattach = kind.is_multiattach();
                    Some(std::mem::replace(&mut now.head, flat))
                }
                (_, _, flat) => {
                    self.keys.remove(tx, ctx, key.as_deref()).await?;
                    messages::store::add(tx, ctx, &Trouble::retype(&now)).await?;
                    flat
                }
            };
            store::update(tx, ctx, "volume.retyped", &mut now).await?;
            if let Some(gone) = &gone {
                layers::store::release(tx, gone).await?;
            }
            Ok::<_, Error>(gone)
        })?;
        if let Some(gone) = gone {
            self.waker.wake(&format!("layer/{gone}"));
        }
        // It may be one for several servers now.
        self.waker.wake(&format!("volume/{}", volume.id));
        Ok(())
    }

    async fn copy_anew(&self, ctx: &Ctx, volume: &Volume) -> Result<()> {
        self.settle_head(ctx, volume).await?;
        let (before, mut after) = (self.key_of(volume).await?, None);
        let mut conn = self.db.read().await?;
        if let Some(id) = &volume.flat_key_id {
            let whose = format!("volume {}", volume.id);
            after = Some(self.keys.passphrase(&mut conn, id, &whose).await?);
        }
        let chain = layers::store::chain(&mut conn, &volume.head).await?;
        let flat = volume.flat.as_deref().unwrap_or_default();
        let target = layers::store::get(&mut conn, flat).await?;
        drop(conn);
        let target = target.ok_or_else(|| invalid_input(format!("layer {flat} has no row")))?;
        self.driver.remove(&target.id).await.map_err(Error::internal)?;
        let target = target.plan(None, None, after.as_ref());
        self.driver.copy(&layers::plans(&chain, before.as_ref()), &target).await.map_err(Error::internal)
    }
}

/// The key is of the volume's project, whoever retypes it.
fn owner(ctx: &Ctx, volume: &Volume) -> Ctx {
    if ctx.project().is_some_and(|project| project.id == volume.project_id) {
        return ctx.clone();
    }
    crate::reconcile::acting_in(&volume.project_id)
}
