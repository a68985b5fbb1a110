use base::{Ctx, Error, Kind, Result};
use db::{AnyConnection, Tx, sql};
use serde_json::json;

use super::failure;
use crate::networks::{self, Network};
use crate::plane::Wakes;
use crate::routers::{self, FullRouter, gateway, interfaces};
use crate::subnets::{self, Subnet};
use crate::{qos, request, subnet_pools};

/// The network of the project's topology.
pub async fn network_of(conn: &mut AnyConnection, project: &str) -> Result<Option<String>> {
    let network = sql("SELECT network_id FROM auto_topology WHERE project_id = $1").bind(project);
    Ok(network.optional(conn).await?)
}

/// Refuses where none could be made.
pub async fn check(conn: &mut AnyConnection) -> Result<()> {
    external(conn).await?;
    match versions(conn).await?.is_empty() {
        true => Err(failure("No default subnetpools defined")),
        false => Ok(()),
    }
}

/// The default external network.
async fn external(conn: &mut AnyConnection) -> Result<String> {
    let found: Option<String> = networks::store::default_external(conn).await?;
    found.ok_or_else(|| failure("No default router:external network"))
}

/// IP versions that have a default pool.
async fn versions(conn: &mut AnyConnection) -> Result<Vec<i64>> {
    let versions: Vec<String> =
        sql("SELECT CAST(ip_version AS TEXT) FROM subnet_pool WHERE is_default = 1 ORDER BY ip_version")
            .rows(conn)
            .await?;
    Ok(versions.iter().filter_map(|version| version.parse().ok()).collect())
}

/// The network of the project's topology, with whom its making touches. All of it, or nothing.
pub async fn ensure(tx: &mut Tx, ctx: &Ctx, project: &str, mtu: u32) -> Result<(String, Wakes)> {
    if let Some(network) = network_of(tx, project).await? {
        return Ok((network, Wakes::default()));
    }
    let external = external(tx).await?;
    let network = network(tx, ctx, project, mtu).await?;
    let network_id = network.standard.id;
    let mut wakes = Wakes::network(&network_id);
    let subnets = subnets(tx, ctx, project, &network_id, &mut wakes)
        .await
        .map_err(|error| or_failure(error, "Unable to provide tenant private network"))?;
    let router_id = router(tx, ctx, project, &external, &subnets, &mut wakes)
        .await
        .map_err(|error| or_failure(error, "Unable to provide external connectivity"))?;
    sql("INSERT INTO auto_topology (project_id, network_id, router_id) VALUES ($1, $2, $3)")
        .bind(project)
        .bind(&network_id)
        .bind(&router_id)
        .run(tx)
        .await?;
    Ok((network_id, wakes))
}

/// What the deployment lacks is the operator's to mend; a quota that is used up is the project's, and says so itself.
fn or_failure(error: Error, reason: &str) -> Error {
    match error.kind {
        Kind::BadRequest | Kind::NotFound => failure(reason).because(error),
        _ if error.code == "SubnetAllocationError" => failure(reason).because(error),
        _ => error,
    }
}

async fn network(tx: &mut Tx, ctx: &Ctx, project: &str, mtu: u32) -> Result<Network> {
    let body = super::api::body("network", json!({"name": "auto_allocated_network"}), project);
    let mut network = networks::rules::create(ctx, &networks::SPEC.create_one(ctx, &body)?, mtu)?;
    network.qos_policy_id = qos::store::default_of(tx, project).await?;
    networks::store::create(tx, ctx, &network).await?;
    Ok(network)
}

async fn subnets(
    tx: &mut Tx,
    ctx: &Ctx,
    project: &str,
    network_id: &str,
    wakes: &mut Wakes,
) -> Result<Vec<Subnet>> {
    let versions = versions(tx).await?;
    if versions.is_empty() {
        return Err(Error::not_found("No default subnetpools defined"));
    }
    let mut made = Vec::new();
    for version in versions {
        let attributes = json!({
            "name": format!("auto_allocated_subnet_v{version}"), "network_id": network_id, "ip_version": version,
            "use_default_subnetpool": true,
        });
        let input = subnets::SPEC.create_one(ctx, &super::api::body("subnet", attributes, project))?;
        let cidr = subnet_pools::store::cidr_for(tx, ctx, &input).await?;
        let subnet = subnets::rules::create(ctx, &input, cidr)?;
        wakes.extend(subnets::store::create(tx, ctx, &subnet).await?);
        made.push(subnet);
    }
    Ok(made)
}

async fn router(
    tx: &mut Tx,
    ctx: &Ctx,
    project: &str,
    external: &str,
    subnets: &[Subnet],
    wakes: &mut Wakes,
) -> Result<String> {
    let body = super::api::body("router", json!({"name": "auto_allocated_router"}), project);
    let router = routers::api::new_router(ctx, &routers::SPEC.create_one(ctx, &body)?)?;
    let mut full = FullRouter { router, gateway: None };
    let asked = gateway::Asked { network_id: Some(external.into()), ..gateway::Asked::default() };
    wakes.extend(gateway::set(tx, ctx, &mut full, &asked).await?);
    routers::store::create(tx, ctx, &full.router).await?;
    for subnet in subnets {
        let asked = interfaces::Asked { subnet_id: Some(subnet.standard.id.clone()), port_id: None };
        wakes.extend(interfaces::add(tx, ctx, &full, &asked).await?.1);
    }
    Ok(full.router.standard.id)
}

/// Takes all of it away; refused while ports of others are on the network. None is as good as one that is gone.
pub async fn delete(tx: &mut Tx, ctx: &Ctx, project: &str) -> Result<Wakes> {
    let mut wakes = Wakes::default();
    let Some(network_id) = network_of(tx, project).await? else { return Ok(wakes) };
    let router_id: Option<String> =
        sql("SELECT COALESCE(router_id, '') FROM auto_topology WHERE project_id = $1")
            .bind(project)
            .optional(tx)
            .await?;
    if let Some(full) = routers::store::find(tx, router_id.as_deref().unwrap_or_default()).await? {
        for subnet in subnets::store::of_network(tx, &network_id).await? {
            let asked = interfaces::Asked { subnet_id: Some(subnet.standard.id), port_id: None };
            match interfaces::remove(tx, ctx, &full, &asked).await {
                Ok((_, more)) => wakes.extend(more),
                // Somebody took it off.
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        wakes.extend(routers::store::delete(tx, ctx, &full).await?);
    }
    let network: Network = request::visible(tx, ctx, &network_id).await?;
    // Its row goes with the network.
    wakes.extend(networks::store::delete(tx, ctx, &network).await?);
    Ok(wakes)
}
