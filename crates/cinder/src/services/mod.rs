//! What runs, and where volumes are: services, hosts, zones, pools and capabilities. Everything is this machine.

mod capable;
mod frozen;
mod store;

pub use capable::fits;
pub use store::check_thawed;

use std::sync::Arc;

use base::time::micros_naive;
use base::{Error, Result as Checked};
use serde_json::{Value, json};
use web::{Json, Params, Path, Result, Routes, State};

use crate::asker::Asker;
use crate::form::Form;
use crate::types::VolumeType;
use crate::{Cinder, policy, volumes};

type Cinders = State<Arc<Cinder>>;

pub fn routes(routes: Routes<Arc<Cinder>>) -> Routes<Arc<Cinder>> {
    routes
        .get("/v3/os-services", &policy::SERVICE_LIST, list)
        .put("/v3/os-services/enable", &policy::SERVICE_UPDATE, enable)
        .put("/v3/os-services/disable", &policy::SERVICE_UPDATE, disable)
        .put("/v3/os-services/disable-log-reason", &policy::SERVICE_UPDATE, disable_with_reason)
        .put("/v3/os-services/freeze", &policy::SERVICE_FREEZE, frozen::freeze)
        .put("/v3/os-services/thaw", &policy::SERVICE_THAW, frozen::thaw)
        .put("/v3/os-services/failover_host", &policy::SERVICE_FAILOVER, frozen::failover_host)
        .put("/v3/os-services/failover", &policy::SERVICE_FAILOVER, frozen::failover)
        .get("/v3/os-hosts", &policy::HOSTS, hosts)
        .get("/v3/os-hosts/{host}", &policy::HOSTS, host)
        .get("/v3/os-availability-zone", &policy::ZONES, zones)
        .get("/v3/scheduler-stats/get_pools", &policy::POOLS, pools)
        .get("/v3/capabilities/{host}", &policy::CAPABILITIES, capabilities)
}

const SCHEDULER: &str = "cinder-scheduler";
const BACKUP: &str = "cinder-backup";
const VOLUME: &str = "cinder-volume";

