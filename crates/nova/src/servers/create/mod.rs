//! `POST /v2.1/servers`: parse, resolve, and one transaction for all servers of the request.

pub(crate) mod parse;
pub(crate) mod resolve;
#[cfg(test)]
mod tests;
mod volumes;

use std::sync::Arc;

use base::{Ctx, Error};
use db::Tx;
use http::HeaderValue;
use http::header::LOCATION;
use serde_json::{Value, json};
use web::{Caller, Json, Origin, Response, Result, State};

use self::parse::Request;
use self::resolve::Resolved;
use super::{PowerState, Server, Spec, TaskState, VmState, rules, store};
use crate::Nova;
use crate::instance_actions::store as actions;
use crate::links::Links;
use crate::quotas::{self, Limits, Usage};

pub async fn create(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    origin: Origin,
    Json(body): Json<Value>,
) -> Result<Response> {
    let request = parse::parse(&ctx, &body)?;
    let project = ctx.require_project()?;
    let resolved = resolve::resolve(&nova, &ctx, &request).await?;
    let password = request.admin_pass.clone().unwrap_or_else(password);
    let reservation = format!("r-{}", &base::id::hex()[..8]);
    // Ids are made outside of the transaction, which may run twice.
    let ids: Vec<String> = (0..request.max_count.min(MOST)).map(|_| base::id::uuid()).collect();
    let now = base::time::now();
    let made: Vec<String> = db::write!(nova.db, |tx| {
        let count = fitting(tx, &ctx, project, &request, &resolved).await?;
        let ids = &ids[..usize::try_from(count).unwrap_or(0).min(ids.len())];
        for (index, id) in (0..).zip(ids) {
            let server = server(&ctx, project, &request, &resolved, id, &reservation, (count, index), now);
            store::insert(tx, &ctx, &server, &spec(&request, &resolved, &password)).await?;
            volumes::insert(&nova, tx, &ctx, &server, &resolved.volumes).await?;
            actions::start(tx, &ctx, id, project, "create").await?;
        }
        Ok::<_, Error>(ids.to_vec())
    })?;
    made.iter().for_each(|id| nova.waker.wake(id));
    if request.return_reservation {
        return Ok(web::json(202, &json!({"reservation_id": reservation})));
    }
    let first = made.first().map(String::as_str).unwrap_or_default();
    let links = Links::new(&origin);
    let body = json!({"server": {
        "id": first,
        "links": links.of("servers", first),
        "OS-DCF:diskConfig": disk_config(&request),
        "security_groups": request.security_groups_shown,
        "adminPass": password,
    }});
    let mut response = web::json(202, &body);
    if let Ok(location) = HeaderValue::from_str(&links.to("servers", first)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// More servers than this in one request are refused, whatever the quota: the ids are made before it is asked.
const MOST: i64 = 10_000;

/// How many of min..max servers the quotas allow; 403 when it is less than min.
async fn fitting(
    tx: &mut Tx,
    ctx: &Ctx,
    project: &str,
    request: &Request,
    resolved: &Resolved,
) -> base::Result<i64> {
    let limits = quotas::limits(tx, Some(project)).await?;
    let user_limits = quotas::limits_for_user(tx, project, ctx.user_id()).await?;
    let used = quotas::usage(tx, project, None).await?;
    let user_used = quotas::usage(tx, project, Some(ctx.user_id())).await?;
    let flavor = &resolved.flavor;
    let check = |limits: &Limits, used: Usage, n: i64| {
        let more = Usage {
            instances: n,
            cores: flavor.vcpus.saturating_mul(n),
            ram: flavor.memory_mib.saturating_mul(n),
        };
        quotas::check(limits, used, more)
    };
    let max = request.max_count.min(MOST);
    let both = |n: i64| check(&limits, used, n).and_then(|()| check(&user_limits, user_used, n));
    let count = match (request.min_count..=max).rev().find(|n| both(*n).is_ok()) {
        Some(count) => count,
        None => return Err(both(request.min_count).err().unwrap_or_else(too_many)),
    };
    if let Some(group) = &resolved.group {
        let members = store::members(tx, &group.id).await?;
        let limit = limits.of("server_group_members");
        if limit >= 0 && members + count > limit {
            return Err(Error::forbidden("Quota exceeded, too many servers in group"));
        }
    }
    Ok(count)
}

fn too_many() -> Error {
    Error::forbidden(format!("Quota exceeded for instances: at most {MOST} in one request"))
}

fn disk_config(request: &Request) -> &str {
    request.disk_config.as_deref().unwrap_or("MANUAL")
}

#[allow(clippy::too_many_arguments)]
fn server(
    ctx: &Ctx,
    project: &str,
    request: &Request,
    resolved: &Resolved,
    id: &str,
    reservation: &str,
    (count, index): (i64, i64),
    now: i64,
) -> Server {
    let (name, hostname) = rules::names(&request.name, request.hostname.as_deref(), id, count, index);
    let mandatory = resolved.image_properties.get("img_config_drive").is_some_and(|v| v == "mandatory");
    Server {
        id: id.into(),
        project_id: project.into(),
        user_id: ctx.user_id().into(),
        name,
        description: request.description.clone(),
        hostname,
        reservation_id: reservation.into(),
        launch_index: index,
        flavor: resolved.flavor.clone(),
        image_id: resolved.image.as_ref().map(|image| image.id.clone()),
        image_properties: json!(resolved.image_properties).to_string(),
        scheduler_hints: request.hints.to_string(),
        key_name: request.key_name.clone(),
        config_drive: request.config_drive || mandatory,
        metadata: request.metadata.clone(),
        tags: request.tags.clone(),
        trusted_certificates: request.trusted_certificates.clone(),
        pinned_zone: resolved.zone.clone(),
        host: None,
        group_id: resolved.group.as_ref().map(|g| g.id.clone()),
        locked_by: None,
        locked_reason: None,
        access_ipv4: request.access_ipv4.clone(),
        access_ipv6: request.access_ipv6.clone(),
        disk_config: disk_config(request).into(),
        vm_state: VmState::Building,
        task_state: Some(TaskState::Scheduling),
        power_state: PowerState::NoState,
        attempts: 0,
        fault: None,
        resume: false,
        boot_id: None,
        created_at: now,
        updated_at: now,
        launched_at: None,
        terminated_at: None,
        deleted_at: None,
        soft_deleted_at: None,
        generation: 0,
    }
}

fn spec(request: &Request, resolved: &Resolved, password: &str) -> Spec {
    Spec {
        user_data: request.user_data.clone(),
        files: request.files.clone(),
        nics: resolved.nics.clone(),
        security_groups: resolved.security_groups.clone(),
        key_type: resolved.key.as_ref().map(|k| k.kind.clone()),
        public_key: resolved.key.as_ref().map(|k| k.public_key.clone()),
        admin_pass: Some(password.to_owned()),
        image_file: None,
        image_format: None,
        guest_password: None,
        work: super::Work::default(),
    }
}

/// Twelve characters that no font confuses.
pub(crate) fn password() -> String {
    use rand::seq::IndexedRandom as _;
    const CHARACTERS: &[u8] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut rng = rand::rng();
    (0..12).filter_map(|_| CHARACTERS.choose(&mut rng)).map(|b| *b as char).collect()
}
