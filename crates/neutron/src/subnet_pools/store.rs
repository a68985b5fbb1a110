use base::{Ctx, Result};
use db::{AnyConnection, Tx, sql};
use ipnet::IpNet;

use super::{SPEC, SubnetPool, rules};
use crate::address_scopes::AddressScope;
use crate::fault::{self, bad, invalid};
use crate::request::{self, Input};
use crate::rows::Where;
use crate::subnets::{self, Subnet};

/// The name of the pool that stands for whatever a router outside hands out.
const PREFIX_DELEGATION: &str = "prefix_delegation";

/// What has been cut from the pool.
pub async fn subnets_of(conn: &mut AnyConnection, pool_id: &str) -> Result<Vec<Subnet>> {
    Ok(Where::of("subnetpool_id", pool_id).rows(conn, subnets::SPEC.table).await?)
}

/// The pool that a new subnet is from, and its part of it. None: from no pool.
pub async fn cidr_for(tx: &mut Tx, ctx: &Ctx, input: &Input) -> Result<Option<(String, IpNet)>> {
    let version = input.int("ip_version").unwrap_or(4);
    let cidr: Option<IpNet> = input.text("cidr").and_then(|c| c.parse().ok());
    let prefixlen = input.int("prefixlen");
    if cidr.is_some() && prefixlen.is_some() {
        return Err(bad("subnets", "cidr and prefixlen must not be supplied together"));
    }
    let Some(pool) = pool_for(tx, ctx, input, version).await? else {
        return match (cidr, prefixlen) {
            (None, Some(_)) => Err(bad("subnets", "a subnetpool must be specified in the absence of a cidr")),
            _ => Ok(None),
        };
    };
    if pool.ip_version != version {
        return Err(bad(
            "subnets",
            format!("Cannot allocate IPv{version} subnet from IPv{} subnet pool", pool.ip_version),
        ));
    }
    if cidr.is_some() && input.has("allocation_pools") {
        return Err(bad("subnets", "allocation_pools allowed only for specific subnet requests."));
    }
    let cut = subnets_of(tx, &pool.standard.id).await?;
    let taken: Vec<IpNet> = cut.iter().map(|s| s.cidr).collect();
    let part = match cidr {
        Some(cidr) => rules::take(&pool, &taken, cidr)?,
        None => rules::next(&pool, &taken, prefixlen.unwrap_or(pool.default_prefixlen))?,
    };
    if let Some(quota) = pool.default_quota {
        let owner = input.owner(ctx)?;
        let mine = cut.iter().filter(|s| s.standard.project_id == owner);
        let used = mine.fold(0i64, |sum, s| sum.saturating_add(rules::size(&s.cidr)));
        if used.saturating_add(rules::size(&part)) > quota {
            return Err(rules::over_quota());
        }
    }
    Ok(Some((pool.standard.id, part)))
}

async fn pool_for(tx: &mut Tx, ctx: &Ctx, input: &Input, version: i64) -> Result<Option<SubnetPool>> {
    let by_default = input.flag("use_default_subnetpool").unwrap_or(false);
    match input.value("subnetpool_id").filter(|v| !v.is_null() && *v != "") {
        // With an address of its own a subnet needs no router to be given one by.
        Some(id) if id == PREFIX_DELEGATION && input.text("cidr").is_some() => Ok(None),
        Some(id) if id == PREFIX_DELEGATION => Err(bad(
            "subnets",
            "prefix delegation is not available, as no router outside delegates prefixes to this cloud: give a cidr or \
             a subnet pool",
        )),
        Some(_) if by_default => {
            Err(bad("subnets", "subnetpool_id and use_default_subnetpool cannot both be specified"))
        }
        Some(id) => {
            let wrong = || {
                let shown = id.as_str().map_or_else(|| id.to_string(), Into::into);
                fault::http_bad_request(format!(
                    "Invalid input for subnetpool_id. Reason: '{shown}' is not a valid UUID."
                ))
            };
            let id = id.as_str().filter(|id| request::uuid_like(id)).ok_or_else(wrong)?;
            request::visible(tx, ctx, id).await.map(Some)
        }
        None if by_default => {
            let mut conditions = Where::of("ip_version", version);
            conditions.and("is_default = 1", []);
            let pool = conditions.rows::<SubnetPool>(tx, SPEC.table).await?.pop();
            let none = || bad("subnets", format!("No default subnetpool found for IPv{version}"));
            pool.ok_or_else(none).map(Some)
        }
        None => Ok(None),
    }
}

