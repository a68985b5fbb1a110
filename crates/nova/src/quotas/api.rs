//! `/v2.1/os-quota-sets` and `/v2.1/os-quota-class-sets`

use std::sync::Arc;

use base::{Ctx, Error};
use serde_json::{Map, Value, json};
use web::{Caller, Json, Params, Path, Response, Result, State, no_content};

use super::{Limits, RESOURCES, policy, store};
use crate::Nova;
use crate::schema::{self, Field, Kind, MAX_INT};

const LIMIT: Kind = Kind::Integer(-1, MAX_INT);

const UPDATE: &[Field] = &[
    Field::new("instances", LIMIT),
    Field::new("cores", LIMIT),
    Field::new("ram", LIMIT),
    Field::new("floating_ips", LIMIT).until(35),
    Field::new("fixed_ips", LIMIT).until(35),
    Field::new("metadata_items", LIMIT),
    Field::new("injected_files", LIMIT).until(56),
    Field::new("injected_file_content_bytes", LIMIT).until(56),
    Field::new("injected_file_path_bytes", LIMIT).until(56),
    Field::new("security_groups", LIMIT).until(35),
    Field::new("security_group_rules", LIMIT).until(35),
    Field::new("key_pairs", LIMIT),
    Field::new("server_groups", LIMIT),
    Field::new("server_group_members", LIMIT),
    Field::new("force", Kind::Bool),
];

fn view(ctx: &Ctx, id: Option<&str>, value: impl Fn(&str) -> Value) -> Map<String, Value> {
    let mut out = Map::new();
    if let Some(id) = id {
        out.insert("id".into(), json!(id));
    }
    for (resource, _, until) in RESOURCES {
        if ctx.microversion.minor <= *until {
            out.insert((*resource).into(), value(resource));
        }
    }
    out
}

fn answer(ctx: &Ctx, id: Option<&str>, limits: &Limits) -> Response {
    web::json(200, &json!({"quota_set": view(ctx, id, |r| json!(limits.of(r)))}))
}

/// A project's limits are for its members and for admins.
fn may_see(ctx: &Ctx, policy: &base::Policy, project: &str) -> Result<()> {
    Ok(ctx.authorize(policy, Some(project))?)
}

pub async fn show(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(project): Path<String>,
    params: Params,
) -> Result<Response> {
    crate::query::only(&ctx, &params, &["user_id"])?;
    may_see(&ctx, &policy::SHOW, &project)?;
    let mut conn = nova.db.read().await?;
    let limits = match params.get("user_id") {
        Some(user) => store::limits_for_user(&mut conn, &project, user).await?,
        None => store::limits(&mut conn, Some(&project)).await?,
    };
    Ok(answer(&ctx, Some(&project), &limits))
}

pub async fn detail(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(project): Path<String>,
    params: Params,
) -> Result<Response> {
    crate::query::only(&ctx, &params, &["user_id"])?;
    may_see(&ctx, &policy::DETAIL, &project)?;
    let user = params.get("user_id");
    let mut conn = nova.db.read().await?;
    let limits = match user {
        Some(user) => store::limits_for_user(&mut conn, &project, user).await?,
        None => store::limits(&mut conn, Some(&project)).await?,
    };
    let used = store::usage(&mut conn, &project, user).await?;
    let groups = store::count(&mut conn, "server_groups", &project).await?;
    let keys = store::count(&mut conn, "keypairs", user.unwrap_or(ctx.user_id())).await?;
    let in_use = |resource: &str| match resource {
        "instances" => used.instances,
        "cores" => used.cores,
        "ram" => used.ram,
        "server_groups" => groups,
        "key_pairs" => keys,
        // Counted by Neutron, or per server.
        _ => 0,
    };
    let body =
        view(&ctx, Some(&project), |r| json!({"limit": limits.of(r), "in_use": in_use(r), "reserved": 0}));
    Ok(web::json(200, &json!({"quota_set": body})))
}

pub async fn defaults(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(project): Path<String>,
) -> Result<Response> {
    let limits = store::limits(&mut *nova.db.read().await?, None).await?;
    Ok(answer(&ctx, Some(&project), &limits))
}

fn wanted(fields: &Map<String, Value>) -> Vec<(String, i64)> {
    let integers = fields.iter().filter(|(k, _)| *k != "force");
    integers.filter_map(|(k, v)| Some((k.clone(), schema::integer(v)?))).collect()
}

