//! `GET /v2.1/servers` and `/v2.1/servers/detail`: filters, sorting, pages.
//!
//! What SQL can decide by itself it decides (project, deletion, status, exact columns); patterns and addresses are
//! matched here, batch by batch, so that a page costs what it shows and not what there is. An order that is not by age
//! is made here of all rows.

mod keys;
mod matching;
mod query;
mod store;

use std::cmp::Ordering;
use std::sync::Arc;

use base::{Ctx, Error, Page};
use db::{Conn, Reads};
use neutron::Neutron;
use serde_json::{Value, json};
use web::{Answers, Caller, Origin, Params, Response, Result, State};

use self::matching::{compare, matches};
use self::query::Query;
use super::Server;
use super::view::{self, Ports};
use crate::Nova;
use crate::links::Links;
use crate::query::MAX_LIMIT;
struct Found {
    servers: Vec<Server>,
    more: bool,
    /// Of all servers found, when they were needed to filter by address.
    ports: Option<Ports>,
}

/// Rows that are read at a time when not every one of them is wanted.
const BATCH: usize = 500;

async fn find(nova: &Nova, conn: &mut Conn, ctx: &Ctx, params: &Params) -> base::Result<Found> {
    let query = query::parse(ctx, params)?;
    let page = crate::query::page(params)?;
    let limit = page.limit.unwrap_or(MAX_LIMIT).min(MAX_LIMIT);
    if query.sort.is_empty() {
        by_age(nova, conn, ctx, &query, &page, limit).await
    } else {
        sorted(nova, conn, &query, &page, limit).await
    }
}

fn no_marker(page: &Page) -> Error {
    Error::bad_request(format!("marker [{}] not found", page.marker.clone().unwrap_or_default()))
}

/// SQL has the order: it is read until the page is full, and no further.
async fn by_age(
    nova: &Nova,
    conn: &mut Conn,
    ctx: &Ctx,
    query: &Query,
    page: &Page,
    limit: usize,
) -> base::Result<Found> {
    let mut after = None;
    if let Some(marker) = &page.marker {
        let last = super::store::get(conn, marker).await?;
        after = Some(last.filter(|s| ctx.owns(&s.project_id)).ok_or_else(|| no_marker(page))?);
    }
    let size = if query.is_plain() { limit + 1 } else { BATCH };
    let zone = if query.is_plain() { String::new() } else { nova.zone(conn).await? };
    let mut servers: Vec<Server> = Vec::new();
    let mut ports = (!query.addresses.is_empty()).then(Ports::new);
    loop {
        let mut batch = store::rows(conn, query, after.as_ref(), Some(size)).await?;
        let is_last = batch.len() < size;
        if !query.is_plain() {
            after = batch.last().cloned();
            batch.retain(|s| matches(query, s, &zone));
            if let Some(ports) = &mut ports {
                ports.extend(at_address(conn, query, &mut batch).await?);
            }
        }
        servers.extend(batch);
        if is_last || servers.len() > limit {
            break;
        }
    }
    let more = servers.len() > limit && limit > 0;
    servers.truncate(limit);
    Ok(Found { servers, more, ports })
}

/// Any other order is made here, of all servers that the query means.
async fn sorted(
    nova: &Nova,
    conn: &mut Conn,
    query: &Query,
    page: &Page,
    limit: usize,
) -> base::Result<Found> {
    let mut servers = store::rows(conn, query, None, None).await?;
    let zone = nova.zone(conn).await?;
    servers.retain(|s| matches(query, s, &zone));
    let mut ports = None;
    if !query.addresses.is_empty() {
        ports = Some(at_address(conn, query, &mut servers).await?);
    }
    servers.sort_by(|a, b| {
        query.sort.iter().fold(Ordering::Equal, |order, (key, descending)| {
            let next = compare(key, a, b);
            order.then(if *descending { next.reverse() } else { next })
        })
    });
    let cut = Page { limit: Some(limit), marker: page.marker.clone(), ..Page::default() };
    let (servers, more) = cut.cut(servers, MAX_LIMIT, |s| &s.id).ok_or_else(|| no_marker(page))?;
    Ok(Found { servers, more: more && limit > 0, ports })
}

/// Keeps the servers with an address that every pattern fits; the answer is their ports.
async fn at_address(conn: &mut Conn, query: &Query, servers: &mut Vec<Server>) -> base::Result<Ports> {
    let all = ports(conn, servers).await?;
    servers.retain(|s| {
        let ips = all.get(&s.id).into_iter().flatten().flat_map(|p| &p.fixed_ips);
        let texts: Vec<String> = ips
            .flat_map(|ip| [Some(ip.address.to_string()), ip.floating.map(|f| f.to_string())])
            .flatten()
            .collect();
        query.addresses.iter().all(|pattern| texts.iter().any(|text| pattern.is_match(text)))
    });
    Ok(all)
}

/// The link to the next page, if there is one.
fn next(params: &Params, origin: &Origin, found: &Found) -> Option<Value> {
    let last = found.servers.last().filter(|_| found.more)?;
    Some(web::next_link(params, &origin.0, &last.id))
}

async fn ports(conn: &mut Conn, servers: &[Server]) -> base::Result<Ports> {
    let asked: Vec<_> = servers.iter().map(Server::of_ports).collect();
    Neutron::ports_within(conn, &asked).await
}

pub async fn list(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    params: Params,
    origin: Origin,
) -> Result<Response> {
    remembered(&nova, &ctx, &params, &origin, async |conn: &mut Conn| {
        let found = find(&nova, conn, &ctx, &params).await?;
        let links = Links::new(&origin);
        let views: Vec<Value> = found.servers.iter().map(|s| view::brief(&links, s)).collect();
        let mut body = json!({"servers": views});
        if let Some(next) = next(&params, &origin, &found) {
            body["servers_links"] = next;
        }
        serde_json::to_vec(&body).map_err(Error::internal)
    })
    .await
}

pub async fn detail(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    params: Params,
    origin: Origin,
) -> Result<Response> {
    remembered(&nova, &ctx, &params, &origin, async |conn: &mut Conn| {
        let mut found = find(&nova, conn, &ctx, &params).await?;
        let ports = match found.ports.take() {
            Some(ports) => ports,
            None => ports(conn, &found.servers).await?,
        };
        let next = next(&params, &origin, &found);
        nova.detailed(conn, &ctx, &Links::new(&origin), &found.servers, &ports, next).await
    })
    .await
}

/// Whoever waits for a server polls a list; it is made again when a row has changed that it was made of.
async fn remembered(
    nova: &Nova,
    ctx: &Ctx,
    params: &Params,
    origin: &Origin,
    make: impl AsyncFnOnce(&mut Conn) -> base::Result<Vec<u8>>,
) -> Result<Response> {
    let key = Answers::<Reads>::key(ctx, &origin.0, params);
    if let Some(answer) = nova.answers.get(&key, Reads::hold) {
        return Ok(web::raw_json(200, answer));
    }
    let mut conn = nova.db.read_recorded().await?;
    let answer = make(&mut conn).await?;
    let reads = conn.reads();
    drop(conn);
    Ok(web::raw_json(200, nova.answers.put(key, reads, answer)))
}