/// One default pool for each IP version; no address twice in a scope.
pub async fn check(tx: &mut Tx, ctx: &Ctx, before: Option<&SubnetPool>, pool: &SubnetPool) -> Result<()> {
    let id = &pool.standard.id;
    if pool.is_default && before.is_none_or(|b| !b.is_default) {
        let mut conditions = Where::of("ip_version", pool.ip_version);
        conditions.and("is_default = 1", []);
        if conditions.statement("SELECT id FROM subnet_pool", "").exists(tx).await? {
            return Err(fault::invalid_input(
                "A default subnetpool for this IP family has already been set. Only one default may exist per IP \
                 family",
            ));
        }
    }
    if let Some(scope_id) = before.map(|b| &b.address_scope_id).filter(|scope| !scope.is_empty()) {
        let scope: AddressScope = request::visible(tx, ctx, scope_id).await?;
        if !ctx.owns(&scope.standard.project_id) {
            return Err(invalid(
                "IllegalSubnetPoolUpdate",
                format!(
                    "Illegal subnetpool update : subnetpool {id} cannot be updated when associated with shared address \
                     scope {scope_id}."
                ),
            ));
        }
    }
    let scope_id = &pool.address_scope_id;
    if scope_id.is_empty() {
        return Ok(());
    }
    let same = |b: &SubnetPool| b.address_scope_id == *scope_id && b.prefixes == pool.prefixes;
    if before.is_some_and(same) {
        return Ok(());
    }
    let scope: AddressScope = request::visible(tx, ctx, scope_id).await?;
    if scope.ip_version != pool.ip_version {
        return Err(invalid(
            "IllegalSubnetPoolIpVersionAssociationToAddressScope",
            format!(
                "Illegal subnetpool association: subnetpool {id} cannot associate with address scope {scope_id} \
                 because subnetpool ip_version is not {}.",
                scope.ip_version
            ),
        ));
    }
    let others: Vec<SubnetPool> = Where::of("address_scope_id", scope_id).rows(tx, SPEC.table).await?;
    let mut theirs = others.iter().filter(|o| o.standard.id != *id).flat_map(|o| &o.prefixes);
    if theirs.any(|a| pool.prefixes.iter().any(|b| crate::ipam::overlap(a, b))) {
        return Err(fault::conflict(
            "AddressScopePrefixConflict",
            "Failed to associate address scope: subnetpools within an address scope must have unique prefixes."
                .into(),
        ));
    }
    Ok(())
}

pub async fn check_unused(tx: &mut Tx, pool: &SubnetPool) -> Result<()> {
    let used = sql("SELECT id FROM subnet WHERE subnetpool_id = $1 LIMIT 1")
        .bind(&pool.standard.id)
        .exists(tx)
        .await?;
    if used {
        return Err(invalid(
            "SubnetPoolDeleteError",
            "Unable to delete subnet pool: Subnet pool has existing allocations.",
        ));
    }
    Ok(())
}

/// Makes a network's subnets parts of the pool: their prefixes are added to it.
pub async fn onboard(tx: &mut Tx, pool: &mut SubnetPool, network_id: &str) -> Result<()> {
    let version = pool.ip_version;
    let subnets: Vec<Subnet> = subnets::store::of_network(tx, network_id).await?;
    let mut prefixes = pool.prefixes.clone();
    for subnet in subnets.iter().filter(|s| s.ip_version() == version && s.subnetpool_id != pool.standard.id)
    {
        if !subnet.subnetpool_id.is_empty() || prefixes.iter().any(|p| crate::ipam::overlap(p, &subnet.cidr))
        {
            return Err(rules::bad_prefixes(
                "one or more subnets overlap with the pool or belong to another one",
            ));
        }
        prefixes.push(subnet.cidr);
        sql("UPDATE subnet SET subnetpool_id = $1 WHERE id = $2")
            .bind(&pool.standard.id)
            .bind(&subnet.standard.id)
            .run(tx)
            .await?;
    }
    pool.prefixes = rules::compact(&prefixes)?;
    Ok(())
}