/// (binary, host)
fn all(cinder: &Cinder) -> [(&'static str, String); 3] {
    let host = cinder.config.host.clone();
    [(SCHEDULER, host.clone()), (VOLUME, cinder.backend()), (BACKUP, host)]
}

async fn list(State(cinder): Cinders, asker: Asker, params: Params) -> Result {
    let ctx = &asker.ctx;
    let disabled = store::all(&mut *cinder.db.read().await?).await?;
    let wanted = |key: &str, is: &str| params.get(key).is_none_or(|wanted| wanted == is);
    let host_is = |is: &str| {
        params.get("host").is_none_or(|wanted| wanted == is || is.starts_with(&format!("{wanted}@")))
    };
    let mut rows = Vec::new();
    for (binary, host) in all(&cinder).into_iter().filter(|(b, host)| wanted("binary", b) && host_is(host)) {
        let row = disabled.iter().find(|row| row.name == binary);
        let mut body = json!({
            "binary": binary,
            "host": host,
            "zone": cinder.config.availability_zone,
            "status": if row.is_some_and(|row| row.disabled) { "disabled" } else { "enabled" },
            "state": "up",
            "updated_at": micros_naive(base::time::now()),
            "disabled_reason": row.and_then(|row| row.reason.clone()),
        });
        if binary == VOLUME {
            body["replication_status"] = json!("disabled");
            body["active_backend_id"] = Value::Null;
            body["frozen"] = json!(row.is_some_and(|row| row.frozen));
            if ctx.at_least(3, 49) {
                body["backend_state"] = json!("up");
            }
        }
        if ctx.at_least(3, 7) {
            body["cluster"] = Value::Null;
        }
        rows.push(body);
    }
    Ok(web::json(200, &json!({ "services": rows })))
}

/// The answer is what was said.
async fn set(
    cinder: &Cinder,
    asker: &Asker,
    body: &Value,
    disabled: bool,
    with_reason: bool,
) -> Checked<Value> {
    let known: &[&str] = match with_reason {
        true => &["binary", "host", "cluster", "service", "disabled_reason"],
        false => &["binary", "host", "cluster", "service"],
    };
    let form = Form::inner(body, "body", known)?;
    let (binary, service) = (form.text("binary", 1)?, form.text("service", 1)?);
    if form.has("disabled_reason") && form.get("disabled_reason").is_none() {
        return Err(Error::bad_request(
            "Invalid input for field/attribute disabled_reason. Value: None. None is not of type 'string'",
        ));
    }
    let (host, reason) = (form.text("host", 1)?, form.text("disabled_reason", 1)?);
    let name = binary
        .or(service)
        .ok_or_else(|| Error::bad_request(format!("{body} is not valid under any of the given schemas")))?;
    let host = host.ok_or_else(|| Error::bad_request("Host field is missing."))?;
    let known = all(cinder).into_iter().find(|(b, h)| *b == name && h == host);
    let (binary_name, _) = known
        .ok_or_else(|| Error::not_found(format!("Service {name} could not be found on host {host}.")))?;
    store::set(&cinder.db, &asker.ctx, binary_name, disabled, reason).await?;
    let mut answer = json!({
        "host": host,
        "service": service.unwrap_or(""),
        "binary": binary.unwrap_or(""),
        "status": if disabled { "disabled" } else { "enabled" },
        "disabled": disabled,
    });
    if with_reason {
        answer["disabled_reason"] = json!(reason);
    }
    Ok(answer)
}

async fn enable(State(cinder): Cinders, asker: Asker, Json(body): Json<Value>) -> Result {
    Ok(web::json(200, &set(&cinder, &asker, &body, false, false).await?))
}

async fn disable(State(cinder): Cinders, asker: Asker, Json(body): Json<Value>) -> Result {
    Ok(web::json(200, &set(&cinder, &asker, &body, true, false).await?))
}

async fn disable_with_reason(State(cinder): Cinders, asker: Asker, Json(body): Json<Value>) -> Result {
    Ok(web::json(200, &set(&cinder, &asker, &body, true, true).await?))
}

async fn hosts(State(cinder): Cinders, _: Asker, params: Params) -> Result {
    let zone = &cinder.config.availability_zone;
    let in_zone = params.get("zone").is_none_or(|wanted| wanted.is_empty() || wanted == zone);
    let disabled = store::all(&mut *cinder.db.read().await?).await?;
    let up = |binary: &str| !disabled.iter().any(|row| row.name == binary && row.disabled);
    let rows: Vec<Value> = all(&cinder)
        .iter()
        .filter(|(binary, _)| in_zone && up(binary))
        .map(|(binary, host)| {
            json!({
                "host_name": host, "service": binary, "zone": zone, "service-status": "available",
                "service-state": "enabled", "last-update": micros_naive(base::time::now()),
            })
        })
        .collect();
    Ok(web::json(200, &json!({ "hosts": rows })))
}

async fn host(State(cinder): Cinders, _: Asker, Path(host): Path<String>) -> Result {
    if host != cinder.backend() {
        return Err(Error::not_found(format!("Host {host} could not be found.")).into());
    }
    let mut conn = cinder.db.read().await?;
    let all = volumes::store::list(&mut conn, None).await?;
    let snapshots = crate::snapshots::store::list(&mut conn, None).await?;
    let row = |project: &str| {
        let own = all.iter().filter(|volume| project == "(total)" || volume.project_id == project);
        let taken = snapshots.iter().filter(|one| project == "(total)" || one.project_id == project);
        let sizes: Vec<i64> = own.map(|volume| volume.size).collect();
        let frozen: Vec<i64> = taken.map(|one| one.size).collect();
        json!({"resource": {
            "host": host, "project": project,
            "volume_count": sizes.len().to_string(), "total_volume_gb": sizes.iter().sum::<i64>().to_string(),
            "snapshot_count": frozen.len().to_string(), "total_snapshot_gb": frozen.iter().sum::<i64>().to_string(),
        }})
    };
    let mut projects: Vec<&str> = all.iter().map(|volume| volume.project_id.as_str()).collect();
    projects.sort_unstable();
    projects.dedup();
    let rows: Vec<Value> = std::iter::once("(total)").chain(projects).map(row).collect();
    Ok(web::json(200, &json!({ "host": rows })))
}

async fn zones(State(cinder): Cinders, _: Asker) -> Result {
    let zone = json!({"zoneName": cinder.config.availability_zone, "zoneState": {"available": true}});
    Ok(web::json(200, &json!({"availabilityZoneInfo": [zone]})))
}

async fn pools(State(cinder): Cinders, asker: Asker, params: Params) -> Result {
    let name = cinder.pool();
    let filtered = asker.ctx.at_least(3, 28) && params.get("name").is_some_and(|wanted| wanted != name);
    let mut pool = json!({ "name": name });
    if params.flag("detail").unwrap_or(false) {
        pool["capabilities"] = cinder.capabilities().await?;
    }
    Ok(web::json(200, &json!({"pools": if filtered { json!([]) } else { json!([pool]) }})))
}

impl Cinder {
    /// Of the only pool.
    pub(crate) async fn capabilities(&self) -> Checked<Value> {
        let space = self.driver.space().await.map_err(Error::internal)?;
        let (_, allocated) = volumes::store::sums(&mut *self.db.read().await?).await?;
        let gib = |bytes: u64| bytes >> 30;
        Ok(json!({
            "volume_backend_name": "files",
            "vendor_name": "Open Source",
            "driver_version": env!("CARGO_PKG_VERSION"),
            "storage_protocol": "file",
            "total_capacity_gb": gib(space.total_bytes),
            "free_capacity_gb": gib(space.free_bytes),
            "allocated_capacity_gb": allocated,
            "provisioned_capacity_gb": allocated,
            "max_over_subscription_ratio": "20.0",
            "reserved_percentage": 0,
            "thin_provisioning_support": true,
            "thick_provisioning_support": false,
            "multiattach": true,
            "online_extend_support": true,
            "sparse_copy_volume": true,
            "QoS_support": false,
            "consistent_group_snapshot_enabled": false,
            "group_replication_enabled": false,
            "backend_state": "up",
            "timestamp": micros_naive(base::time::now()),
        }))
    }

    /// Can volumes of this type be here? There is nowhere else.
    pub(crate) async fn is_backend_of(&self, kind: &VolumeType) -> Checked<bool> {
        let said = store::all(&mut *self.db.read().await?).await?;
        if said.iter().any(|service| service.name == VOLUME && service.disabled) {
            return Ok(false);
        }
        Ok(kind.extra_specs.is_empty() || capable::fits(&kind.extra_specs, &self.capabilities().await?))
    }
}

async fn capabilities(State(cinder): Cinders, _: Asker, Path(host): Path<String>) -> Result {
    let backend = cinder.backend();
    if host != backend {
        return Err(Error::not_found(format!("Can't find service: {host}")).into());
    }
    let property = |title: &str, description: &str, kind: &str| json!({"title": title, "description": description, "type": kind});
    Ok(web::json(
        200,
        &json!({
            "namespace": format!("OS::Storage::Capabilities::{backend}"),
            "vendor_name": "Open Source",
            "volume_backend_name": "files",
            "pool_name": "files",
            "driver_version": env!("CARGO_PKG_VERSION"),
            "storage_protocol": "file",
            "display_name": "Files of this machine",
            "description": "Sparse files; snapshots and clones by backing files.",
            "visibility": "public",
            "replication_targets": [],
            "properties": {
                "thin_provisioning": property("Thin Provisioning", "Sets thin provisioning.", "boolean"),
                "qos": property("QoS", "Enables QoS.", "boolean"),
                "replication_enabled": property("Replication", "Enables replication.", "boolean"),
                "compression": property("Compression", "Enables compression.", "boolean"),
            },
        }),
    ))
}
