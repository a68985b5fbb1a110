//! `/v2.1/os-networks` and `/os-tenant-networks`

use std::sync::Arc;

use base::{Ctx, Error};
use http::Method;
use serde_json::{Map, Value, json};
use web::{Caller, Path, Response, Result, State};

use crate::Nova;
use crate::query::PROXIES_GONE;

const FIELDS: &[&str] =
    &["cidr", "netmask", "gateway", "broadcast", "dns1", "dns2", "cidr_v6", "gateway_v6", "netmask_v6"];
const FIELDS_FOR_ADMINS: &[&str] = &[
    "created_at",
    "updated_at",
    "deleted_at",
    "deleted",
    "injected",
    "bridge",
    "vlan",
    "vpn_public_address",
    "vpn_public_port",
    "vpn_private_address",
    "dhcp_start",
    "project_id",
    "host",
    "bridge_interface",
    "multi_host",
    "priority",
    "rxtx_base",
    "mtu",
    "dhcp_server",
    "enable_dhcp",
    "share_address",
];

fn full(ctx: &Ctx, network: &Value) -> Value {
    let more = if ctx.is_admin() { FIELDS_FOR_ADMINS } else { &[] };
    let mut out: Map<String, Value> =
        FIELDS.iter().chain(more).map(|field| ((*field).to_owned(), Value::Null)).collect();
    out.insert("id".into(), network["id"].clone());
    out.insert("label".into(), network["name"].clone());
    Value::Object(out)
}

/// The CIDR has been the text "None" ever since Neutron answers.
fn brief(_: &Ctx, network: &Value) -> Value {
    json!({"id": network["id"], "cidr": "None", "label": network["name"]})
}

type View = fn(&Ctx, &Value) -> Value;

async fn list(nova: &Nova, ctx: &Ctx, view: View) -> Result<Response> {
    crate::query::before(ctx, PROXIES_GONE)?;
    let found = nova.network_api.call(ctx, Method::GET, "/v2.0/networks", None).await?;
    let views: Vec<Value> =
        found["networks"].as_array().into_iter().flatten().map(|n| view(ctx, n)).collect();
    Ok(web::json(200, &json!({"networks": views})))
}

async fn show(nova: &Nova, ctx: &Ctx, id: &str, view: View) -> Result<Response> {
    crate::query::before(ctx, PROXIES_GONE)?;
    let absent = || Error::not_found("Network not found");
    if !base::id::is_uuid(id) {
        return Err(absent().into());
    }
    let found = nova.network_api.call(ctx, Method::GET, &format!("/v2.0/networks/{id}"), None).await;
    let found = found.map_err(|refused| if refused.status == 404 { absent() } else { refused.into() })?;
    Ok(web::json(200, &json!({"network": view(ctx, &found["network"])})))
}

pub async fn networks(State(nova): State<Arc<Nova>>, Caller(ctx): Caller) -> Result<Response> {
    list(&nova, &ctx, full).await
}

pub async fn network(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    show(&nova, &ctx, &id, full).await
}

pub async fn tenant_networks(State(nova): State<Arc<Nova>>, Caller(ctx): Caller) -> Result<Response> {
    list(&nova, &ctx, brief).await
}

pub async fn tenant_network(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    show(&nova, &ctx, &id, brief).await
}
