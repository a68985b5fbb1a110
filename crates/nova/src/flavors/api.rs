//! `/v2.1/flavors`

use std::sync::Arc;

use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Caller, Json, Origin, Params, Path, Response, Result, State, no_content};

use super::{Flavor, policy, rules, store, view};
use crate::Nova;
use crate::links::Links;
use crate::schema::{self, Field, Kind};

async fn find(nova: &Nova, ctx: &Ctx, params: &Params) -> Result<(Vec<Flavor>, bool)> {
    let filter = rules::filter(ctx, params)?;
    let page = crate::query::page(params)?;
    let all = store::list(&mut nova.db.read().await?, rules::seen(ctx, params)?).await?;
    let found = filter.apply(all);
    let marker = page.marker.clone().unwrap_or_default();
    page.cut(found, crate::query::MAX_LIMIT, |f| &f.id)
        .ok_or_else(|| Error::bad_request(format!("marker [{marker}] not found")).into())
}

fn listing(params: &Params, origin: &Origin, views: &[Value], flavors: &[Flavor], more: bool) -> Response {
    let mut body = json!({"flavors": views});
    if let (true, Some(last)) = (more, flavors.last()) {
        body["flavors_links"] = web::next_link(params, &origin.0, &last.id);
    }
    web::json(200, &body)
}

pub async fn list(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    params: Params,
    origin: Origin,
) -> Result {
    let links = Links::new(&origin);
    let (flavors, more) = find(&nova, &ctx, &params).await?;
    let views: Vec<Value> = flavors.iter().map(|f| view::brief(&ctx, &links, f)).collect();
    Ok(listing(&params, &origin, &views, &flavors, more))
}

pub async fn detail(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    params: Params,
    origin: Origin,
) -> Result {
    let links = Links::new(&origin);
    let (flavors, more) = find(&nova, &ctx, &params).await?;
    let views: Vec<Value> = flavors.iter().map(|f| view::full(&ctx, &links, f)).collect();
    Ok(listing(&params, &origin, &views, &flavors, more))
}

pub async fn show(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    origin: Origin,
) -> Result {
    let flavor = rules::get(&mut nova.db.read().await?, &ctx, &id).await?;
    Ok(web::json(200, &json!({"flavor": view::full(&ctx, &Links::new(&origin), &flavor)})))
}

pub async fn create(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    origin: Origin,
    Json(body): Json<Value>,
) -> Result {
    let flavor = rules::parse(schema::body(&body, "flavor", rules::CREATE, ctx.microversion.minor)?)?;
    store::create(&nova.db, &ctx, &flavor).await?;
    Ok(web::json(200, &json!({"flavor": view::full(&ctx, &Links::new(&origin), &flavor)})))
}

pub async fn update(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    origin: Origin,
    Json(body): Json<Value>,
) -> Result {
    crate::query::since(&ctx, 55)?;
    let body = schema::body(&body, "flavor", rules::UPDATE, ctx.microversion.minor)?;
    let mut flavor = rules::get(&mut nova.db.read().await?, &ctx, &id).await?;
    flavor.description = body["description"].as_str().map(Into::into);
    store::set_description(&nova.db, &ctx, &id, flavor.description.as_deref()).await?;
    Ok(web::json(200, &json!({"flavor": view::full(&ctx, &Links::new(&origin), &flavor)})))
}

pub async fn delete(State(nova): State<Arc<Nova>>, Caller(ctx): Caller, Path(id): Path<String>) -> Result {
    store::delete(&nova.db, &ctx, &id).await?;
    Ok(no_content(202))
}

pub async fn access(State(nova): State<Arc<Nova>>, Caller(ctx): Caller, Path(id): Path<String>) -> Result {
    let mut conn = nova.db.read().await?;
    let flavor = rules::get(&mut conn, &ctx, &id).await?;
    if flavor.is_public {
        return Err(Error::not_found("Access list not available for public flavors.").into());
    }
    Ok(web::json(200, &view::access(&id, &store::access(&mut conn, &id).await?)))
}

const TENANT: &[Field] = &[Field::new("tenant", Kind::Text(1, 255, schema::ANY_CHAR, "")).required()];

/// addTenantAccess and removeTenantAccess.
pub async fn action(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let minor = ctx.microversion.minor;
    let name = body.as_object().and_then(|m| m.keys().next().cloned()).unwrap_or_default();
    let tenant = |key: &str| -> Result<String> {
        Ok(schema::body(&body, key, TENANT, minor)?["tenant"].as_str().unwrap_or_default().to_owned())
    };
    ctx.authorize(&policy::ACCESS_CHANGE, None)?;
    let flavor = rules::get(&mut nova.db.read().await?, &ctx, &id).await?;
    match name.as_str() {
        "addTenantAccess" => {
            let tenant = tenant("addTenantAccess")?;
            if flavor.is_public {
                return Err(Error::conflict("Can not add access to a public flavor.").into());
            }
            store::add_access(&nova.db, &ctx, &id, &tenant).await?;
        }
        "removeTenantAccess" => {
            store::remove_access(&nova.db, &ctx, &id, &tenant("removeTenantAccess")?).await?;
        }
        other => return Err(crate::query::no_such_action(other).into()),
    }
    let projects = store::access(&mut nova.db.read().await?, &id).await?;
    Ok(web::json(200, &view::access(&id, &projects)))
}

pub async fn specs(State(nova): State<Arc<Nova>>, Caller(ctx): Caller, Path(id): Path<String>) -> Result {
    let flavor = rules::get(&mut nova.db.read().await?, &ctx, &id).await?;
    Ok(web::json(200, &json!({"extra_specs": flavor.extra_specs})))
}

pub async fn spec(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, key)): Path<(String, String)>,
) -> Result {
    let flavor = rules::get(&mut nova.db.read().await?, &ctx, &id).await?;
    let value = flavor.extra_specs.get(&key).ok_or_else(|| rules::no_spec(&id, &key))?;
    Ok(web::json(200, &json!({&*key: value})))
}

const SPECS: Kind = Kind::Metadata { null: false, numbers: true };

fn pairs(value: &Value) -> Vec<(String, String)> {
    let Some(map) = value.as_object() else { return Vec::new() };
    map.iter().map(|(k, v)| (k.clone(), schema::text_or_number(v).unwrap_or_default())).collect()
}

pub async fn create_specs(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let specs = schema::root(&body, &["extra_specs"])?
        .get("extra_specs")
        .ok_or_else(|| Error::bad_request("'extra_specs' is a required property"))?;
    schema::check(&SPECS, specs, "extra_specs", ctx.microversion.minor)?;
    store::change_specs(&nova.db, &ctx, &id, &pairs(specs), None).await?;
    Ok(web::json(200, &json!({"extra_specs": specs})))
}

pub async fn update_spec(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, key)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Result {
    schema::check(&SPECS, &body, "extra_specs", ctx.microversion.minor)?;
    let pairs = pairs(&body);
    let [(name, value)] = &pairs[..] else {
        return Err(Error::bad_request("Request body contains too many or too few items").into());
    };
    if *name != key {
        return Err(Error::bad_request("Request body and URI mismatch").into());
    }
    store::change_specs(&nova.db, &ctx, &id, &pairs, None).await?;
    Ok(web::json(200, &json!({&**name: value})))
}

pub async fn delete_spec(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, key)): Path<(String, String)>,
) -> Result {
    store::change_specs(&nova.db, &ctx, &id, &[], Some(&key)).await?;
    Ok(no_content(200))
}
