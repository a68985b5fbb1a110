//! `/v2.1/servers/{id}`: show, update, delete; and what the views of servers share.

use std::collections::HashMap;
use std::sync::Arc;

use base::Ctx;
use db::Conn;
use neutron::{Neutron, OfServer};
use serde_json::{Value, json};
use web::{Caller, Json, Origin, Path, Response, Result, State, no_content};

use super::view::{self, Around, Ports, Shape, View};
use super::{Server, TaskState, VmState, policy, rules, store};
use crate::block_devices::store as devices;
use crate::instance_actions::store as actions;
use crate::links::Links;
use crate::schema::{self, Field, Kind, PRINTABLE};
use crate::{BOOT_DRIVE, Nova};

impl Nova {
    /// The ports of these servers, in one question to Neutron.
    pub(crate) async fn ports(&self, servers: &[Server]) -> base::Result<Ports> {
        let asked: Vec<OfServer<'_>> = servers.iter().map(Server::of_ports).collect();
        if asked.is_empty() { Ok(Ports::new()) } else { self.neutron.ports_of(&asked).await }
    }

    /// The JSON text of these servers in detail, with `more` behind them.
    pub(crate) async fn detailed(
        &self,
        conn: &mut Conn,
        ctx: &Ctx,
        links: &Links,
        servers: &[Server],
        ports: &Ports,
        more: Option<Value>,
    ) -> base::Result<Vec<u8>> {
        #[derive(serde::Serialize)]
        struct Listing<'a> {
            servers: Vec<View<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            servers_links: Option<Value>,
        }
        let around = self.surroundings(conn, ctx, servers).await?;
        let mut host_ids: HashMap<(&str, Option<&str>), String> = HashMap::new();
        for server in servers {
            let key = (server.project_id.as_str(), server.host.as_deref());
            host_ids.entry(key).or_insert_with(|| view::host_id(key.0, key.1));
        }
        let views = servers.iter().map(|server| {
            let host_id = host_ids.get(&(server.project_id.as_str(), server.host.as_deref()));
            View {
                ctx,
                links,
                server,
                around: around.of(server, ports, host_id.map_or("", String::as_str), false),
                shape: Shape::Whole,
            }
        });
        let listing = Listing { servers: views.collect(), servers_links: more };
        serde_json::to_vec(&listing).map_err(base::Error::internal)
    }

    async fn surroundings(
        &self,
        conn: &mut Conn,
        ctx: &Ctx,
        servers: &[Server],
    ) -> base::Result<Surroundings> {
        let ids: Vec<&str> = servers.iter().map(|s| s.id.as_str()).collect();
        let volumes = devices::shown(conn, &ids).await?;
        let mut user_data = HashMap::new();
        let mut host_status = "UP";
        if ctx.is_admin() {
            if ctx.at_least(2, 3) {
                let ids: Vec<String> = servers.iter().map(|s| s.id.clone()).collect();
                user_data = store::user_data(conn, &ids).await?.into_iter().collect();
            }
            host_status = match self.host_row(conn).await? {
                Some(host) if host.forced_down => "DOWN",
                Some(host) if host.disabled => "MAINTENANCE",
                _ => "UP",
            };
        }
        Ok(Surroundings { zone: self.zone(conn).await?, host_status, user_data, volumes })
    }

    pub(crate) async fn one(
        &self,
        ctx: &Ctx,
        links: &Links,
        server: &Server,
        shape: Shape,
    ) -> base::Result<Value> {
        let servers = std::slice::from_ref(server);
        let mut conn = self.db.read().await?;
        let ports = Neutron::ports_within(&mut conn, &[server.of_ports()]).await?;
        let around = self.surroundings(&mut conn, ctx, servers).await?;
        let host_id = view::host_id(&server.project_id, server.host.as_deref());
        let around = around.of(server, &ports, &host_id, true);
        serde_json::to_value(View { ctx, links, server, around, shape }).map_err(base::Error::internal)
    }
}

/// What the views of several servers share.
struct Surroundings {
    zone: String,
    host_status: &'static str,
    /// By server, for admins.
    user_data: HashMap<String, String>,
    volumes: devices::Volumes,
}

impl Surroundings {
    fn of<'a>(&'a self, server: &'a Server, ports: &'a Ports, host_id: &'a str, groups: bool) -> Around<'a> {
        Around {
            ports: ports.get(&server.id).map_or(&[], Vec::as_slice),
            volumes: self.volumes.get(&server.id).map_or(&[], Vec::as_slice),
            user_data: self.user_data.get(&server.id).map(String::as_str),
            groups,
            zone: shown_zone(server, &self.zone),
            host_status: self.host_status,
            host_id,
            boot_drive: BOOT_DRIVE,
        }
    }
}

