//! `/v2.1/os-floating-ips` and `/os-floating-ip-pools`

use std::sync::Arc;

use base::{Ctx, Error};
use http::Method;
use serde_json::{Value, json};
use web::{Caller, Json, Path, Response, Result, State, no_content};

use super::{list, view};
use crate::Nova;
use crate::query::PROXIES_GONE;

const JSON: &str = "application/json";

pub async fn pools(State(nova): State<Arc<Nova>>, Caller(ctx): Caller) -> Result<Response> {
    crate::query::before(&ctx, PROXIES_GONE)?;
    let name = |pool: &Value| match pool["name"].as_str() {
        Some(name) if !name.is_empty() => json!({"name": name}),
        _ => json!({"name": pool["id"]}),
    };
    let pools: Vec<Value> = nova.pools(&ctx).await?.iter().map(name).collect();
    Ok(web::json(200, &json!({"floating_ip_pools": pools})))
}

pub async fn index(State(nova): State<Arc<Nova>>, Caller(ctx): Caller) -> Result<Response> {
    crate::query::before(&ctx, PROXIES_GONE)?;
    let (found, pools) = tokio::try_join!(nova.floating_ips(&ctx, ""), nova.pools(&ctx))?;
    // One question for all ports, not one each.
    let path = format!("/v2.0/ports?tenant_id={}", ctx.require_project()?);
    let ports = list(&nova.network_api.call(&ctx, Method::GET, &path, None).await?, "ports");
    let server = |floating: &Value| {
        let port = ports.iter().find(|p| p["id"] == floating["port_id"])?;
        port["device_id"].as_str().filter(|id| !id.is_empty())
    };
    let views: Vec<Value> = found.iter().map(|f| view(f, server(f), &pools)).collect();
    Ok(web::json(200, &json!({"floating_ips": views})))
}

async fn find(nova: &Nova, ctx: &Ctx, id: &str) -> Result<Value> {
    if !base::id::is_uuid(id) {
        return Err(Error::bad_request(format!("Invalid ID received {id}.")).into());
    }
    let found = nova.network_api.call(ctx, Method::GET, &format!("/v2.0/floatingips/{id}"), None).await;
    match found {
        Ok(mut body) => Ok(body["floatingip"].take()),
        Err(refused) if refused.status == 404 => {
            Err(Error::not_found(format!("Floating IP not found for ID {id}")).into())
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn answer(nova: &Nova, ctx: &Ctx, floating: &Value) -> Result<Response> {
    let (server, pools) = tokio::try_join!(nova.server_of(ctx, floating), nova.pools(ctx))?;
    Ok(web::json(200, &json!({"floating_ip": view(floating, server.as_deref(), &pools)})))
}

pub async fn show(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    crate::query::before(&ctx, PROXIES_GONE)?;
    let floating = find(&nova, &ctx, &id).await?;
    answer(&nova, &ctx, &floating).await
}

/// `{"pool": name or id}`; without one, the default external network, or the only one.
pub async fn create(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    body: Option<Json<Value>>,
) -> Result<Response> {
    crate::query::before(&ctx, PROXIES_GONE)?;
    let body = body.map(|Json(body)| body).unwrap_or_default();
    let asked = body["pool"].as_str();
    let pools = nova.pools(&ctx).await?;
    let pool = match asked {
        Some(asked) => pools.iter().find(|p| p["id"] == asked || p["name"] == asked),
        None => pools.iter().find(|p| p["is_default"] == true).or(pools.first()),
    };
    let pool = pool.ok_or_else(|| Error::not_found("Floating IP pool not found."))?;
    let wanted = json!({"floatingip": {"floating_network_id": pool["id"]}});
    let made = nova.network_api.call(&ctx, Method::POST, "/v2.0/floatingips", Some((JSON, &wanted))).await;
    let words = asked.map_or_else(String::new, |pool| format!(" in pool {pool}"));
    let made = made.map_err(|refused| match &*refused.name {
        "OverQuota" => Error::forbidden(format!("IP allocation over quota{words}.")),
        "IpAddressGenerationFailure" => Error::not_found(match asked {
            Some(pool) => format!("No more floating IPs in pool {pool}."),
            None => "No more floating IPs available.".into(),
        }),
        _ => refused.into(),
    })?;
    answer(&nova, &ctx, &made["floatingip"]).await
}

pub async fn delete(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    crate::query::before(&ctx, PROXIES_GONE)?;
    find(&nova, &ctx, &id).await?;
    nova.network_api.call(&ctx, Method::DELETE, &format!("/v2.0/floatingips/{id}"), None).await?;
    Ok(no_content(202))
}
