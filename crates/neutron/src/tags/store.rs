use base::{Ctx, Result};
use db::{AnyConnection, Event, Tx, sql_built};

use super::Taggable;
use crate::address_groups::AddressGroup;
use crate::qos::QosPolicy;
use crate::request::{Ordinary, visible};
use crate::rows::json;
use crate::standard::Standard;
use crate::subnet_pools::SubnetPool;
use crate::trunks::{self, Trunk};
use crate::{fault, floating_ips, networks, ports, routers, security_groups, subnets};

/// The resource as far as tags go, its table, and whether the caller may change it. 404 if he may not see it.
pub async fn find(
    conn: &mut AnyConnection,
    ctx: &Ctx,
    kind: Taggable,
    id: &str,
) -> Result<(Standard, &'static str, bool)> {
    Ok(match kind {
        Taggable::Network => {
            let network = networks::store::visible(conn, ctx, id).await?;
            let mine = ctx.owns(&network.standard.project_id);
            (network.standard, networks::SPEC.table, mine)
        }
        Taggable::Subnet => {
            let (subnet, network) = subnets::store::visible(conn, ctx, id).await?;
            let mine = ctx.owns(&subnet.standard.project_id) || ctx.owns(&network.standard.project_id);
            (subnet.standard, subnets::SPEC.table, mine)
        }
        Taggable::Port => {
            (ports::store::visible(conn, ctx, id).await?.0.port.standard, ports::SPEC.table, true)
        }
        Taggable::Router => {
            (routers::store::visible(conn, ctx, id).await?.router.standard, routers::SPEC.table, true)
        }
        Taggable::FloatingIp => {
            (floating_ips::store::visible(conn, ctx, id).await?.standard, floating_ips::SPEC.table, true)
        }
        Taggable::SecurityGroup => {
            let group = security_groups::store::visible(conn, ctx, id).await?;
            owned(ctx, group.standard, security_groups::SPEC.table)
        }
        Taggable::AddressGroup => ordinary::<AddressGroup>(conn, ctx, id).await?,
        Taggable::SubnetPool => ordinary::<SubnetPool>(conn, ctx, id).await?,
        Taggable::QosPolicy => ordinary::<QosPolicy>(conn, ctx, id).await?,
        Taggable::Trunk => owned(ctx, visible::<Trunk>(conn, ctx, id).await?.standard, trunks::SPEC.table),
    })
}

async fn ordinary<R: Ordinary>(
    conn: &mut AnyConnection,
    ctx: &Ctx,
    id: &str,
) -> Result<(Standard, &'static str, bool)> {
    Ok(owned(ctx, visible::<R>(conn, ctx, id).await?.standard().clone(), R::SPEC.table))
}

fn owned(ctx: &Ctx, standard: Standard, table: &'static str) -> (Standard, &'static str, bool) {
    let mine = ctx.owns(&standard.project_id);
    (standard, table, mine)
}

/// Replaces the tags by what `change` makes of them.
pub async fn change(
    tx: &mut Tx,
    ctx: &Ctx,
    kind: Taggable,
    id: &str,
    change: &(dyn Fn(Vec<String>) -> Result<Vec<String>> + Sync),
) -> Result<Vec<String>> {
    let (standard, table, mine) = find(tx, ctx, kind, id).await?;
    if !mine {
        return Err(fault::policy(&format!("update_{table}:tags")));
    }
    let tags = change(standard.tags.clone())?;
    if tags == standard.tags {
        return Ok(tags);
    }
    let changed = sql_built(format!(
        "UPDATE {table} SET tags = $1, updated_at = $2, revision = revision + 1 WHERE id = $3 AND revision = $4"
    ));
    let changed = match json(&tags) {
        crate::rows::Bind::Text(text) => changed.bind(text),
        _ => changed.bind("[]"),
    };
    let rows = changed.bind(base::time::now()).bind(id.to_owned()).bind(standard.revision).run(tx).await?;
    if rows != 1 {
        return Err(fault::changed_meanwhile(table));
    }
    tx.event(Event::new("network", "tag.update", id, &standard.project_id, ctx)).await?;
    Ok(tags)
}
