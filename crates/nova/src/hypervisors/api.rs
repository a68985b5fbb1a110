//! `/v2.1/os-hypervisors`

use std::sync::Arc;

use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Caller, Params, Path, Response, Result, State};

use super::Seen;
use crate::Nova;

fn id(ctx: &Ctx, seen: &Seen) -> Value {
    if ctx.at_least(2, 53) { json!(seen.host.hypervisor_id) } else { json!(1) }
}

fn brief(ctx: &Ctx, seen: &Seen, servers: bool) -> Value {
    let mut out = json!({
        "id": id(ctx, seen),
        "hypervisor_hostname": seen.host.name,
        "state": if seen.host.forced_down { "down" } else { "up" },
        "status": if seen.host.disabled { "disabled" } else { "enabled" },
    });
    if servers && (!seen.servers.is_empty() || ctx.at_least(2, 75)) {
        let list: Vec<Value> =
            seen.servers.iter().map(|(name, uuid)| json!({"name": name, "uuid": uuid})).collect();
        out["servers"] = json!(list);
    }
    out
}

/// As `uptime` prints it.
fn uptime() -> Option<String> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds = text.split('.').next()?.parse::<u64>().ok()?;
    let load = std::fs::read_to_string("/proc/loadavg").ok()?;
    let load: Vec<&str> = load.split(' ').take(3).collect();
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    let now = base::time::seconds_z(base::time::now());
    let clock = now.get(11..19)?;
    Some(format!(
        " {clock} up {days} days, {hours:2}:{minutes:02},  0 users,  load average: {}\n",
        load.join(", ")
    ))
}

fn full(ctx: &Ctx, seen: &Seen, servers: bool) -> Value {
    let mut out = brief(ctx, seen, servers);
    let capacity = &seen.capacity;
    out["hypervisor_type"] = json!(capacity.hypervisor_type);
    out["hypervisor_version"] = json!(capacity.hypervisor_version);
    out["host_ip"] = json!("127.0.0.1");
    out["service"] = json!({
        "id": if ctx.at_least(2, 53) { json!(seen.host.service_id) } else { json!(1) },
        "host": seen.host.name,
        "disabled_reason": seen.host.disabled_reason,
    });
    if ctx.at_least(2, 88) {
        out["uptime"] = json!(uptime());
        return out;
    }
    for (key, value) in figures(seen) {
        out[key] = json!(value);
    }
    let cpu = json!({"arch": std::env::consts::ARCH, "accelerator": capacity.accelerator});
    out["cpu_info"] = if ctx.at_least(2, 28) { cpu } else { json!(cpu.to_string()) };
    out
}

