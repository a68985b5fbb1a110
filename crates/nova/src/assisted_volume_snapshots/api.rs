//! `/v2.1/os-assisted-volume-snapshots`

use std::sync::Arc;

use base::{Ctx, Error};
use http::Method;
use serde_json::{Value, json};
use web::{Caller, Json, Params, Path, Response, Result, State, no_content};

use crate::Nova;
use crate::block_devices::{BlockDevice, store as devices};
use crate::schema::{self, Field, Kind};
use crate::servers::{self, Server, reconcile::acting_for};

const TEXT: Kind = Kind::Text(1, usize::MAX, schema::ANY_CHAR, "");
const INFO: &[Field] = &[
    Field::new("snapshot_id", TEXT).required(),
    Field::new("type", Kind::Enum(&["qcow2"])).required(),
    Field::new("new_file", TEXT).required(),
    Field::new("id", TEXT),
];
const CREATE: &[Field] =
    &[Field::new("volume_id", TEXT).required(), Field::new("create_info", Kind::Object(INFO)).required()];

/// The server that has the volume, at rest on its host; 400 otherwise, whatever is the matter.
async fn server_of(nova: &Nova, volume: &str) -> Result<Server> {
    let refused = |message: String| Err(Error::bad_request(message).into());
    let mut conn = nova.db.read().await?;
    let all = devices::of_volume(&mut conn, volume).await?;
    let shown: Vec<&BlockDevice> = all.iter().filter(|device| device.is_shown()).collect();
    let server = match shown[..] {
        [] => return refused(format!("No volume Block Device Mapping with id {volume}.")),
        [one] => servers::store::get(&mut conn, &one.server_id).await?,
        _ => {
            return refused(format!(
                "Block Device Mapping {volume} is a multi-attach volume and is not valid for this operation."
            ));
        }
    };
    let Some(server) = server else {
        return refused(format!("No volume Block Device Mapping with id {volume}."));
    };
    match (&server.host, server.task_state) {
        (None, _) => refused(format!("Instance {} is not ready", server.id)),
        (_, Some(task)) => refused(format!(
            "Instance {} in task_state {}. Cannot volume_snapshot while the instance is in this state.",
            server.id,
            task.as_str()
        )),
        (Some(_), None) => Ok(server),
    }
}

/// As any host that cannot do what it was asked for, the snapshot is told its end: the layers of volumes here are made by
/// Cinder itself, and machines write into no other file.
async fn fail(nova: &Nova, server: &Server, snapshot: &str, status: &str) {
    tracing::warn!(
        server = server.id,
        snapshot,
        "somebody else's snapshot of a volume cannot be carried out"
    );
    let ctx: Ctx = acting_for(server);
    let body = json!({"os-update_snapshot_status": {"status": status}});
    let path = format!("/v3/snapshots/{snapshot}/action");
    if base::id::is_uuid(snapshot)
        && let Err(refused) = nova.volume_call(&ctx, Method::POST, &path, Some(&body)).await
    {
        tracing::debug!(snapshot, %refused, "there was no such snapshot to tell");
    }
}

pub async fn create(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> Result<Response> {
    let fields = schema::body(&body, "snapshot", CREATE, ctx.microversion.minor)?;
    let volume = fields["volume_id"].as_str().unwrap_or_default();
    let info = &fields["create_info"];
    let server = server_of(&nova, volume).await?;
    fail(&nova, &server, info["snapshot_id"].as_str().unwrap_or_default(), "error").await;
    Ok(web::json(200, &json!({"snapshot": {"id": info["id"], "volumeId": volume}})))
}

/// The volume is named in the query's `delete_info`, which is JSON.
pub async fn delete(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(snapshot): Path<String>,
    params: Params,
) -> Result<Response> {
    crate::query::only(&ctx, &params, &["delete_info"])?;
    let info = params.get("delete_info").ok_or_else(|| Error::bad_request("'delete_info'"))?;
    let info: Value = serde_json::from_str(info).map_err(|e| Error::bad_request(e.to_string()))?;
    let volume = info["volume_id"].as_str().ok_or_else(|| Error::bad_request("'volume_id'"))?;
    let server = server_of(&nova, volume).await?;
    fail(&nova, &server, &snapshot, "error_deleting").await;
    Ok(no_content(204))
}
