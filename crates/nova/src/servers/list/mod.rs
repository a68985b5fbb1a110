//! `GET /v2.1/servers` and `/v2.1/servers/detail`: filters, sorting, pages.
//!
//! What SQL can decide by itself it decides (project, deletion, status, exact columns); patterns and addresses are
//! matched here, batch by batch, so that a page costs what it shows and not what there is. An order that is not by age
//! is made here of all rows.

mod matching;
mod query;
mod store;

use std::cmp::Ordering;
use std::sync::Arc;

use base::{Ctx, Error, Page};
use serde_json::{Value, json};
use web::{Caller, Origin, Params, Response, Result, State};

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

async fn find(nova: &Nova, ctx: &Ctx, params: &Params) -> base::Result<Found> {
    let query = query::parse(ctx, params)?;
    let page = crate::query::page(params)?;
    let limit = page.limit.unwrap_or(MAX_LIMIT).min(MAX_LIMIT);
    if query.sort.is_empty() {
        by_age(nova, ctx, &query, &page, limit).await
    } else {
        sorted(nova, &query, &page, limit).await
    }
}

fn no_marker(page: &Page) -> Error {
    Error::bad_request(format!("marker [{}] not found", page.marker.clone().unwrap_or_default()))
}

/// SQL has the order: it is read until the page is full, and no further.
async fn by_age(nova: &Nova, ctx: &Ctx, query: &Query, page: &Page, limit: usize) -> base::Result<Found> {
    let mut after = None;
    if let Some(marker) = &page.marker {
        let last = super::store::get(&mut *nova.db.read().await?, marker).await?;
        after = Some(last.filter(|s| ctx.owns(&s.project_id)).ok_or_else(|| no_marker(page))?);
    }
    let size = if query.is_plain() { limit + 1 } else { BATCH };
    let zone = if query.is_plain() { String::new() } else { nova.zone(&mut nova.db.read().await?).await? };
    let mut servers: Vec<Server> = Vec::new();
    let mut ports = (!query.addresses.is_empty()).then(Ports::new);
    loop {
        let mut batch = store::rows(&mut *nova.db.read().await?, query, after.as_ref(), Some(size)).await?;
        let is_last = batch.len() < size;
        if !query.is_plain() {
            after = batch.last().cloned();
            batch.retain(|s| matches(query, s, &zone));
            if let Some(ports) = &mut ports {
                ports.extend(at_address(nova, query, &mut batch).await?);
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
async fn sorted(nova: &Nova, query: &Query, page: &Page, limit: usize) -> base::Result<Found> {
    let (mut servers, zone) = {
        let mut conn = nova.db.read().await?;
        (store::rows(&mut conn, query, None, None).await?, nova.zone(&mut conn).await?)
    };
    servers.retain(|s| matches(query, s, &zone));
    let mut ports = None;
    if !query.addresses.is_empty() {
        ports = Some(at_address(nova, query, &mut servers).await?);
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
async fn at_address(nova: &Nova, query: &Query, servers: &mut Vec<Server>) -> base::Result<Ports> {
    let all = nova.ports(servers).await?;
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

pub async fn list(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    params: Params,
    origin: Origin,
) -> Result<Response> {
    let found = find(&nova, &ctx, &params).await?;
    let links = Links::new(&origin);
    let views: Vec<Value> = found.servers.iter().map(|s| view::brief(&links, s)).collect();
    let mut body = json!({"servers": views});
    if let Some(next) = next(&params, &origin, &found) {
        body["servers_links"] = next;
    }
    Ok(web::json(200, &body))
}

pub async fn detail(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    params: Params,
    origin: Origin,
) -> Result<Response> {
    let mut found = find(&nova, &ctx, &params).await?;
    let ports = match found.ports.take() {
        Some(ports) => ports,
        None => nova.ports(&found.servers).await?,
    };
    let next = next(&params, &origin, &found);
    Ok(nova.detailed(&ctx, &Links::new(&origin), &found.servers, &ports, next).await?)
}
