//! The calls that Nova makes. All of them are also what a server's `networks` mean in Nova's API guide.

mod bind;
mod groups;
pub(crate) mod load;
mod types;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use base::{Ctx, Error, Result};
use db::AnyConnection;
use futures::future::try_join_all;
pub use groups::{GroupRule, GroupView};
use ipnet::IpNet;
pub use types::{AllocatePort, FixedIp, NetworkBrief, OfServer, PortView};

use crate::networks::{self, Network};
use crate::plane::Wakes;
use crate::rows::{Bind, Where, texts};
use crate::{Neutron, ipam, ports, request, security_groups, trunks};

fn brief(network: &Network) -> NetworkBrief {
    NetworkBrief {
        id: network.standard.id.clone(),
        name: network.standard.name.clone(),
        mtu: u32::try_from(network.mtu).unwrap_or(1500),
        shared: network.shared,
        external: network.external,
    }
}

impl Neutron {
    /// What a server without `networks` may attach to: the project's own and shared networks. External networks that
    /// are not shared can only be attached to on request.
    pub async fn default_networks(&self, ctx: &Ctx) -> Result<Vec<NetworkBrief>> {
        let project = ctx.require_project()?;
        let mut conditions = Where::default();
        // Those that are only external are not to be attached to.
        let shared = "id IN (SELECT object_id FROM rbac_policy WHERE action = 'access_as_shared' \
                      AND target_project IN ('*', ?))";
        conditions.and(&format!("project_id = ? OR {shared}"), vec![Bind::Text(project.into()); 2]);
        conditions.and(&format!("external = 0 OR {shared}"), [Bind::Text(project.into())]);
        let networks: Vec<Network> =
            conditions.rows(&mut *self.db.read().await?, networks::SPEC.table).await?;
        Ok(networks.iter().map(brief).collect())
    }

    /// 404 when there is none or the caller may not see it.
    pub async fn network(&self, ctx: &Ctx, id: &str) -> Result<NetworkBrief> {
        Ok(brief(&networks::store::visible(&mut *self.db.read().await?, ctx, id).await?))
    }

    /// 404 when there is none or the caller may not see it.
    pub async fn port(&self, ctx: &Ctx, id: &str) -> Result<PortView> {
        let mut conn = self.db.read().await?;
        let (full, _) = ports::store::visible(&mut conn, ctx, id).await?;
        load::one(&mut conn, full).await
    }

