//! `/v2.1/servers/{id}/os-interface`: the server's ports; more of them and fewer while it lives.

use std::net::IpAddr;
use std::sync::Arc;

use base::{Ctx, Error, Kind as Fault};
use neutron::{AllocatePort, PortView};
use serde_json::{Value, json};
use web::{Caller, Json, Path, Response, Result, State, no_content};

use super::network_api::ports_of;
use super::reconcile::acting_for;
use super::{Nic, Server, VmState, policy, rules, store};
use crate::Nova;
use crate::instance_actions::store as actions;
use crate::schema::{self, Field, Kind, TAG};

fn view(ctx: &Ctx, port: &PortView, tag: Option<&str>) -> Value {
    let ips: Vec<Value> = port
        .fixed_ips
        .iter()
        .map(|ip| json!({"subnet_id": ip.subnet_id, "ip_address": ip.address.to_string()}))
        .collect();
    let mut out = json!({
        "net_id": port.network_id,
        "port_id": port.id,
        "mac_addr": port.mac,
        "port_state": port.status,
        "fixed_ips": ips,
    });
    if ctx.at_least(2, 70) {
        out["tag"] = json!(tag);
    }
    out
}

pub async fn list(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    let (_, ports) = ports_of(&nova, &ctx, &id).await?;
    let spec = store::spec(&mut *nova.db.read().await?, &id).await?;
    let tag = |port: &PortView| spec.nics.iter().find(|n| n.port_id.as_ref() == Some(&port.id))?.tag.clone();
    let views: Vec<Value> = ports.iter().map(|p| view(&ctx, p, tag(p).as_deref())).collect();
    Ok(web::json(200, &json!({"interfaceAttachments": views})))
}

fn answer(ctx: &Ctx, port: &PortView, tag: Option<&str>) -> Response {
    web::json(200, &json!({"interfaceAttachment": view(ctx, port, tag)}))
}

pub async fn show(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, port_id)): Path<(String, String)>,
) -> Result<Response> {
    let (_, ports) = ports_of(&nova, &ctx, &id).await?;
    let port = ports
        .iter()
        .find(|p| p.id == port_id)
        .ok_or_else(|| Error::not_found(format!("Instance {id} does not have a port with id {port_id}")))?;
    let spec = store::spec(&mut *nova.db.read().await?, &id).await?;
    let nic = spec.nics.iter().find(|n| n.port_id.as_ref() == Some(&port_id));
    Ok(answer(&ctx, port, nic.and_then(|n| n.tag.as_deref())))
}

const FIXED_IP: &[Field] = &[Field::new("ip_address", Kind::Ip).required()];
const ATTACHMENT: &[Field] = &[
    Field::new("net_id", Kind::Uuid),
    Field::new("port_id", Kind::UuidOrNull),
    Field::new("fixed_ips", Kind::List(&Kind::Object(FIXED_IP), 1, 1)),
    Field::new("tag", TAG).from(49),
];

/// States in which cards come and go.
const RESTING: &[VmState] = &[VmState::Active, VmState::Paused, VmState::Stopped];

/// What a client asks to attach.
#[derive(Default)]
struct Wanted {
    network: Option<String>,
    port: Option<String>,
    address: Option<IpAddr>,
    tag: Option<String>,
}

fn parse(ctx: &Ctx, body: &Value) -> base::Result<Wanted> {
    let root = schema::root(body, &["interfaceAttachment"])?;
    let Some(inner) = root.get("interfaceAttachment") else { return Ok(Wanted::default()) };
    schema::check(&Kind::Object(ATTACHMENT), inner, "interfaceAttachment", ctx.microversion.minor)?;
    let text = |key: &str| inner[key].as_str().map(str::to_owned);
    let wanted = Wanted {
        network: text("net_id"),
        port: text("port_id"),
        address: inner["fixed_ips"][0]["ip_address"].as_str().and_then(|a| a.parse().ok()),
        tag: text("tag"),
    };
    if wanted.network.is_some() && wanted.port.is_some() {
        return Err(Error::bad_request("Must not input both network_id and port_id"));
    }
    if wanted.address.is_some() && wanted.network.is_none() {
        return Err(Error::bad_request("Must input network_id when request IP address"));
    }
    Ok(wanted)
}

async fn seen(nova: &Nova, ctx: &Ctx, id: &str, policy: &base::Policy, action: &str) -> base::Result<Server> {
    let server = store::find(&mut *nova.db.read().await?, ctx, id).await?;
    ctx.authorize(policy, Some(&server.project_id))?;
    rules::check_lock(ctx, &server)?;
    rules::check_state(&server, action, RESTING)?;
    Ok(server)
}

