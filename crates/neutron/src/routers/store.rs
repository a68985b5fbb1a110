use std::collections::HashMap;

use base::{Ctx, Result};
use db::{AnyConnection, Event, Tx};

use super::{FullRouter, Router, SPEC};
use crate::plane::Wakes;
use crate::ports::{self, FullPort, ROUTER_GATEWAY, ROUTER_INTERFACE};
use crate::rows::{self, Where, texts};
use crate::{fault, flavors, quotas, request};

/// Joins routers with their gateways.
pub async fn full(conn: &mut AnyConnection, routers: Vec<Router>) -> Result<Vec<FullRouter>> {
    if routers.is_empty() {
        return Ok(Vec::new());
    }
    let mut conditions = Where::of("device_owner", ROUTER_GATEWAY);
    if routers.len() <= 200 {
        conditions.among("device_id", texts(routers.iter().map(|r| &r.standard.id)));
    }
    let mut gateways: HashMap<String, FullPort> = ports::store::load_where(conn, conditions)
        .await?
        .into_iter()
        .map(|p| (p.port.device_id.clone(), p))
        .collect();
    Ok(routers
        .into_iter()
        .map(|router| FullRouter { gateway: gateways.remove(&router.standard.id), router })
        .collect())
}

pub async fn find(conn: &mut AnyConnection, id: &str) -> Result<Option<FullRouter>> {
    let router: Option<Router> = rows::find(conn, SPEC.table, id).await?;
    Ok(full(conn, router.into_iter().collect()).await?.pop())
}

/// 404 for another project's.
pub async fn visible(conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<FullRouter> {
    let router: Router = request::visible(conn, ctx, id).await?;
    full(conn, vec![router]).await?.pop().ok_or_else(|| fault::router_not_found(id))
}

/// The router's ports on inner networks.
pub async fn interfaces(conn: &mut AnyConnection, id: &str) -> Result<Vec<FullPort>> {
    let mut conditions = Where::of("device_id", id);
    conditions.and("device_owner = ?", [ROUTER_INTERFACE.into()]);
    ports::store::load_where(conn, conditions).await
}

pub async fn create(tx: &mut Tx, ctx: &Ctx, router: &Router) -> Result<()> {
    let s = &router.standard;
    quotas::store::check(tx, &s.project_id, "router", 1).await?;
    if !router.flavor_id.is_empty() {
        flavors::store::for_router(tx, &router.flavor_id).await?;
    }
    rows::insert(tx, SPEC.table, &s.id, router.columns()).await?;
    tx.event(Event::new("network", "router.create", &s.id, &s.project_id, ctx)).await?;
    Ok(())
}

pub async fn update(tx: &mut Tx, ctx: &Ctx, router: &Router, seen: i64) -> Result<()> {
    let s = &router.standard;
    rows::update(tx, SPEC.table, &s.id, seen, router.columns()).await?;
    tx.event(Event::new("network", "router.update", &s.id, &s.project_id, ctx)).await?;
    Ok(())
}

/// Deletes it with its gateway; refused while it has interfaces.
pub async fn delete(tx: &mut Tx, ctx: &Ctx, full: &FullRouter) -> Result<Wakes> {
    let s = &full.router.standard;
    let interfaces = interfaces(tx, &s.id).await?;
    if !interfaces.is_empty() {
        let ids: Vec<&str> = interfaces.iter().map(|p| p.port.standard.id.as_str()).collect();
        return Err(fault::conflict(
            "RouterInUse",
            format!("Router {} has ports still attached: {}", s.id, ids.join(", ")),
        ));
    }
    let mut wakes = Wakes::router(&s.id);
    if let Some(gateway) = &full.gateway {
        ports::store::remove(tx, &gateway.port.standard.id).await?;
        wakes.networks.insert(gateway.port.network_id.clone());
    }
    rows::delete(tx, SPEC.table, &s.id).await?;
    tx.event(Event::new("network", "router.delete", &s.id, &s.project_id, ctx)).await?;
    Ok(wakes)
}
