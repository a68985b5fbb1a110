//! `/v2.1/servers/{id}/shares`

use std::sync::Arc;

use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Caller, Json, Path, Response, Result, State};

use super::policy;
use crate::Nova;
use crate::schema::{self, Field, Kind, TAG};
use crate::servers::{self, Server, VmState, rules};

const CREATE: &[Field] = &[Field::new("share_id", Kind::Uuid).required(), Field::new("tag", TAG)];

async fn server(nova: &Nova, ctx: &Ctx, id: &str) -> Result<Server> {
    crate::query::since(ctx, 97)?;
    Ok(servers::store::find(&mut *nova.db.read().await?, ctx, id).await?)
}

fn no_share(id: &str) -> web::Fault {
    Error::not_found(format!("Share {id} could not be found.")).into()
}

pub async fn list(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    server(&nova, &ctx, &id).await?;
    Ok(web::json(200, &json!({"shares": []})))
}

pub async fn create(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response> {
    crate::query::since(&ctx, 97)?;
    let fields = schema::body(&body, "share", CREATE, ctx.microversion.minor)?;
    let server = server(&nova, &ctx, &id).await?;
    ctx.authorize(&policy::CREATE, Some(&server.project_id))?;
    rules::check_state(&server, "allow_share", &[VmState::Stopped])?;
    Err(no_share(fields["share_id"].as_str().unwrap_or_default()))
}

pub async fn one(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, share)): Path<(String, String)>,
) -> Result<Response> {
    server(&nova, &ctx, &id).await?;
    Err(no_share(&share))
}
