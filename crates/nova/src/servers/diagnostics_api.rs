//! `/v2.1/servers/{id}/diagnostics`: counters of the machine, since 2.48 in one shape for all drivers.

use std::sync::Arc;

use base::{Ctx, Error};
use host::{Diagnostics, DiskCounters};
use serde_json::{Map, Value, json};
use web::{Caller, Path, Response, Result, State};

use super::{PowerState, Server, policy, store};
use crate::Nova;

pub async fn show(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    let server = store::find(&mut *nova.db.read().await?, &ctx, &id).await?;
    ctx.authorize(&policy::DIAGNOSTICS, Some(&server.project_id))?;
    if server.host.is_none() {
        return Err(Error::conflict(format!("Instance {id} is not ready")).into());
    }
    if server.power_state != PowerState::Running {
        let state = match server.power_state {
            PowerState::NoState => "pending",
            PowerState::Paused => "paused",
            PowerState::Shutdown => "shutdown",
            PowerState::Running => "running",
        };
        return Err(Error::conflict(format!(
            "Cannot 'get_diagnostics' instance {id} while it is in power state {state}"
        ))
        .into());
    }
    let plan = nova.plan_for_diagnostics(&server).await?;
    let counters = nova.hypervisor.diagnostics(&plan).await.map_err(Error::internal)?;
    let simulated = nova.hypervisor.capacity().await.map_err(Error::internal)?.hypervisor_type == "fake";
    let body = match ctx.at_least(2, 48) {
        true => standard(&ctx, &server, &counters, simulated),
        false => old(&server, &counters),
    };
    Ok(web::json(200, &body))
}

/// As libvirt's driver always had it.
fn old(server: &Server, counters: &Diagnostics) -> Value {
    let mut out = Map::new();
    for (number, time) in counters.cpu_times.iter().enumerate() {
        out.insert(format!("cpu{number}_time"), json!(time.unwrap_or(0)));
    }
    for disk in &counters.disks {
        let DiskCounters { name, .. } = disk;
        out.insert(format!("{name}_read"), json!(disk.read_bytes));
        out.insert(format!("{name}_read_req"), json!(disk.read_requests));
        out.insert(format!("{name}_write"), json!(disk.write_bytes));
        out.insert(format!("{name}_write_req"), json!(disk.write_requests));
        out.insert(format!("{name}_errors"), json!(disk.errors));
    }
    for nic in &counters.nics {
        let name = format!("tap{}", nic.port_id.get(..11).unwrap_or(&nic.port_id));
        for (key, value) in [
            ("rx", nic.received_bytes),
            ("rx_packets", nic.received_packets),
            ("rx_drop", nic.received_dropped),
            ("rx_errors", nic.received_errors),
            ("tx", nic.sent_bytes),
            ("tx_packets", nic.sent_packets),
            ("tx_drop", nic.sent_dropped),
            ("tx_errors", nic.sent_errors),
        ] {
            out.insert(format!("{name}_{key}"), json!(value.unwrap_or(0)));
        }
    }
    let kib = server.flavor.memory_mib * 1024;
    out.insert("memory".into(), json!(kib));
    out.insert("memory-actual".into(), json!(kib));
    if let Some(resident) = counters.resident_mib {
        out.insert("memory-rss".into(), json!(resident * 1024));
    }
    Value::Object(out)
}

fn standard(ctx: &Ctx, server: &Server, counters: &Diagnostics, simulated: bool) -> Value {
    let cpus: Vec<Value> = counters
        .cpu_times
        .iter()
        .enumerate()
        .map(|(id, time)| json!({"id": id, "time": time, "utilisation": Value::Null}))
        .collect();
    let disks: Vec<Value> = counters
        .disks
        .iter()
        .map(|disk| {
            json!({
                "read_bytes": disk.read_bytes,
                "read_requests": disk.read_requests,
                "write_bytes": disk.write_bytes,
                "write_requests": disk.write_requests,
                "errors_count": disk.errors,
            })
        })
        .collect();
    let nics: Vec<Value> = counters
        .nics
        .iter()
        .map(|nic| {
            json!({
                "mac_address": nic.mac,
                "rx_octets": nic.received_bytes,
                "rx_errors": nic.received_errors,
                "rx_drop": nic.received_dropped,
                "rx_packets": nic.received_packets,
                "rx_rate": Value::Null,
                "tx_octets": nic.sent_bytes,
                "tx_errors": nic.sent_errors,
                "tx_drop": nic.sent_dropped,
                "tx_packets": nic.sent_packets,
                "tx_rate": Value::Null,
            })
        })
        .collect();
    json!({
        "state": "running",
        // Clients know a closed list of drivers; these counters are as libvirt's.
        "driver": "libvirt",
        "hypervisor": if simulated { "fake" } else { "qemu" },
        "hypervisor_os": "linux",
        "uptime": counters.uptime_seconds,
        "config_drive": server.config_drive,
        "num_cpus": cpus.len(),
        "num_nics": nics.len(),
        "num_disks": disks.len(),
        "cpu_details": cpus,
        "disk_details": disks,
        "nic_details": nics,
        "memory_details": {
            "maximum": server.flavor.memory_mib,
            "used": if ctx.is_admin() { json!(counters.resident_mib) } else { Value::Null },
        },
    })
}
