use std::sync::Arc;

use base::{Ctx, Error, Result};
use db::Tx;
use neutron::plane::Wakes;
use serde_json::{Value, json};
use web::{Caller, Json, Params, Path, Routes, State};

use super::{ATTRS, vip, whole};
use crate::certificates::judge;
use crate::request::{Fields, Look, created, member, updated};
use crate::tree::pages::Changed;
use crate::tree::{ACTIVE, ERROR, Node, Noun, PENDING_DELETE, PENDING_UPDATE, handlers, pages, store, view};
use crate::{Octavia, fault, flavors, plane, policy, providers, quotas};

const NOUN: Noun = Noun::LoadBalancer;

pub fn routes(routes: Routes<Arc<Octavia>>) -> Routes<Arc<Octavia>> {
    const P: &policy::Set = &policy::LOAD_BALANCER;
    routes
        .get("/v2/lbaas/loadbalancers", &P.list, handlers::list(NOUN))
        .post("/v2/lbaas/loadbalancers", &P.create, create)
        .get("/v2/lbaas/loadbalancers/{id}", &P.show, handlers::show(NOUN))
        .put("/v2/lbaas/loadbalancers/{id}", &P.update, update)
        .delete("/v2/lbaas/loadbalancers/{id}", &P.delete, delete)
        .get("/v2/lbaas/loadbalancers/{id}/status", &policy::STATUS, status)
        .get("/v2/lbaas/loadbalancers/{id}/statuses", &policy::STATUS, status)
        .get("/v2/lbaas/loadbalancers/{id}/stats", &policy::STATS, stats)
        .put("/v2/lbaas/loadbalancers/{id}/failover", &policy::FAILOVER, failover)
}

/// Whose it shall be: the caller's project, or the one that an admin names.
fn owner<'a>(ctx: &'a Ctx, body: &'a Value) -> Result<&'a str> {
    let named = ["project_id", "tenant_id"].into_iter().find_map(|key| body.get(key)?.as_str());
    match (named, ctx.project()) {
        (Some(named), _) if policy::governs(ctx) || policy::is_own(ctx, named) => Ok(named),
        (Some(_), _) => Err(fault::policy()),
        (None, Some(project)) => Ok(&project.id),
        (None, None) => Err(fault::invalid(
            "Missing project ID in request where one is required. An administrator should check the keystone \
             settings in the Octavia configuration.",
        )),
    }
}

