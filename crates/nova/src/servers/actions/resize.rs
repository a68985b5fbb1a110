//! Resizes, and the moves to other hosts that a cloud of one host cannot make.

use base::{Ctx, Error, Policy};
use serde_json::Value;

use super::accept;
use crate::flavors::{self, Flavor};
use crate::quotas::{self, Usage};
use crate::schema::{self, Field, Kind, flag};
use crate::servers::create::resolve::check_fit;
use crate::servers::{Resize, Server, TaskState, VmState, policy, rules, store};
use crate::{Nova, migrations};

const RESIZE: &[Field] = &[
    Field::new("flavorRef", Kind::TextOrInteger).required(),
    Field::new("OS-DCF:diskConfig", Kind::Enum(&["AUTO", "MANUAL"])),
];

const RESIZABLE: &[VmState] = &[VmState::Active, VmState::Stopped];

pub(super) async fn resize(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> base::Result<()> {
    let fields = schema::body(body, "resize", RESIZE, ctx.microversion.minor)?;
    let flavor = schema::text_or_number(&fields["flavorRef"]).unwrap_or_default();
    let server = nova.seen(ctx, id, &policy::RESIZE).await?;
    rules::check_lock(ctx, &server)?;
    rules::check_state(&server, "resize", RESIZABLE)?;
    let new = flavors::get(&mut nova.db.read().await?, ctx, &flavor).await;
    let new = new.map_err(|e| if e.is_not_found() { Error::bad_request(e.message) } else { e })?;
    check_new_flavor(nova, ctx, &server, &new).await?;
    let disk_config = fields.get("OS-DCF:diskConfig").and_then(Value::as_str);
    prepare(nova, ctx, id, &policy::RESIZE, "resize", Some(&new), disk_config).await
}

async fn check_new_flavor(nova: &Nova, ctx: &Ctx, server: &Server, new: &Flavor) -> base::Result<()> {
    let volume_backed = server.image_id.is_none();
    if new.root_gib == 0 && server.flavor.root_gib != 0 && !volume_backed {
        return Err(Error::bad_request(
            "Server disk was unable to be resized because: Resize to zero disk flavor is not allowed.",
        ));
    }
    if new.id == server.flavor.id {
        return Err(Error::bad_request("When resizing, instances must change flavor!"));
    }
    let image = match &server.image_id {
        Some(id) => nova.glance.image(ctx, id).await.ok(),
        None => None,
    };
    if let Some(mut image) = image {
        // The disk that the server has counts like an image that needs it.
        image.min_disk = image.min_disk.max(server.flavor.root_gib);
        return check_fit(ctx, new, &image);
    }
    if new.root_gib < server.flavor.root_gib && !volume_backed {
        return Err(Error::bad_request(rules::disk_smaller_than_minimum(
            new.root_gib,
            server.flavor.root_gib,
        )));
    }
    Ok(())
}

/// One transaction: quota of what comes on top, the wish, and the row in `migrations`.
async fn prepare(
    nova: &Nova,
    ctx: &Ctx,
    id: &str,
    policy: &Policy,
    action: &'static str,
    new: Option<&Flavor>,
    disk_config: Option<&str>,
) -> base::Result<()> {
    let uuid = base::id::uuid();
    db::write!(nova.db, |tx| {
        let mut server = store::find(tx, ctx, id).await?;
        ctx.authorize(policy, Some(&server.project_id))?;
        rules::check_lock(ctx, &server)?;
        rules::check_state(&server, action, RESIZABLE)?;
        let old = server.flavor.clone();
        let new = new.unwrap_or(&old).clone();
        check_quota(tx, &server, &old, &new).await?;
        let mut spec = store::spec(tx, id).await?;
        let resize = Resize {
            old: old.clone(),
            new: new.clone(),
            ran: server.vm_state == VmState::Active,
            uuid: uuid.clone(),
            is_move: action == "migrate",
        };
        spec.work.resize = Some(resize.clone());
        server.task_state = Some(TaskState::ResizePrep);
        if let Some(config) = disk_config {
            server.disk_config = config.to_owned();
        }
        accept(tx, ctx, &mut server, Some(&spec), action).await?;
        store::hold(tx, id, old.vcpus.max(new.vcpus), old.memory_mib.max(new.memory_mib)).await?;
        migrations::insert(tx, ctx, &server, &resize).await
    })?;
    nova.waker.wake(id);
    Ok(())
}

async fn check_quota(tx: &mut db::Tx, server: &Server, old: &Flavor, new: &Flavor) -> base::Result<()> {
    let more = Usage {
        instances: 0,
        cores: (new.vcpus - old.vcpus).max(0),
        ram: (new.memory_mib - old.memory_mib).max(0),
    };
    let (project, user) = (&server.project_id, &server.user_id);
    let limits = quotas::limits(tx, Some(project)).await?;
    let used = quotas::usage(tx, project, None).await?;
    quotas::check(&limits, used, more)?;
    let limits = quotas::limits_for_user(tx, project, user).await?;
    let used = quotas::usage(tx, project, Some(user)).await?;
    quotas::check(&limits, used, more)
}

/// Confirms the resize, or takes it back.
pub(super) async fn settle(nova: &Nova, ctx: &Ctx, id: &str, confirm: bool) -> base::Result<()> {
    let (policy, action, task, status) = match confirm {
        true => (&policy::CONFIRM_RESIZE, "confirmResize", TaskState::ResizeConfirming, "confirming"),
        false => (&policy::REVERT_RESIZE, "revertResize", TaskState::ResizeReverting, "reverting"),
    };
    db::write!(nova.db, |tx| {
        let mut server = store::find(tx, ctx, id).await?;
        ctx.authorize(policy, Some(&server.project_id))?;
        rules::check_lock(ctx, &server)?;
        rules::check_state(&server, action, &[VmState::Resized])?;
        let spec = store::spec(tx, id).await?;
        let Some(resize) = &spec.work.resize else {
            return Err(Error::bad_request("Instance has not been resized."));
        };
        if !confirm {
            check_quota(tx, &server, &resize.new, &resize.old).await?;
            let (old, new) = (&resize.old, &resize.new);
            store::hold(tx, id, old.vcpus.max(new.vcpus), old.memory_mib.max(new.memory_mib)).await?;
        }
        server.task_state = Some(task);
        migrations::set_status(tx, &resize.uuid, status).await?;
        accept(tx, ctx, &mut server, None, action).await
    })?;
    nova.waker.wake(id);
    Ok(())
}

const FQDN: Kind =
    Kind::TextOrNull(1, 255, |c| c.is_ascii_alphanumeric() || "-._".contains(c), "^[a-zA-Z0-9-._]*$");
const MIGRATE: &[Field] = &[Field::new("host", FQDN)];

/// Accepted as anywhere; there is no other host, which the action tells in the end.
pub(super) async fn migrate(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> base::Result<()> {
    let host = match &body["migrate"] {
        Value::Null => None,
        _ if !ctx.at_least(2, 56) => None,
        _ => schema::body(body, "migrate", MIGRATE, ctx.microversion.minor)?
            .get("host")
            .and_then(Value::as_str),
    };
    let server = nova.seen(ctx, id, &policy::MIGRATE).await?;
    if host.is_some() {
        ctx.authorize(&policy::MIGRATE_TO_HOST, Some(&server.project_id))?;
    }
    rules::check_lock(ctx, &server)?;
    rules::check_state(&server, "migrate", RESIZABLE)?;
    match host {
        Some(host) if Some(host) == server.host.as_deref() => {
            return Err(Error::bad_request(format!(
                "No valid host was found. Cannot migrate instance {id} to the same host {host}."
            )));
        }
        Some(host) => return Err(Error::bad_request(format!("Compute host {host} could not be found."))),
        None => {}
    }
    prepare(nova, ctx, id, &policy::MIGRATE, "migrate", None, None).await
}

const BLOCK: Kind = Kind::OneOf(&[Kind::Bool, Kind::Enum(&["auto"])]);
const MIGRATE_LIVE: &[Field] = &[
    Field::new("block_migration", Kind::Bool).required().until(24),
    Field::new("block_migration", BLOCK).required().from(25),
    Field::new("disk_over_commit", Kind::Bool).required().until(24),
    Field::new("host", FQDN).required(),
    Field::new("force", Kind::Bool).from(30).until(67),
];

pub(super) async fn migrate_live(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> base::Result<()> {
    let fields = schema::body(body, "os-migrateLive", MIGRATE_LIVE, ctx.microversion.minor)?;
    let host = fields["host"].as_str();
    let server = nova.seen(ctx, id, &policy::MIGRATE_LIVE).await?;
    if host.is_some() {
        ctx.authorize(&policy::MIGRATE_LIVE_TO_HOST, Some(&server.project_id))?;
    }
    if host.is_none() && fields.get("force").and_then(flag) == Some(true) {
        return Err(Error::bad_request("Can't force to a non-provided destination"));
    }
    rules::check_lock(ctx, &server)?;
    rules::check_state(&server, "os-migrateLive", &[VmState::Active, VmState::Paused])?;
    if let Some(host) = host
        && *host != nova.config.host
    {
        return Err(Error::bad_request(format!("Compute host {host} could not be found.")));
    }
    let told = match host {
        Some(_) => format!("Unable to migrate instance ({id}) to current host ({}).", nova.config.host),
        None => "No valid host was found. There are not enough hosts available.".to_owned(),
    };
    // Since 2.34 the client does not wait for the scheduler's answer.
    let waits = !ctx.at_least(2, 34);
    db::write!(nova.db, |tx| {
        crate::instance_actions::store::start(tx, ctx, id, &server.project_id, "live-migration").await?;
        let told = Some((told.as_str(), told.as_str()));
        crate::instance_actions::store::end(tx, id, &ctx.request_id, told).await
    })?;
    if waits { Err(Error::bad_request(told)) } else { Ok(()) }
}

const EVACUATE: &[Field] = &[
    Field::new(
        "host",
        Kind::Text(1, 255, |c| c.is_ascii_alphanumeric() || "-._".contains(c), "^[a-zA-Z0-9-._]*$"),
    ),
    Field::new("onSharedStorage", Kind::Bool).required().until(13),
    Field::new("adminPass", Kind::Text(0, usize::MAX, schema::ANY_CHAR, "")),
    Field::new("force", Kind::Bool).from(29).until(67),
];

/// A server leaves a host that is down. The only host serves this request.
pub(super) async fn evacuate(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> base::Result<()> {
    let fields = schema::body(body, "evacuate", EVACUATE, ctx.microversion.minor)?;
    let host = fields.get("host").and_then(Value::as_str);
    let server = nova.seen(ctx, id, &policy::EVACUATE).await?;
    if host.is_none() && fields.get("force").and_then(flag) == Some(true) {
        return Err(Error::bad_request("Can't force to a non-provided destination"));
    }
    match host {
        Some(host) if *host != nova.config.host => {
            return Err(Error::not_found(format!("Compute host {host} not found.")));
        }
        Some(_) => return Err(Error::bad_request("The target host can't be the same one.")),
        None => {}
    }
    rules::check_state(&server, "evacuate", &[VmState::Active, VmState::Stopped, VmState::Error])?;
    let down = nova.host_row(&mut nova.db.read().await?).await?.is_some_and(|row| row.forced_down);
    if down {
        let told = "No valid host was found. There are not enough hosts available.";
        return db::write!(nova.db, |tx| {
            crate::instance_actions::store::start(tx, ctx, id, &server.project_id, "evacuate").await?;
            crate::instance_actions::store::end(tx, id, &ctx.request_id, Some((told, told))).await
        });
    }
    Err(Error::bad_request(format!("Compute service of {} is still in use.", nova.config.host)))
}