    /// 404 for an unknown one, 409 for a name that several groups bear.
    pub async fn security_group_ids(&self, ctx: &Ctx, names_or_ids: &[String]) -> Result<Vec<String>> {
        let project = ctx.require_project()?;
        if names_or_ids.iter().any(|n| n == security_groups::DEFAULT) {
            let made: Result<String> =
                db::write!(self.db, |tx| security_groups::store::default_group(tx, ctx, project).await);
            made?;
        }
        let mut conn = self.db.read().await?;
        let groups: Vec<security_groups::SecurityGroup> =
            Where::of("project_id", project).rows(&mut conn, security_groups::SPEC.table).await?;
        let mut ids = Vec::new();
        for wanted in names_or_ids {
            // An id comes first: a group may be named like another one's id.
            let by_id = groups.iter().find(|g| g.standard.id == *wanted).map(|g| g.standard.id.clone());
            let id = match by_id {
                Some(id) => id,
                None if request::uuid_like(wanted) && ctx.is_admin() => {
                    security_groups::store::visible(&mut conn, ctx, wanted).await?.standard.id
                }
                None => by_name(&groups, wanted)?,
            };
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    /// The ports of these servers, each list in the order of attachment. Servers without ports are absent.
    pub async fn ports_of(&self, servers: &[OfServer<'_>]) -> Result<HashMap<String, Vec<PortView>>> {
        Self::ports_within(&mut *self.db.read().await?, servers).await
    }

    /// The same over a connection that is there already.
    pub async fn ports_within(
        conn: &mut AnyConnection,
        servers: &[OfServer<'_>],
    ) -> Result<HashMap<String, Vec<PortView>>> {
        let mut found: HashMap<String, Vec<PortView>> = HashMap::new();
        for chunk in servers.chunks(500) {
            let projects: HashMap<&str, &str> = chunk.iter().map(|it| (it.id, it.project_id)).collect();
            let ids: Vec<String> = chunk.iter().map(|server| server.id.to_owned()).collect();
            let mut conditions = Where::default();
            conditions.among("device_id", texts(&ids)).and("device_owner LIKE ?", ["compute:%".into()]);
            // A load balancer's port is none, whatever its owner says.
            conditions.and("balancer_id = ''", []);
            let ports = conditions
                .statement("SELECT * FROM port", " ORDER BY attached_at, created_at, id")
                .rows(conn)
                .await?;
            let full = ports::store::full(conn, ports).await?;
            for view in load::views(conn, full).await? {
                // Whoever owns a port may write any server's id into it.
                if projects.get(view.device_id.as_str()) != Some(&view.project_id.as_str()) {
                    continue;
                }
                found.entry(view.device_id.clone()).or_default().push(view);
            }
        }
        Ok(found)
    }

    /// Returns when the host has applied what the rows of these networks say now.
    pub async fn ensure_plugged(&self, network_ids: &[String]) -> Result<()> {
        try_join_all(network_ids.iter().map(|id| self.apply_now(id))).await?;
        Ok(())
    }

    /// ACTIVE while its machine runs, DOWN otherwise.
    pub async fn set_port_status(&self, port_ids: &[String], active: bool) -> Result<()> {
        let status = if active { "ACTIVE" } else { "DOWN" };
        let trunks: Result<Vec<String>> = db::write!(self.db, |tx| {
            ports::store::set_status(tx, port_ids, status).await?;
            trunks::follow::networks_of_parents(tx, port_ids).await
        });
        // Trunks and their subports follow their parents.
        self.wake(&Wakes::networks(trunks?));
        Ok(())
    }

    /// The port that a metadata request came from.
    pub async fn port_for_metadata(&self, port_id: &str) -> Result<Option<PortView>> {
        let mut conn = self.db.read().await?;
        match ports::store::find(&mut conn, port_id).await? {
            Some(full) => load::one(&mut conn, full).await.map(Some),
            None => Ok(None),
        }
    }

    /// A network of the caller's project that is made for who asks for nothing in particular; see
    /// [`crate::auto_topology`]. 409 where the operator has not said how.
    pub async fn auto_allocated_network(&self, ctx: &Ctx) -> Result<NetworkBrief> {
        let id = self.auto_network(ctx, ctx.require_project()?).await?;
        self.network(ctx, &id).await
    }

    /// The external network and its subnet, made on the first start. Answers the network's id; a network that is
    /// there already stays as it is. `subnets_from`: what projects' subnets may be cut from by default, made along with it.
    pub async fn ensure_external(
        &self,
        ctx: &Ctx,
        name: &str,
        cidr: IpNet,
        gateway: IpAddr,
        pool: (IpAddr, IpAddr),
        subnets_from: Option<IpNet>,
    ) -> Result<String> {
        let pool = ipam::Pool { start: pool.0, end: pool.1 };
        let made: Result<(String, crate::plane::Wakes)> = db::write!(self.db, |tx| bind::external(
            tx,
            ctx,
            name,
            self.config.default_mtu,
            (cidr, gateway, pool),
            subnets_from
        )
        .await);
        let (id, wakes) = made?;
        self.wake(&wakes);
        Ok(id)
    }
}

fn by_name(groups: &[security_groups::SecurityGroup], name: &str) -> Result<String> {
    let mut named = groups.iter().filter(|g| g.standard.name == name);
    match (named.next(), named.next()) {
        (Some(only), None) => Ok(only.standard.id.clone()),
        (Some(_), Some(_)) => Err(Error::conflict(format!(
            "Multiple security groups found matching '{name}'. Use an ID to be more specific."
        ))),
        (None, _) => Err(Error::not_found(format!("Unable to find security_group with name or id '{name}'"))
            .code("SecurityGroupNotFound")),
    }
}

/// IPv4 of a row's text.
fn v4(text: &str) -> Option<Ipv4Addr> {
    text.parse().ok()
}
