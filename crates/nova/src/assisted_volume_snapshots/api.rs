//! `/v2.1/os-assisted-volume-snapshots`

use base::Error;
use serde_json::Value;
use web::{Caller, Json, Params, Path, Response, Result};

use crate::schema::{self, Field, Kind};

const TEXT: Kind = Kind::Text(1, usize::MAX, schema::ANY_CHAR, "");
const INFO: &[Field] = &[
    Field::new("snapshot_id", TEXT).required(),
    Field::new("type", Kind::Enum(&["qcow2"])).required(),
    Field::new("new_file", TEXT).required(),
    Field::new("id", TEXT),
];
const CREATE: &[Field] =
    &[Field::new("volume_id", TEXT).required(), Field::new("create_info", Kind::Object(INFO)).required()];

fn no_volume(id: &str) -> web::Fault {
    Error::bad_request(format!("No volume Block Device Mapping with id {id}.")).into()
}

pub async fn create(Caller(ctx): Caller, Json(body): Json<Value>) -> Result<Response> {
    let fields = schema::body(&body, "snapshot", CREATE, ctx.microversion.minor)?;
    Err(no_volume(fields["volume_id"].as_str().unwrap_or_default()))
}

/// The volume is named in the query's `delete_info`, which is JSON.
pub async fn delete(Caller(ctx): Caller, Path(_): Path<String>, params: Params) -> Result<Response> {
    crate::query::only(&ctx, &params, &["delete_info"])?;
    let info = params.get("delete_info").ok_or_else(|| Error::bad_request("'delete_info'"))?;
    let info: Value = serde_json::from_str(info).map_err(|e| Error::bad_request(e.to_string()))?;
    let volume = info["volume_id"].as_str().ok_or_else(|| Error::bad_request("'volume_id'"))?;
    Err(no_volume(volume))
}
