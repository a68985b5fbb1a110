//! `/v2.1/os-instance_usage_audit_log`: which hosts have written their usage records of the last whole month. This cloud
//! counts usage from its rows and has no such task, so no host has ever run it.

use std::sync::Arc;

use base::Error;
use jiff::civil::DateTime;
use jiff::{ToSpan as _, Zoned};
use serde_json::{Value, json};
use web::{Caller, Path, Response, Result, State};

use crate::Nova;

fn log(nova: &Nova, before: DateTime) -> Value {
    let end = before.date().first_of_month().at(0, 0, 0, 0);
    let begin = end.saturating_sub(1.month());
    let host = &nova.config.host;
    json!({
        "period_beginning": text(begin),
        "period_ending": text(end),
        "num_hosts": 1,
        "num_hosts_done": 0,
        "num_hosts_running": 0,
        "num_hosts_not_run": 1,
        "hosts_not_run": [host],
        "total_instances": 0,
        "total_errors": 0,
        "overall_status": "0 of 1 hosts done. 0 errors.",
        "log": {},
    })
}

fn text(at: DateTime) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

pub async fn list(State(nova): State<Arc<Nova>>, Caller(_): Caller) -> Result<Response> {
    let now = Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).datetime();
    Ok(web::json(200, &json!({"instance_usage_audit_logs": log(&nova, now)})))
}

pub async fn show(
    State(nova): State<Arc<Nova>>,
    Caller(_): Caller,
    Path(before): Path<String>,
) -> Result<Response> {
    // Old clients quote the space twice.
    let plain = before.replace("%20", " ").replace("%3A", ":");
    let at = DateTime::strptime("%Y-%m-%d %H:%M:%S%.f", &plain)
        .map_err(|_| Error::bad_request(format!("Invalid timestamp for date {before}")))?;
    Ok(web::json(200, &json!({"instance_usage_audit_log": log(&nova, at)})))
}
