//! `/v2.1/os-simple-tenant-usage`

use std::collections::BTreeMap;
use std::sync::Arc;

use base::time::micros_naive;
use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Caller, Params, Path, Response, Result, State};

use super::{policy, store};
use crate::Nova;
use crate::servers::Server;

struct Period {
    start: i64,
    end: i64,
    detailed: bool,
}

const WEEKS_4: i64 = 28 * 24 * 3600 * 1_000_000;

fn period(ctx: &Ctx, params: &Params) -> Result<Period> {
    crate::query::only(ctx, params, &["start", "end", "detailed", "limit", "marker"])?;
    let instant = |key: &str, default: i64| match params.get(key) {
        None => Ok(default),
        Some(text) => base::time::parse(&text.replacen(' ', "T", 1))
            .ok_or_else(|| Error::bad_request("Datetime is in invalid format")),
    };
    let now = base::time::now();
    let end = instant("end", now)?;
    let start = instant("start", end.min(now) - WEEKS_4)?;
    if end <= start {
        return Err(Error::bad_request(
            "Invalid start time. The start time cannot occur after the end time.",
        )
        .into());
    }
    Ok(Period { start, end, detailed: params.get("detailed") == Some("1") })
}

#[derive(Default)]
struct Sum {
    hours: f64,
    memory: f64,
    disk: f64,
    vcpus: f64,
    servers: Vec<Value>,
}

fn hours(server: &Server, period: &Period) -> f64 {
    let Some(launched) = server.launched_at else { return 0.0 };
    let start = launched.max(period.start);
    // Clients ask until tomorrow; nothing has been used of it yet.
    let end = server.terminated_at.unwrap_or_else(base::time::now).min(period.end);
    (end - start).max(0) as f64 / 3_600_000_000.0
}

async fn sums(nova: &Nova, period: &Period, project: Option<&str>) -> Result<BTreeMap<String, Sum>> {
    let servers = store::during(&mut *nova.db.read().await?, period.start, period.end, project).await?;
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    for server in &servers {
        let hours = hours(server, period);
        let flavor = &server.flavor;
        let disk = flavor.root_gib + flavor.ephemeral_gib;
        let sum = sums.entry(server.project_id.clone()).or_default();
        sum.hours += hours;
        sum.memory += flavor.memory_mib as f64 * hours;
        sum.disk += disk as f64 * hours;
        sum.vcpus += flavor.vcpus as f64 * hours;
        if period.detailed || project.is_some() {
            let until = server.terminated_at.unwrap_or_else(base::time::now);
            sum.servers.push(json!({
                "instance_id": server.id,
                "name": server.name,
                "tenant_id": server.project_id,
                "hours": hours,
                "flavor": flavor.name,
                "vcpus": flavor.vcpus,
                "memory_mb": flavor.memory_mib,
                "local_gb": disk,
                "started_at": server.launched_at.map(micros_naive),
                "ended_at": server.terminated_at.map(micros_naive),
                "state": if server.deleted_at.is_some() { "terminated" } else { server.vm_state.as_str() },
                "uptime": server.launched_at.map_or(0, |at| (until - at).max(0) / 1_000_000),
            }));
        }
    }
    Ok(sums)
}

fn view(project: &str, sum: &Sum, period: &Period, servers: bool) -> Value {
    let mut out = json!({
        "tenant_id": project,
        "start": micros_naive(period.start),
        "stop": micros_naive(period.end),
        "total_hours": sum.hours,
        "total_memory_mb_usage": sum.memory,
        "total_local_gb_usage": sum.disk,
        "total_vcpus_usage": sum.vcpus,
    });
    if servers {
        out["server_usages"] = json!(sum.servers);
    }
    out
}

pub async fn list(State(nova): State<Arc<Nova>>, Caller(ctx): Caller, params: Params) -> Result<Response> {
    let period = period(&ctx, &params)?;
    let sums = sums(&nova, &period, None).await?;
    let views: Vec<Value> =
        sums.into_iter().map(|(project, sum)| view(&project, &sum, &period, period.detailed)).collect();
    Ok(web::json(200, &json!({"tenant_usages": views})))
}

pub async fn show(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(project): Path<String>,
    params: Params,
) -> Result<Response> {
    ctx.authorize(&policy::SHOW, Some(&project))?;
    let period = period(&ctx, &params)?;
    let sum = sums(&nova, &period, Some(&project)).await?.remove(&project);
    let body = sum.map_or_else(|| json!({}), |sum| view(&project, &sum, &period, true));
    Ok(web::json(200, &json!({"tenant_usage": body})))
}
