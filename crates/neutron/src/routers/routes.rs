//! A router's extra routes.

use std::net::IpAddr;

use base::Result;
use db::AnyConnection;
use ipnet::IpNet;

use super::FullRouter;
use crate::fault;
use crate::ipam::Route;
use crate::ports::FullPort;
use crate::rows::{Where, texts};
use crate::subnets::Subnet;

const MAX_ROUTES: usize = 30;

/// The subnets that these ports have addresses on.
pub async fn subnets_of(conn: &mut AnyConnection, ports: &[&FullPort]) -> Result<Vec<Subnet>> {
    let ids = ports.iter().flat_map(|p| p.fixed_ips.iter().map(|ip| &ip.subnet_id));
    let mut conditions = Where::default();
    conditions.among("id", texts(ids));
    Ok(conditions.rows(conn, crate::subnets::SPEC.table).await?)
}

/// Each next hop is on a subnet of the router's and not the router itself.
pub async fn check(conn: &mut AnyConnection, full: &FullRouter, routes: &[Route]) -> Result<()> {
    let id = &full.router.standard.id;
    if routes.len() > MAX_ROUTES {
        return Err(fault::invalid(
            "RoutesExhausted",
            format!(
                "Unable to complete operation for {id}. The number of routes exceeds the maximum {MAX_ROUTES}."
            ),
        ));
    }
    if routes.is_empty() {
        return Ok(());
    }
    let interfaces = super::store::interfaces(conn, id).await?;
    let ports: Vec<&FullPort> = interfaces.iter().chain(&full.gateway).collect();
    let cidrs: Vec<IpNet> = subnets_of(conn, &ports).await?.iter().map(|s| s.cidr).collect();
    let own: Vec<IpAddr> = ports.iter().flat_map(|p| p.fixed_ips.iter().map(|ip| ip.address)).collect();
    validate(routes, &cidrs, &own)
}

pub fn validate(routes: &[Route], cidrs: &[IpNet], own: &[IpAddr]) -> Result<()> {
    let refuse = |reason: &str| {
        let shown: Vec<String> = routes
            .iter()
            .map(|r| format!("{{'destination': '{}', 'nexthop': '{}'}}", r.destination, r.nexthop))
            .collect();
        Err(fault::invalid(
            "InvalidRoutes",
            format!("Invalid format for routes: [{}], {reason}", shown.join(", ")),
        ))
    };
    for route in routes {
        if !cidrs.iter().any(|c| c.contains(&route.nexthop)) {
            return refuse("the nexthop is not connected with router");
        }
        if own.contains(&route.nexthop) {
            return refuse("the nexthop is used by router");
        }
    }
    Ok(())
}

pub fn added(old: &[Route], more: &[Route]) -> Vec<Route> {
    let mut all = old.to_vec();
    for route in more {
        if !all.contains(route) {
            all.push(*route);
        }
    }
    all
}

/// Routes that are not there are removed already.
pub fn removed(old: &[Route], less: &[Route]) -> Vec<Route> {
    old.iter().filter(|r| !less.contains(r)).copied().collect()
}
