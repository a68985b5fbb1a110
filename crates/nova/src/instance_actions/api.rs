//! `/v2.1/servers/{id}/os-instance-actions`

use std::sync::Arc;

use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Caller, Origin, Params, Path, Response, Result, State};

use super::{store, view};
use crate::Nova;
use crate::servers::{self, Server};

/// From 2.21 on a deleted server still has its actions.
async fn server(nova: &Nova, ctx: &Ctx, id: &str) -> Result<Server> {
    let server = servers::store::get(&mut *nova.db.read().await?, id).await?;
    let server =
        server.filter(|s| ctx.owns(&s.project_id) && (s.deleted_at.is_none() || ctx.at_least(2, 21)));
    Ok(server.ok_or_else(|| servers::store::not_found(id))?)
}

fn instant(params: &Params, key: &str) -> Result<Option<i64>> {
    let Some(text) = params.get(key) else { return Ok(None) };
    let parsed = base::time::parse(text).ok_or_else(|| {
        crate::schema::invalid(key, &json!(text), &format!("'{text}' is not a 'date-time'"))
    })?;
    Ok(Some(parsed))
}

pub async fn list(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    params: Params,
    origin: Origin,
) -> Result<Response> {
    server(&nova, &ctx, &id).await?;
    let mut actions = store::list(&mut nova.db.read().await?, &id).await?;
    if !ctx.at_least(2, 58) {
        let views: Vec<Value> = actions.iter().map(|a| view::brief(&ctx, a)).collect();
        return Ok(web::json(200, &json!({"instanceActions": views})));
    }
    let (since, until) = (instant(&params, "changes-since")?, instant(&params, "changes-before")?);
    if let (Some(since), Some(until)) = (since, until)
        && until < since
    {
        return Err(Error::bad_request(
            "The value of changes-since must be less than or equal to changes-before.",
        )
        .into());
    }
    actions.retain(|a| since.is_none_or(|t| a.updated_at >= t) && until.is_none_or(|t| a.updated_at <= t));
    let page = crate::query::page(&params)?;
    let (actions, more) = page.cut(actions, crate::query::MAX_LIMIT, |a| &a.request_id).ok_or_else(|| {
        Error::bad_request(format!("Marker {} could not be found.", page.marker.clone().unwrap_or_default()))
    })?;
    let views: Vec<Value> = actions.iter().map(|a| view::brief(&ctx, a)).collect();
    let mut body = json!({"instanceActions": views});
    if let (true, Some(last)) = (more, actions.last()) {
        body["links"] = web::next_link(&params, &origin.0, &last.request_id);
    }
    Ok(web::json(200, &body))
}

pub async fn show(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, request_id)): Path<(String, String)>,
) -> Result<Response> {
    let server = server(&nova, &ctx, &id).await?;
    let action = store::get(&mut nova.db.read().await?, &id, &request_id)
        .await?
        .ok_or_else(|| Error::not_found(format!("Action {request_id} not found")))?;
    let host = server.host.as_deref();
    let host_id = servers::view::host_id(&server.project_id, host);
    Ok(web::json(200, &json!({"instanceAction": view::full(&ctx, &action, host, &host_id)})))
}
