//! `/v2.1/servers/{id}/ips`, `/os-security-groups` and `/topology`.

use std::sync::Arc;

use base::{Ctx, Error, Policy};
use neutron::PortView;
use serde_json::{Value, json};
use web::{Caller, Path, Response, Result, State};

use super::view::{self, Addresses};
use super::{Server, policy, rules, store};
use crate::Nova;
use crate::instance_actions::store as actions;
use crate::schema::{self, Field, Kind};

pub(super) async fn ports_of(nova: &Nova, ctx: &Ctx, id: &str) -> Result<(Server, Vec<PortView>)> {
    let server = store::find(&mut *nova.db.read().await?, ctx, id).await?;
    let ports = nova.ports(std::slice::from_ref(&server)).await?.remove(id).unwrap_or_default();
    Ok((server, ports))
}

pub async fn ips(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    let (_, ports) = ports_of(&nova, &ctx, &id).await?;
    Ok(web::json(200, &json!({"addresses": Addresses { ports: &ports, macs: false }})))
}

pub async fn ips_of_network(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, network)): Path<(String, String)>,
) -> Result<Response> {
    let (_, ports) = ports_of(&nova, &ctx, &id).await?;
    let ports: Vec<PortView> = ports.into_iter().filter(|p| p.network_name == network).collect();
    if ports.is_empty() {
        return Err(Error::not_found("Instance is not a member of specified network").into());
    }
    Ok(web::json(200, &Addresses { ports: &ports, macs: false }))
}

/// No machine here has a NUMA topology of its own (2.78).
pub async fn topology(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    crate::query::since(&ctx, 78)?;
    store::find(&mut *nova.db.read().await?, &ctx, &id).await?;
    Ok(web::json(200, &json!({"nodes": [], "pagesize_kb": null})))
}

pub async fn groups(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    let (_, ports) = ports_of(&nova, &ctx, &id).await?;
    let ids: Vec<String> = view::security_groups(&ports).into_iter().map(|(id, _)| id.to_owned()).collect();
    Ok(web::json(200, &json!({"security_groups": nova.group_views(&ids).await?})))
}

const GROUP: &[Field] = &[Field::new("name", Kind::Text(1, 255, schema::ANY_CHAR, "")).required()];

struct Change {
    server: Server,
    ports: Vec<PortView>,
    /// Id of the group.
    group: String,
    name: String,
}

async fn change(
    nova: &Nova,
    ctx: &Ctx,
    id: &str,
    body: &Value,
    key: &str,
    policy: &Policy,
) -> base::Result<Change> {
    let fields = schema::body(body, key, GROUP, ctx.microversion.minor)?;
    let name = fields["name"].as_str().unwrap_or_default().to_owned();
    let server = store::find(&mut *nova.db.read().await?, ctx, id).await?;
    ctx.authorize(policy, Some(&server.project_id))?;
    rules::check_lock(ctx, &server)?;
    let groups = nova.neutron.security_group_ids(ctx, std::slice::from_ref(&name)).await?;
    let ports = nova.ports(std::slice::from_ref(&server)).await?.remove(id).unwrap_or_default();
    if ports.is_empty() {
        return Err(Error::not_found(format!(
            "Security group {name} not found: instance {id} has no port that it could be applied to."
        )));
    }
    Ok(Change { server, ports, group: groups.into_iter().next().unwrap_or_default(), name })
}

fn groups_of(port: &PortView) -> Vec<String> {
    port.security_groups.iter().map(|(id, _)| id.clone()).collect()
}

/// The group is added to every port of the server that can have groups.
pub async fn add_group(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> base::Result<()> {
    let change = change(nova, ctx, id, body, "addSecurityGroup", &policy::GROUPS_ADD).await?;
    let able = |port: &&PortView| port.port_security && !port.fixed_ips.is_empty();
    if !change.ports.iter().any(|p| able(&p)) {
        return Err(Error::bad_request(
            "Network requires port_security_enabled and subnet associated in order to apply security groups.",
        ));
    }
    for port in change.ports.iter().filter(able) {
        let mut groups = groups_of(port);
        if !groups.contains(&change.group) {
            groups.push(change.group.clone());
            nova.neutron.set_port_security_groups(ctx, &port.id, &groups).await?;
        }
    }
    record(nova, ctx, &change.server, "addSecurityGroup").await
}

pub async fn remove_group(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> base::Result<()> {
    let change = change(nova, ctx, id, body, "removeSecurityGroup", &policy::GROUPS_REMOVE).await?;
    let mut found = false;
    for port in &change.ports {
        let mut groups = groups_of(port);
        let before = groups.len();
        groups.retain(|g| *g != change.group);
        if groups.len() < before {
            found = true;
            nova.neutron.set_port_security_groups(ctx, &port.id, &groups).await?;
        }
    }
    if !found {
        return Err(Error::not_found(format!(
            "Security group {} not associated with the instance {id}",
            change.name
        )));
    }
    record(nova, ctx, &change.server, "removeSecurityGroup").await
}

async fn record(nova: &Nova, ctx: &Ctx, server: &Server, action: &str) -> base::Result<()> {
    db::write!(nova.db, |tx| actions::record(tx, ctx, &server.id, &server.project_id, action).await)
}
