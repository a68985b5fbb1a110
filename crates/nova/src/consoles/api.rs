//! `POST /v2.1/servers/{id}/remote-consoles`, the older actions, and `/os-console-auth-tokens`

use std::sync::Arc;

use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Caller, Json, Origin, Path, Response, Result, State};

use super::store::{self, Grant};
use super::{Kind as Console, TOKEN_MICROS, policy};
use crate::Nova;
use crate::schema::{self, Field, Kind};
use crate::servers;

const TYPES: &[&str] = &["novnc", "xvpvnc", "spice-html5", "serial", "rdp-html5"];
const TYPES_FROM_8: &[&str] = &["novnc", "xvpvnc", "spice-html5", "serial", "rdp-html5", "webmks"];
const TYPES_FROM_99: &[&str] =
    &["novnc", "xvpvnc", "spice-html5", "serial", "rdp-html5", "webmks", "spice-direct"];
const CREATE: &[Field] = &[
    Field::new("protocol", Kind::Enum(&["vnc", "spice", "serial", "rdp"])).until(7).required(),
    Field::new("protocol", Kind::Enum(&["vnc", "spice", "serial", "rdp", "mks"])).from(8).required(),
    Field::new("type", Kind::Enum(TYPES)).until(7).required(),
    Field::new("type", Kind::Enum(TYPES_FROM_8)).from(8).until(98).required(),
    Field::new("type", Kind::Enum(TYPES_FROM_99)).from(99).required(),
];

/// A console of this protocol and type, or why there is none.
fn console(protocol: &str, kind: &str) -> base::Result<Console> {
    let unavailable = |what: &str| Error::bad_request(format!("Unavailable console type {what}."));
    match (protocol, kind) {
        ("vnc", "novnc") => Ok(Console::Vnc),
        ("serial", "serial") => Ok(Console::Serial),
        ("rdp", _) => Err(unavailable("rdp")),
        ("vnc", "xvpvnc") | ("spice" | "mks", _) => Err(unavailable(kind)),
        _ => Err(Error::bad_request(format!("Invalid console type {kind}"))),
    }
}

/// The URL of a new console of a server that runs.
async fn open(nova: &Nova, ctx: &Ctx, origin: &Origin, id: &str, kind: Console) -> base::Result<String> {
    let server = servers::store::find(&mut *nova.db.read().await?, ctx, id).await?;
    ctx.authorize(&policy::CREATE, Some(&server.project_id))?;
    if server.host.is_none() || server.launched_at.is_none() {
        return Err(Error::conflict(format!("Instance {id} is not ready")));
    }
    if let Some(task @ servers::TaskState::Deleting) = server.task_state {
        let action = format!("get_{}_console", if kind == Console::Vnc { "vnc" } else { "serial" });
        return Err(servers::rules::wrong(&server, &action, "task_state", task.as_str()));
    }
    // 256 bits that nobody guesses.
    let token = format!("{}{}", base::id::hex(), base::id::hex());
    let now = base::time::now();
    let grant = Grant { server_id: server.id, kind };
    store::insert(&nova.db, &token, &grant, now, now + TOKEN_MICROS).await?;
    Ok(kind.url(&origin.0, &token))
}

pub async fn create(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    origin: Origin,
    Json(body): Json<Value>,
) -> Result<Response> {
    crate::query::since(&ctx, 6)?;
    let fields = schema::body(&body, "remote_console", CREATE, ctx.microversion.minor)?;
    let text = |key: &str| fields[key].as_str().unwrap_or_default();
    // Of a server that is not there nothing is said but that.
    servers::store::find(&mut *nova.db.read().await?, &ctx, &id).await?;
    let kind = console(text("protocol"), text("type"))?;
    let url = open(&nova, &ctx, &origin, &id, kind).await?;
    let answer = json!({"protocol": text("protocol"), "type": text("type"), "url": url});
    Ok(web::json(200, &json!({"remote_console": answer})))
}

const VNC: &[Field] = &[Field::new("type", Kind::Enum(&["novnc", "xvpvnc"])).required()];
const SPICE: &[Field] = &[Field::new("type", Kind::Enum(&["spice-html5"])).required()];
const SERIAL: &[Field] = &[Field::new("type", Kind::Enum(&["serial"])).required()];

/// os-getVNCConsole and its like, until 2.5.
pub(crate) async fn legacy(
    nova: &Nova,
    ctx: &Ctx,
    origin: &Origin,
    id: &str,
    action: &str,
    body: &Value,
) -> Result<Response> {
    crate::query::before(ctx, 6)?;
    let (protocol, fields) = match action {
        "os-getVNCConsole" => ("vnc", VNC),
        "os-getSPICEConsole" => ("spice", SPICE),
        "os-getSerialConsole" => ("serial", SERIAL),
        _ => return Err(Error::bad_request("RDP consoles are not supported any more.").into()),
    };
    let fields = schema::body(body, action, fields, ctx.microversion.minor)?;
    let kind = fields["type"].as_str().unwrap_or_default();
    servers::store::find(&mut *nova.db.read().await?, ctx, id).await?;
    let url = open(nova, ctx, origin, id, console(protocol, kind)?).await?;
    Ok(web::json(200, &json!({"console": {"type": kind, "url": url}})))
}

/// Where a token leads to: this address, since consoles are served by it.
pub async fn show_token(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(token): Path<String>,
    Origin(origin): Origin,
) -> Result<Response> {
    if !ctx.at_least(2, 31) {
        // Until 2.30 this was for RDP consoles only.
        return Err(Error::bad_request(
            "The server could not comply with the request since it is either malformed or otherwise incorrect.",
        )
        .into());
    }
    let grant = store::find(&mut *nova.db.read().await?, &token, base::time::now()).await?;
    let grant = grant.ok_or_else(|| Error::not_found("Token not found"))?;
    let (scheme, authority) = origin.split_once("://").unwrap_or(("http", &origin));
    let (host, port) = match authority.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>())) {
        Some((host, Ok(port))) => (host, port),
        _ => (authority, if scheme == "https" { 443 } else { 80 }),
    };
    let console = json!({
        "instance_uuid": grant.server_id, "host": host, "port": port, "internal_access_path": null,
    });
    Ok(web::json(200, &json!({"console": console})))
}
