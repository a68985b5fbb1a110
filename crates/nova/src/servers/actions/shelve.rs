//! Shelving: the disk becomes an image and the host forgets the server, until it is taken off the shelf.

use base::{Ctx, Error};
use serde_json::Value;

use super::accept;
use super::images::{self, Purpose};
use crate::Nova;
use crate::schema::{self, Field, Kind};
use crate::servers::{TaskState, VmState, policy, rules, store};

const SHELVABLE: &[VmState] = &[VmState::Active, VmState::Stopped, VmState::Paused, VmState::Suspended];

pub(super) async fn shelve(nova: &Nova, ctx: &Ctx, id: &str) -> base::Result<()> {
    let server = nova.seen(ctx, id, &policy::SHELVE).await?;
    rules::check_lock(ctx, &server)?;
    rules::check_state(&server, "shelve", SHELVABLE)?;
    let name = format!("{}-shelved", server.name);
    // A volume keeps what is on it: there is nothing to copy.
    let image = match server.image_id {
        Some(_) => Some(images::reserve(nova, ctx, &server, &name, Purpose::Snapshot, &[]).await?),
        None => None,
    };
    db::write!(nova.db, |tx| {
        let mut server = store::find(tx, ctx, id).await?;
        rules::check_lock(ctx, &server)?;
        rules::check_state(&server, "shelve", SHELVABLE)?;
        let mut spec = store::spec(tx, id).await?;
        server.task_state = Some(TaskState::Shelving);
        if let Some(image) = &image {
            spec.work.shelved = Some(image.id.clone());
            nova.glance.insert_image(tx, ctx, image, &server.project_id).await?;
        }
        accept(tx, ctx, &mut server, Some(&spec), "shelve").await
    })?;
    nova.waker.wake(id);
    Ok(())
}

pub(super) async fn offload(nova: &Nova, ctx: &Ctx, id: &str) -> base::Result<()> {
    let task = TaskState::ShelvingOffloading;
    nova.wish(ctx, id, &policy::SHELVE_OFFLOAD, "shelveOffload", task, &[VmState::Shelved]).await
}

const NAME: Kind = Kind::Name;
const UNSHELVE_77: &[Field] = &[Field::new("availability_zone", NAME).required()];
const UNSHELVE_91: &[Field] = &[
    Field::new("availability_zone", Kind::TextOrNull(0, usize::MAX, schema::ANY_CHAR, "")),
    Field::new("host", Kind::Text(0, usize::MAX, schema::ANY_CHAR, "")),
];

pub(super) async fn unshelve(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> base::Result<()> {
    let minor = ctx.microversion.minor;
    let fields = match &body["unshelve"] {
        Value::Null => None,
        _ if minor < 77 => None,
        _ if minor < 91 => Some(schema::body(body, "unshelve", UNSHELVE_77, minor)?),
        given => {
            let fields = schema::body(body, "unshelve", UNSHELVE_91, minor)?;
            if fields.is_empty() {
                return Err(schema::invalid("unshelve", given, "{} should be non-empty"));
            }
            Some(fields)
        }
    };
    let zone = fields.and_then(|f| f.get("availability_zone"));
    let host = fields.and_then(|f| f.get("host")).and_then(Value::as_str);
    let states = &[VmState::Shelved, VmState::ShelvedOffloaded];
    let own_zone = nova.zone(&mut nova.db.read().await?).await?;
    db::write!(nova.db, |tx| {
        let mut server = store::find(tx, ctx, id).await?;
        ctx.authorize(&policy::UNSHELVE, Some(&server.project_id))?;
        rules::check_lock(ctx, &server)?;
        rules::check_state(&server, "unshelve", states)?;
        if (zone.is_some() || host.is_some()) && server.vm_state != VmState::ShelvedOffloaded {
            return Err(Error::conflict(format!(
                "Specifying an availability zone or a host when unshelving server \"{id}\" with status \"{}\" is \
                 not supported. The server status must be SHELVED_OFFLOADED.",
                server.vm_state.as_str()
            )));
        }
        if zone.and_then(Value::as_str).is_some_and(|asked| asked != own_zone) {
            return Err(Error::bad_request("The requested availability zone is not available"));
        }
        if let Some(host) = host {
            ctx.authorize(&policy::UNSHELVE_TO_HOST, Some(&server.project_id))?;
            if host != nova.config.host {
                return Err(Error::bad_request(format!("Compute host {host} could not be found.")));
            }
        }
        if let Some(zone) = zone {
            server.pinned_zone = zone.as_str().map(str::to_owned);
        }
        server.task_state = Some(TaskState::Unshelving);
        accept(tx, ctx, &mut server, None, "unshelve").await
    })?;
    nova.waker.wake(id);
    Ok(())
}