pub async fn update(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(project): Path<String>,
    params: Params,
    Json(body): Json<Value>,
) -> Result<Response> {
    crate::query::only(&ctx, &params, &["user_id"])?;
    let fields = schema::body(&body, "quota_set", UPDATE, ctx.microversion.minor)?;
    let values = wanted(fields);
    let force = fields.get("force").and_then(schema::flag).unwrap_or(false);
    let user = params.get("user_id");
    let scope = user.map_or_else(|| project.clone(), |user| store::user_scope(&project, user));
    let mut conn = nova.db.read().await?;
    if !force {
        let used = store::usage(&mut conn, &project, user).await?;
        let limits = store::limits(&mut conn, Some(&project)).await?;
        for (resource, limit) in &values {
            let minimum = match resource.as_str() {
                "instances" => used.instances,
                "cores" => used.cores,
                "ram" => used.ram,
                _ => 0,
            };
            if *limit >= 0 && *limit < minimum {
                return Err(Error::bad_request(format!(
                    "Quota limit {limit} for {resource} must be greater than or equal to already used and \
                     reserved {minimum}."
                ))
                .into());
            }
            let most = limits.of(resource);
            if user.is_some() && most >= 0 && (*limit < 0 || *limit > most) {
                return Err(Error::bad_request(format!(
                    "Quota limit {limit} for {resource} must be less than or equal to {most}."
                ))
                .into());
            }
        }
    }
    drop(conn);
    store::set(&nova.db, &ctx, &scope, &values).await?;
    let mut conn = nova.db.read().await?;
    let limits = match user {
        Some(user) => store::limits_for_user(&mut conn, &project, user).await?,
        None => store::limits(&mut conn, Some(&project)).await?,
    };
    Ok(answer(&ctx, None, &limits))
}

pub async fn delete(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(project): Path<String>,
    params: Params,
) -> Result<Response> {
    crate::query::only(&ctx, &params, &["user_id"])?;
    let scope =
        params.get("user_id").map_or_else(|| project.clone(), |user| store::user_scope(&project, user));
    store::delete(&nova.db, &ctx, &scope).await?;
    Ok(no_content(202))
}

const CLASS_UPDATE: &[Field] = &[
    Field::new("instances", LIMIT),
    Field::new("cores", LIMIT),
    Field::new("ram", LIMIT),
    Field::new("floating_ips", LIMIT).until(49),
    Field::new("fixed_ips", LIMIT).until(49),
    Field::new("metadata_items", LIMIT),
    Field::new("injected_files", LIMIT).until(56),
    Field::new("injected_file_content_bytes", LIMIT).until(56),
    Field::new("injected_file_path_bytes", LIMIT).until(56),
    Field::new("security_groups", LIMIT).until(49),
    Field::new("security_group_rules", LIMIT).until(49),
    Field::new("key_pairs", LIMIT),
    Field::new("server_groups", LIMIT),
    Field::new("server_group_members", LIMIT),
];

fn class_view(ctx: &Ctx, id: Option<&str>, limits: &Limits) -> Response {
    let minor = ctx.microversion.minor;
    let mut out = Map::new();
    if let Some(id) = id {
        out.insert("id".into(), json!(id));
    }
    for (resource, _, until) in RESOURCES {
        // Classes lost Neutron's resources later than projects did, and gained server groups late.
        let shown = match (*resource, *until) {
            ("server_groups" | "server_group_members", _) => minor >= 50,
            (_, 35) => minor < 50,
            (_, until) => minor <= until,
        };
        if shown {
            out.insert((*resource).into(), json!(limits.of(resource)));
        }
    }
    web::json(200, &json!({"quota_class_set": out}))
}

pub async fn show_class(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(name): Path<String>,
) -> Result<Response> {
    let limits = store::class(&mut *nova.db.read().await?, &name).await?;
    Ok(class_view(&ctx, Some(&name), &limits))
}

pub async fn update_class(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(name): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response> {
    let fields = schema::body(&body, "quota_class_set", CLASS_UPDATE, ctx.microversion.minor)?;
    store::set(&nova.db, &ctx, &store::class_scope(&name), &wanted(fields)).await?;
    let limits = store::class(&mut *nova.db.read().await?, &name).await?;
    Ok(class_view(&ctx, None, &limits))
}
