//! `/v2.1/os-server-groups`

use std::sync::Arc;

use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Caller, Json, Params, Path, Response, Result, State, no_content};

use super::{ServerGroup, store, view};
use crate::Nova;
use crate::schema::{self, Field, Kind, MAX_INT};

const HARD: Kind = Kind::Enum(&["anti-affinity", "affinity"]);
const POLICY: Kind = Kind::Enum(&["anti-affinity", "affinity", "soft-anti-affinity", "soft-affinity"]);

const CREATE: &[Field] = &[
    Field::new("name", Kind::Name).required(),
    Field::new("policies", Kind::List(&HARD, 1, 1)).until(14).required(),
    Field::new("policies", Kind::List(&POLICY, 1, 1)).from(15).until(63).required(),
    Field::new("policy", POLICY).from(64).required(),
    Field::new("rules", Kind::Object(&[Field::new("max_server_per_host", Kind::Integer(1, MAX_INT))]))
        .from(64),
];

pub async fn list(State(nova): State<Arc<Nova>>, Caller(ctx): Caller, params: Params) -> Result<Response> {
    crate::query::only(&ctx, &params, &["all_projects", "limit", "offset"])?;
    let page = crate::query::page(&params)?;
    let offset = match params.get("offset") {
        None => 0,
        Some(text) => text.parse::<usize>().map_err(|_| {
            schema::invalid("offset", &json!(text), &format!("'{text}' does not match '^[0-9]*$'"))
        })?,
    };
    let project = ctx.list_scope(params.has("all_projects"))?;
    let mut conn = nova.db.read().await?;
    let groups = store::list(&mut conn, project).await?;
    let members = store::members(&mut conn, project).await?;
    let limit = page.limit.filter(|n| *n > 0).unwrap_or(crate::query::MAX_LIMIT).min(crate::query::MAX_LIMIT);
    let views: Vec<Value> = groups
        .iter()
        .skip(offset)
        .take(limit)
        .map(|g| view::full(&ctx, g, members.get(&g.id).map_or(&[], Vec::as_slice)))
        .collect();
    Ok(web::json(200, &json!({"server_groups": views})))
}

async fn find(nova: &Nova, ctx: &Ctx, id: &str) -> Result<ServerGroup> {
    let group = store::get(&mut nova.db.read().await?, id).await?;
    Ok(group.filter(|g| ctx.owns(&g.project_id)).ok_or_else(|| store::not_found(id))?)
}

pub async fn show(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    let group = find(&nova, &ctx, &id).await?;
    let members = store::members_of(&mut nova.db.read().await?, &id).await?;
    Ok(web::json(200, &json!({"server_group": view::full(&ctx, &group, &members)})))
}

pub async fn create(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> Result<Response> {
    let fields = schema::body(&body, "server_group", CREATE, ctx.microversion.minor)?;
    let policy = fields.get("policy").or_else(|| fields.get("policies")?.get(0)).and_then(Value::as_str);
    let rules = fields.get("rules").and_then(Value::as_object).filter(|r| !r.is_empty());
    if policy != Some("anti-affinity") && rules.is_some() {
        return Err(Error::bad_request("Only anti-affinity policy supports rules.").into());
    }
    let project = ctx.require_project()?;
    let group = ServerGroup {
        id: base::id::uuid(),
        project_id: project.into(),
        user_id: ctx.user_id().into(),
        name: fields["name"].as_str().unwrap_or_default().into(),
        policy: policy.unwrap_or_default().into(),
        max_server_per_host: rules.and_then(|r| schema::integer(r.get("max_server_per_host")?)),
        created_at: base::time::now(),
    };
    let limits = crate::quotas::limits(&mut *nova.db.read().await?, Some(project)).await?;
    store::create(&nova.db, &ctx, &group, limits.of("server_groups")).await?;
    Ok(web::json(200, &json!({"server_group": view::full(&ctx, &group, &[])})))
}

pub async fn delete(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    store::delete(&nova.db, &ctx, &find(&nova, &ctx, &id).await?).await?;
    Ok(no_content(204))
}