async fn create(
    State(app): State<Arc<Octavia>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> web::Result {
    let body = member(&body, NOUN.member())?;
    let given = created(ATTRS, body)?;
    let owner = owner(&ctx, body)?;
    judge::whole(&app, &ctx, &given).await?.check()?;
    let made: Result<(String, Value, Wakes)> =
        db::write!(app.db, |tx| create_all(&app, tx, &ctx, owner, given.clone()).await);
    let (id, view, wakes) = made?;
    app.neutron.wake_for(&wakes);
    app.balancers.wake(&id);
    Ok(web::json(201, &json!({ NOUN.member(): view })))
}

async fn create_all(
    app: &Octavia,
    tx: &mut Tx,
    ctx: &Ctx,
    owner: &str,
    mut fields: Fields,
) -> Result<(String, Value, Wakes)> {
    let listeners = fields.remove("listeners").unwrap_or_default();
    let pools = fields.remove("pools").unwrap_or_default();
    let provider = flavors::rules::provider(
        flavors::store::flavor_of(tx, fields.text("flavor_id")).await?,
        fields.text("flavor_id"),
        fields.text("provider"),
    )?;
    let zone = flavors::store::zone_of(tx, fields.text("availability_zone")).await?;
    flavors::rules::check_zone(zone.as_ref().map(|(zone, _)| zone), fields.text("availability_zone"))?;
    fields.insert("provider".into(), provider.clone().into());
    providers::named(&provider)?;
    quotas::store::check(tx, owner, NOUN, 1).await?;
    let mut node = Node::new(NOUN, owner, "", "", fields);
    let wakes = vip::settle(app, tx, ctx, &mut node).await?;
    if let Some((_, profile)) = &zone {
        flavors::rules::check_network(profile, node.text("vip_network_id"))?;
    }
    store::insert(tx, ctx, &node).await?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    whole::create(app, tx, ctx, &node, &list(&listeners), &list(&pools)).await?;
    let tree = store::tree(tx, &node.id).await?;
    let view = view::full(&tree, tree.find(NOUN, &node.id)?);
    Ok((node.id, view, wakes))
}

fn pending(node: &Node) -> Error {
    Error::conflict(format!("Invalid state {} of loadbalancer resource {}", node.provisioning, node.id))
}

async fn update(
    State(app): State<Arc<Octavia>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let given = updated(ATTRS, member(&body, NOUN.member())?)?;
    let done: Result<(Changed, Wakes)> = db::write!(app.db, |tx| {
        let mut node = store::owned(tx, &ctx, NOUN, &id).await?;
        let policy = given.text("vip_qos_policy_id");
        let limits = given.contains_key("vip_qos_policy_id") && policy != node.text("vip_qos_policy_id");
        if limits {
            vip::check_qos(&app, tx, &ctx, policy).await?;
        }
        if node.provisioning != ACTIVE {
            return Err(pending(&node));
        }
        node.fields.extend(given.clone());
        node.provisioning = PENDING_UPDATE.into();
        store::update(tx, &ctx, &node).await?;
        let wakes = match limits {
            true => app.neutron.set_balancer_qos(tx, &ctx, node.text("vip_port_id"), policy).await?,
            false => Wakes::default(),
        };
        Ok((pages::fresh(tx, &node).await?, wakes))
    });
    let (changed, wakes) = done?;
    app.neutron.wake_for(&wakes);
    Ok(pages::done(&app, 200, &changed))
}

async fn delete(
    State(app): State<Arc<Octavia>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    params: Params,
) -> web::Result {
    let cascade = params.flag("cascade").unwrap_or(false);
    let done: Result<()> = db::write!(app.db, |tx| {
        let node = store::owned(tx, &ctx, NOUN, &id).await?;
        let tree = store::tree(tx, &id).await?;
        if tree.nodes.len() > 1 && !cascade {
            return Err(fault::invalid(format!("Cannot delete Load Balancer {id} - it has children")));
        }
        if !store::lock(tx, &id, &[ACTIVE, ERROR], PENDING_DELETE).await? {
            return Err(pending(&node));
        }
        store::set_provisioning(tx, &tree.whole(&id)[1..], PENDING_DELETE).await?;
        store::event(tx, &ctx, &node, NOUN.delete_event()).await
    });
    done?;
    app.balancers.wake(&id);
    Ok(web::no_content(204))
}

async fn status(State(app): State<Arc<Octavia>>, Caller(ctx): Caller, Path(id): Path<String>) -> web::Result {
    let mut conn = app.db.read().await?;
    let node = store::visible(&mut conn, &ctx, NOUN, &id).await?;
    let tree = store::tree(&mut conn, &id).await?;
    Ok(web::json(200, &view::statuses(&tree, &node)))
}

async fn stats(State(app): State<Arc<Octavia>>, Caller(ctx): Caller, Path(id): Path<String>) -> web::Result {
    store::visible(&mut *app.db.read().await?, &ctx, NOUN, &id).await?;
    let counters = plane::observe::counters(&app, &id).await?;
    Ok(web::json(200, &json!({"stats": plane::observe::view(plane::observe::sum(counters.values()))})))
}

/// There is no other machine to go to: what is there is made anew, and the VIP's port where it is gone.
async fn failover(
    State(app): State<Arc<Octavia>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> web::Result {
    let done: Result<Wakes> = db::write!(app.db, |tx| {
        let mut node = store::owned(tx, &ctx, NOUN, &id).await?;
        if !store::lock(tx, &id, &[ACTIVE, ERROR], PENDING_UPDATE).await? {
            return Err(pending(&node));
        }
        let wakes = vip::restore(&app, tx, &mut node).await?;
        if wakes.is_some() {
            store::set_fields(tx, &node).await?;
        }
        store::event(tx, &ctx, &node, "loadbalancer.failover").await?;
        Ok(wakes.unwrap_or_default())
    });
    app.neutron.wake_for(&done?);
    app.balancers.wake(&id);
    Ok(web::no_content(202))
}