fn figures(seen: &Seen) -> [(&'static str, i64); 11] {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let capacity = &seen.capacity;
    let (memory, disk) = (number(capacity.memory_mib), number(capacity.disk_gib));
    [
        ("vcpus", i64::from(capacity.vcpus)),
        ("memory_mb", memory),
        ("local_gb", disk),
        ("vcpus_used", seen.vcpus_used),
        ("memory_mb_used", seen.memory_used),
        ("local_gb_used", seen.disk_used),
        ("free_ram_mb", memory - seen.memory_used),
        ("free_disk_gb", disk - seen.disk_used),
        ("current_workload", 0),
        ("running_vms", i64::try_from(seen.servers.len()).unwrap_or(i64::MAX)),
        ("disk_available_least", number(capacity.free_disk_gib)),
    ]
}

async fn answer(
    nova: &Nova,
    ctx: &Ctx,
    params: &Params,
    view: fn(&Ctx, &Seen, bool) -> Value,
) -> Result<Response> {
    let known = ["limit", "marker", "hypervisor_hostname_pattern", "with_servers"];
    crate::query::only(ctx, params, &known)?;
    let seen = nova.look().await?;
    let newer = ctx.at_least(2, 53);
    let servers = newer && params.flag("with_servers").unwrap_or(false);
    let pattern = params.get("hypervisor_hostname_pattern").filter(|_| newer);
    if let Some(pattern) = pattern {
        if params.has("limit") || params.has("marker") {
            return Err(Error::bad_request(
                "Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not supported.",
            )
            .into());
        }
        if !seen.host.name.contains(pattern) {
            return Err(no_match(pattern));
        }
    }
    let mut views = vec![view(ctx, &seen, servers)];
    if ctx.at_least(2, 33) {
        let page = crate::query::page(params)?;
        match &page.marker {
            Some(marker) if id(ctx, &seen).as_str() == Some(marker) || marker == "1" && !newer => {
                views.clear();
            }
            Some(marker) => return Err(Error::bad_request(format!("marker [{marker}] not found")).into()),
            None if page.limit == Some(0) => views.clear(),
            None => {}
        }
    }
    Ok(web::json(200, &json!({"hypervisors": views})))
}

fn no_match(pattern: &str) -> web::Fault {
    Error::not_found(format!("No hypervisor matching '{pattern}' could be found.")).into()
}

pub async fn list(State(nova): State<Arc<Nova>>, Caller(ctx): Caller, params: Params) -> Result<Response> {
    answer(&nova, &ctx, &params, brief).await
}

pub async fn detail(State(nova): State<Arc<Nova>>, Caller(ctx): Caller, params: Params) -> Result<Response> {
    answer(&nova, &ctx, &params, full).await
}

async fn find(nova: &Nova, ctx: &Ctx, asked: &str) -> Result<Seen> {
    if ctx.at_least(2, 53) && !base::id::is_uuid(asked) {
        return Err(Error::bad_request(format!("Invalid uuid {asked}")).into());
    }
    let seen = nova.look().await?;
    let own = id(ctx, &seen);
    let same = own.as_str().map_or(asked == "1", |own| own == asked);
    if same {
        return Ok(seen);
    }
    Err(Error::not_found(format!("Hypervisor with ID '{asked}' could not be found.")).into())
}

pub async fn show(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(asked): Path<String>,
    params: Params,
) -> Result<Response> {
    let seen = find(&nova, &ctx, &asked).await?;
    let servers = ctx.at_least(2, 53) && params.flag("with_servers").unwrap_or(false);
    Ok(web::json(200, &json!({"hypervisor": full(&ctx, &seen, servers)})))
}

/// Until 2.87; later `uptime` is part of the detailed view.
pub async fn show_uptime(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(asked): Path<String>,
) -> Result<Response> {
    crate::query::before(&ctx, 88)?;
    let seen = find(&nova, &ctx, &asked).await?;
    let mut out = brief(&ctx, &seen, false);
    out["uptime"] = json!(uptime());
    Ok(web::json(200, &json!({"hypervisor": out})))
}

/// Until 2.87.
pub async fn statistics(State(nova): State<Arc<Nova>>, Caller(ctx): Caller) -> Result<Response> {
    crate::query::before(&ctx, 88)?;
    let seen = nova.look().await?;
    let mut out = json!({"count": 1});
    for (key, value) in figures(&seen) {
        out[key] = json!(value);
    }
    Ok(web::json(200, &json!({"hypervisor_statistics": out})))
}

/// `/os-hypervisors/{pattern}/search` until 2.52.
pub async fn search(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(pattern): Path<String>,
) -> Result<Response> {
    crate::query::before(&ctx, 53)?;
    let seen = nova.look().await?;
    if !seen.host.name.contains(&pattern) {
        return Err(no_match(&pattern));
    }
    Ok(web::json(200, &json!({"hypervisors": [brief(&ctx, &seen, false)]})))
}

/// `/os-hypervisors/{pattern}/servers` until 2.52.
pub async fn servers(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(pattern): Path<String>,
) -> Result<Response> {
    crate::query::before(&ctx, 53)?;
    let seen = nova.look().await?;
    if !seen.host.name.contains(&pattern) {
        return Err(no_match(&pattern));
    }
    Ok(web::json(200, &json!({"hypervisors": [brief(&ctx, &seen, true)]})))
}
