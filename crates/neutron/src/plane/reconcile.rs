//! The two reconcilers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base::Result;
use db::{Tx, sql};
use host::plan::{PortKind, RouterPlan};
use reconcile::{Failure, Outcome, Reconciler};

use super::{plan, store};
use crate::{Neutron, networks, ports, routers, trunks};

/// A trunk's subport that could not be served is tried again after this time.
const UNSERVED: Duration = Duration::from_secs(10);

pub struct Networks(pub Arc<Neutron>);

#[async_trait]
impl Reconciler for Networks {
    fn name(&self) -> &'static str {
        "neutron.networks"
    }

    async fn reconcile(&self, id: &str) -> std::result::Result<Outcome, Failure> {
        let app = &self.0;
        let rows = store::network_rows(&mut *app.db.read().await?, id).await?;
        let Some(rows) = rows else {
            app.network.remove_network(id).await?;
            app.forget_applied(id);
            return Ok(Outcome::Done);
        };
        let plan = plan::network(&rows, &app.config.dns_domain, app.config.external_gateway_hosts);
        app.network.apply_network(&plan).await?;
        if app.remember_applied(id) {
            // Trunks elsewhere may have been waiting for a place for their subports.
            let waiting = trunks::follow::parents_networks(&mut *app.db.read().await?, id).await?;
            waiting.iter().filter(|network| *network != id).for_each(|network| app.networks.wake(network));
        }
        // Router ports are the router's to call active; machines' ports are Nova's.
        let up: Vec<String> =
            plan.ports.iter().filter(|p| p.kind == PortKind::Dhcp).map(|p| p.id.clone()).collect();
        let stale = rows.ports.iter().any(|p| p.device_owner == ports::DHCP && !p.active);
        if stale {
            let set: Result<()> = db::write!(app.db, |tx| ports::store::set_status(tx, &up, "ACTIVE").await);
            set?;
        }
        if !rows.extras.trunks.is_empty() {
            let unserved = app.network.unserved(id);
            let settled: Result<()> =
                db::write!(app.db, |tx| trunks::follow::settle(tx, &rows.extras.trunks, &unserved).await);
            settled?;
            if !unserved.is_empty() {
                return Ok(Outcome::Again(UNSERVED));
            }
        }
        Ok(Outcome::Done)
    }

    async fn resync(&self) -> std::result::Result<Vec<String>, Failure> {
        let rows = store::ids(&mut *self.0.db.read().await?, networks::SPEC.table).await?;
        let present = self.0.network.list().await?.networks;
        Ok(rows.into_iter().chain(present).collect::<BTreeSet<_>>().into_iter().collect())
    }
}

pub struct Routers(pub Arc<Neutron>);

#[async_trait]
impl Reconciler for Routers {
    fn name(&self) -> &'static str {
        "neutron.routers"
    }

    async fn reconcile(&self, id: &str) -> std::result::Result<Outcome, Failure> {
        let app = &self.0;
        let rows = store::router_rows(&mut *app.db.read().await?, id).await?;
        let Some(rows) = rows else {
            app.network.remove_router(id).await?;
            let released: Result<()> = db::write!(app.db, |tx| released(tx, id, &[]).await);
            released?;
            return Ok(Outcome::Done);
        };
        let plan = plan::router(&rows);
        for network in networks_of(&plan) {
            app.ensure_applied(network).await?;
        }
        app.network.apply_router(&plan).await?;
        let forwarded = &rows.extras.forwarded_by;
        let settled: Result<()> = db::write!(app.db, |tx| settle(tx, &plan, forwarded).await);
        settled?;
        Ok(Outcome::Done)
    }

    async fn resync(&self) -> std::result::Result<Vec<String>, Failure> {
        let rows = store::ids(&mut *self.0.db.read().await?, routers::SPEC.table).await?;
        let present = self.0.network.list().await?.routers;
        Ok(rows.into_iter().chain(present).collect::<BTreeSet<_>>().into_iter().collect())
    }
}

fn networks_of(plan: &RouterPlan) -> BTreeSet<&str> {
    let gateway = plan.gateway.iter().map(|g| &g.port);
    plan.interfaces.iter().chain(gateway).map(|p| p.network_id.as_str()).collect()
}

/// What was applied is ACTIVE now: the router, its ports, its floating IPs; those that it let go of are DOWN.
/// `forwarded`: floating IPs that only some ports of lead anywhere.
async fn settle(tx: &mut Tx, plan: &RouterPlan, forwarded: &BTreeSet<String>) -> Result<()> {
    sql("UPDATE router SET status = 'ACTIVE' WHERE id = $1 AND status <> 'ACTIVE'")
        .bind(&plan.id)
        .run(tx)
        .await?;
    let gateway = plan.gateway.iter().map(|g| &g.port);
    let up: Vec<String> = plan.interfaces.iter().chain(gateway).map(|p| p.port_id.clone()).collect();
    ports::store::set_status(tx, &up, "ACTIVE").await?;
    let mut carried = Vec::new();
    for ip in &plan.floating_ips {
        // A floating IP that was led elsewhere meanwhile has woken its router again.
        sql("UPDATE floating_ip SET status = 'ACTIVE', updated_at = $1, revision = revision + 1 \
             WHERE id = $2 AND router_id = $3 AND fixed_ip_address = $4 AND status <> 'ACTIVE'")
        .bind(base::time::now())
        .bind(&ip.id)
        .bind(&plan.id)
        .bind(ip.fixed.to_string())
        .run(tx)
        .await?;
        carried.push(ip.id.clone());
    }
    for id in forwarded {
        sql("UPDATE floating_ip SET status = 'ACTIVE', updated_at = $1, revision = revision + 1 \
             WHERE id = $2 AND router_id = $3 AND port_id = '' AND status <> 'ACTIVE'")
        .bind(base::time::now())
        .bind(id)
        .bind(&plan.id)
        .run(tx)
        .await?;
        carried.push(id.clone());
    }
    released(tx, &plan.id, &carried).await
}

/// Floating IPs without a port that this router carried and carries no more.
async fn released(tx: &mut Tx, router_id: &str, carried: &[String]) -> Result<()> {
    let free: Vec<String> = sql("SELECT id FROM floating_ip WHERE carried_by = $1 AND port_id = ''")
        .bind(router_id)
        .rows(tx)
        .await?;
    for id in free.iter().filter(|id| !carried.contains(id)) {
        sql("UPDATE floating_ip SET status = 'DOWN', carried_by = '', updated_at = $1, revision = revision + 1 \
             WHERE id = $2 AND carried_by = $3 AND port_id = ''")
        .bind(base::time::now())
        .bind(id)
        .bind(router_id)
        .run(tx)
        .await?;
    }
    Ok(())
}