/// The zone of the server's host; before it has one, the zone that was asked for.
fn shown_zone<'a>(server: &'a Server, zone: &'a str) -> &'a str {
    match server.host {
        Some(_) => zone,
        None => server.pinned_zone.as_deref().unwrap_or(""),
    }
}

pub async fn show(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    origin: Origin,
) -> Result<Response> {
    let server = store::find(&mut *nova.db.read().await?, &ctx, &id).await?;
    let body = nova.one(&ctx, &Links::new(&origin), &server, Shape::Whole).await?;
    Ok(web::json(200, &json!({"server": body})))
}

const UPDATE: &[Field] = &[
    Field::new("name", Kind::Name),
    Field::new("OS-DCF:diskConfig", Kind::Enum(&["AUTO", "MANUAL"])),
    Field::new("accessIPv4", Kind::OneOf(&[Kind::Ipv4, Kind::Enum(&[""])])),
    Field::new("accessIPv6", Kind::OneOf(&[Kind::Ipv6, Kind::Enum(&[""])])),
    Field::new("description", Kind::TextOrNull(0, 255, PRINTABLE, "")).from(19),
    Field::new("hostname", Kind::Label).from(90).until(93),
    Field::new(
        "hostname",
        Kind::Text(1, 255, |c| c.is_ascii_alphanumeric() || "-._".contains(c), "^[a-zA-Z0-9-._]*$"),
    )
    .from(94),
    Field::new("pinned_availability_zone", Kind::TextOrNull(1, 255, schema::ANY_CHAR, "")).from(104),
];

pub async fn update(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    origin: Origin,
    Json(body): Json<Value>,
) -> Result<Response> {
    let fields = schema::body(&body, "server", UPDATE, ctx.microversion.minor)?;
    let text = |key: &str| fields.get(key).and_then(Value::as_str).map(str::to_owned);
    let address = |key: &str| text(key).and_then(|t| super::create::parse::canonical(&t));
    let zone = nova.zone(&mut nova.db.read().await?).await?;
    let server = db::write!(nova.db, |tx| {
        let mut server = store::find(tx, &ctx, &id).await?;
        ctx.authorize(&policy::UPDATE, Some(&server.project_id))?;
        if let Some(name) = text("name") {
            server.name = name;
        }
        if fields.contains_key("pinned_availability_zone") {
            rules::pin(&mut server, text("pinned_availability_zone"), &zone)?;
        }
        if fields.contains_key("description") {
            server.description = text("description");
        }
        if let Some(hostname) = text("hostname") {
            server.hostname = hostname;
        }
        if fields.contains_key("accessIPv4") {
            server.access_ipv4 = address("accessIPv4");
        }
        if fields.contains_key("accessIPv6") {
            server.access_ipv6 = address("accessIPv6");
        }
        if let Some(config) = text("OS-DCF:diskConfig") {
            server.disk_config = config;
        }
        store::save(tx, &ctx, "server.update", &server).await?;
        store::find(tx, &ctx, &id).await
    })?;
    let body = nova.one(&ctx, &Links::new(&origin), &server, Shape::Update).await?;
    Ok(web::json(200, &json!({"server": body})))
}

pub async fn delete(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    request_delete(&nova, &ctx, &id, &policy::DELETE, nova.config.reclaim.is_some()).await?;
    Ok(no_content(204))
}

/// Writes the wish; it replaces whatever was wished before. A soft one is for servers that can come back.
pub(super) async fn request_delete(
    nova: &Nova,
    ctx: &Ctx,
    id: &str,
    policy: &base::Policy,
    soft: bool,
) -> base::Result<()> {
    db::write!(nova.db, |tx| {
        let mut server = store::find(tx, ctx, id).await?;
        ctx.authorize(policy, Some(&server.project_id))?;
        rules::check_lock(ctx, &server)?;
        let soft = soft && rules::can_come_back(&server);
        let wish = if soft { TaskState::SoftDeleting } else { TaskState::Deleting };
        let is_deleted_softly =
            soft && server.vm_state == VmState::SoftDeleted && server.task_state.is_none();
        if is_deleted_softly
            || server.task_state == Some(wish)
            || server.task_state == Some(TaskState::Deleting)
        {
            return Ok(());
        }
        server.task_state = Some(wish);
        server.attempts = 0;
        store::save(tx, ctx, "server.delete", &server).await?;
        actions::start(tx, ctx, id, &server.project_id, "delete").await
    })?;
    nova.preempt(id);
    nova.waker.wake(id);
    Ok(())
}
