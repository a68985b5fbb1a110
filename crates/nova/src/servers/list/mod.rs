//! `GET /v2.1/servers` and `/v2.1/servers/detail`: filters, sorting, pages.
//!
//! What SQL can decide by itself it decides (project, deletion, exact columns); patterns and addresses are matched
//! here. Without any of the latter, and in the usual order, the page too is cut in SQL.

mod matching;
mod query;
mod store;

use std::cmp::Ordering;
use std::sync::Arc;

use base::{Ctx, Error, Page};
use serde_json::{Value, json};
use web::{Caller, Origin, Params, Response, Result, State};

use self::matching::{compare, matches};
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

async fn find(nova: &Nova, ctx: &Ctx, params: &Params) -> base::Result<Found> {
    let query = query::parse(ctx, params)?;
    let page = crate::query::page(params)?;
    let limit = page.limit.unwrap_or(MAX_LIMIT).min(MAX_LIMIT);
    let no_marker =
        || Error::bad_request(format!("marker [{}] not found", page.marker.clone().unwrap_or_default()));
    let mut after = None;
    if let (true, Some(marker)) = (query.is_plain(), &page.marker) {
        let mut conn = nova.db.read().await?;
        let last = super::store::get(&mut conn, marker).await?.filter(|s| ctx.owns(&s.project_id));
        after = Some(last.ok_or_else(no_marker)?);
    }
    let (mut servers, zone) = {
        let mut conn = nova.db.read().await?;
        let cut = query.is_plain().then_some(limit + 1);
        let rows = store::rows(&mut conn, &query, after.as_ref(), cut).await?;
        (rows, nova.zone(&mut conn).await?)
    };
    if query.is_plain() {
        let more = servers.len() > limit;
        servers.truncate(limit);
        return Ok(Found { servers, more: more && limit > 0, ports: None });
    }
    servers.retain(|s| matches(&query, s, &zone));
    let mut ports = None;
    if !query.addresses.is_empty() {
        let all = nova.ports(&servers).await?;
        servers.retain(|s| {
            let ips = all.get(&s.id).into_iter().flatten().flat_map(|p| &p.fixed_ips);
            let texts: Vec<String> = ips
                .flat_map(|ip| [Some(ip.address.to_string()), ip.floating.map(|f| f.to_string())])
                .flatten()
                .collect();
            query.addresses.iter().all(|pattern| texts.iter().any(|text| pattern.is_match(text)))
        });
        ports = Some(all);
    }
    servers.sort_by(|a, b| {
        query.sort.iter().fold(Ordering::Equal, |order, (key, descending)| {
            let next = compare(key, a, b);
            order.then(if *descending { next.reverse() } else { next })
        })
    });
    let cut = Page { limit: Some(limit), marker: page.marker.clone(), ..Page::default() };
    let (servers, more) = cut.cut(servers, MAX_LIMIT, |s| &s.id).ok_or_else(no_marker)?;
    Ok(Found { servers, more: more && limit > 0, ports })
}

fn listing(params: &Params, origin: &Origin, views: &[Value], found: &Found) -> Response {
    let mut body = json!({"servers": views});
    if let (true, Some(last)) = (found.more, found.servers.last()) {
        body["servers_links"] = web::next_link(params, &origin.0, &last.id);
    }
    web::json(200, &body)
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
    Ok(listing(&params, &origin, &views, &found))
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
    let views = nova.detailed(&ctx, &Links::new(&origin), &found.servers, &ports).await?;
    Ok(listing(&params, &origin, &views, &found))
}