/// A port of the server's from now on: the given one, or a new one in a network that the caller may use.
async fn connect(nova: &Nova, ctx: &Ctx, server: &Server, wanted: &Wanted) -> base::Result<PortView> {
    let zone = nova.zone(&mut nova.db.read().await?).await?;
    let acting = acting_for(server);
    if let Some(id) = &wanted.port {
        let port = nova.neutron.port(ctx, id).await.map_err(|e| match e.kind {
            Fault::NotFound => Error::not_found(format!("Port id {id} could not be found.")),
            _ => e,
        })?;
        if !port.device_id.is_empty() {
            return Err(Error::conflict(format!("Port {id} is still in use.")));
        }
        if port.project_id != server.project_id {
            return Err(Error::bad_request(format!("Port {id} not usable for instance {}.", server.id)));
        }
        if port.fixed_ips.is_empty() {
            return Err(Error::bad_request(format!("Port {id} requires a FixedIP in order to be used.")));
        }
        return nova.neutron.bind_port(&acting, id, &server.id, &server.hostname, &zone).await;
    }
    let network_id = match &wanted.network {
        Some(id) => {
            let network = nova.neutron.network(ctx, id).await.map_err(|e| match e.kind {
                Fault::NotFound => Error::not_found(format!("Network {id} could not be found.")),
                _ => e,
            })?;
            if network.external && !network.shared && !ctx.is_admin() {
                return Err(Error::forbidden(format!(
                    "It is not allowed to create an interface on external network {id}"
                )));
            }
            id.clone()
        }
        None => match &nova.neutron.default_networks(&acting).await?[..] {
            [] => {
                return Err(Error::bad_request(format!(
                    "No specific network was requested and none are available for project '{}'.",
                    server.project_id
                )));
            }
            [only] => only.id.clone(),
            _ => {
                return Err(Error::bad_request(
                    "More than one possible network found. Specify network ID(s) to select which one(s) to \
                     connect to.",
                ));
            }
        },
    };
    let request = AllocatePort {
        network_id: network_id.clone(),
        fixed_ip: wanted.address,
        security_groups: Vec::new(),
        server_id: server.id.clone(),
        hostname: server.hostname.clone(),
        availability_zone: zone,
    };
    nova.neutron.allocate_port(&acting, request).await.map_err(|e| match e.code {
        "OverQuota" => Error::forbidden("Maximum number of ports exceeded"),
        "IpAddressGenerationFailure" => {
            Error::bad_request(format!("No fixed IP addresses available for network: {network_id}"))
        }
        _ => e,
    })
}

/// The port is nobody's again; one that was made for the server is gone.
async fn disconnect(nova: &Nova, server: &Server, port: &PortView) -> base::Result<()> {
    let acting = acting_for(server);
    if port.created_by_nova {
        nova.neutron.delete_port(&acting, &port.id).await
    } else {
        nova.neutron.unbind_port(&acting, &port.id).await
    }
}

pub async fn attach(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    body: Option<Json<Value>>,
) -> Result<Response> {
    let body = body.map_or_else(|| json!({}), |Json(body)| body);
    let wanted = parse(&ctx, &body)?;
    let server = seen(&nova, &ctx, &id, &policy::INTERFACE_CREATE, "attach_interface").await?;
    begin(&nova, &ctx, &server, "attach_interface").await?;
    let attached = insert(&nova, &ctx, &server, &wanted).await;
    end(&nova, &ctx, &id, attached.as_ref().err()).await?;
    let port = attached?;
    let port = ports_of(&nova, &ctx, &id).await?.1.into_iter().find(|p| p.id == port.id).unwrap_or(port);
    Ok(answer(&ctx, &port, wanted.tag.as_deref()))
}

/// An action that is under way when the daemon dies tells the next one whose cards to look at.
async fn begin(nova: &Nova, ctx: &Ctx, server: &Server, action: &str) -> base::Result<()> {
    db::write!(nova.db, |tx| actions::start(tx, ctx, &server.id, &server.project_id, action).await)
}

async fn end(nova: &Nova, ctx: &Ctx, id: &str, error: Option<&Error>) -> base::Result<()> {
    let told = error.map(|e| (&*e.message, &*e.message));
    db::write!(nova.db, |tx| actions::end(tx, id, &ctx.request_id, told).await)
}

async fn insert(nova: &Nova, ctx: &Ctx, server: &Server, wanted: &Wanted) -> base::Result<PortView> {
    let port = connect(nova, ctx, server, wanted).await?;
    let nic = Nic {
        network_id: port.network_id.clone(),
        port_id: Some(port.id.clone()),
        fixed_ip: None,
        tag: wanted.tag.clone(),
    };
    // The row first: a machine that is started again has the card, whatever happens to this one.
    let written = db::write!(nova.db, |tx| {
        // A deletion that came meanwhile has not seen the port and will not look again.
        rules::check_state(&store::find(tx, ctx, &server.id).await?, "attach_interface", RESTING)?;
        let mut spec = store::spec(tx, &server.id).await?;
        spec.nics.push(nic.clone());
        store::save_spec(tx, &server.id, &spec).await
    });
    let plugged = match written {
        Ok(()) => nova.plug(server, &port).await,
        Err(error) => Err(error),
    };
    if let Err(error) = plugged {
        forget(nova, &server.id, &port.id).await?;
        disconnect(nova, server, &port).await?;
        return Err(error);
    }
    Ok(port)
}

async fn forget(nova: &Nova, id: &str, port: &str) -> base::Result<()> {
    db::write!(nova.db, |tx| {
        let mut spec = store::spec(tx, id).await?;
        spec.nics.retain(|nic| nic.port_id.as_deref() != Some(port));
        store::save_spec(tx, id, &spec).await
    })
}

/// Every step may be the last before a kill and may be done again by the same call.
pub async fn detach(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, port_id)): Path<(String, String)>,
) -> Result<Response> {
    let server = seen(&nova, &ctx, &id, &policy::INTERFACE_DELETE, "detach_interface").await?;
    let port = ports_of(&nova, &ctx, &id).await?.1.into_iter().find(|p| p.id == port_id);
    let port = port.ok_or_else(|| Error::not_found(format!("Port id {port_id} could not be found.")))?;
    begin(&nova, &ctx, &server, "detach_interface").await?;
    let removed = remove(&nova, &server, &port).await;
    end(&nova, &ctx, &id, removed.as_ref().err()).await?;
    removed?;
    Ok(no_content(202))
}

async fn remove(nova: &Nova, server: &Server, port: &PortView) -> base::Result<()> {
    nova.unplug(server, &port.id).await?;
    disconnect(nova, server, port).await?;
    forget(nova, &server.id, &port.id).await
}
