use std::sync::Arc;

use base::{Ctx, Result};
use db::{AnyConnection, Tx};
use serde_json::Value;
use web::{Caller, Json, Params, Path, Routes, State};

use super::{ATTRS, rules};
use crate::providers::{self, Provider};
use crate::request::{Fields, Look, created, member, updated};
use crate::tree::change::{self, Target, target};
use crate::tree::pages::Changed;
use crate::tree::{Noun, PENDING_DELETE, PENDING_UPDATE, handlers, pages, store};
use crate::{Octavia, fault, policy, quotas};

const NOUN: Noun = Noun::Member;

pub fn routes(routes: Routes<Arc<Octavia>>) -> Routes<Arc<Octavia>> {
    const P: &policy::Set = &policy::MEMBER;
    routes
        .get("/v2/lbaas/pools/{pool_id}/members", &P.list, handlers::list_in(NOUN, Noun::Pool))
        .post("/v2/lbaas/pools/{pool_id}/members", &P.create, create)
        .put("/v2/lbaas/pools/{pool_id}/members", &P.update, batch)
        .get("/v2/lbaas/pools/{pool_id}/members/{id}", &P.show, handlers::show_in(NOUN))
        .put("/v2/lbaas/pools/{pool_id}/members/{id}", &P.update, update)
        .delete("/v2/lbaas/pools/{pool_id}/members/{id}", &P.delete, handlers::delete_in(NOUN))
}

/// The subnet that a member is said to be on.
pub async fn check_subnet(app: &Octavia, conn: &mut AnyConnection, ctx: &Ctx, fields: &Fields) -> Result<()> {
    let id = fields.text("subnet_id");
    if id.is_empty() {
        return Ok(());
    }
    match app.neutron.subnet_in(conn, ctx, id).await {
        Err(e) if e.is_not_found() => Err(fault::no_such("Subnet", id)),
        other => other.map(drop),
    }
}

async fn create(
    State(app): State<Arc<Octavia>>,
    Caller(ctx): Caller,
    Path(pool): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let given = created(ATTRS, member(&body, NOUN.member())?)?;
    let made: Result<Changed> = db::write!(app.db, |tx| {
        let Target { tree, node: pool } = target(tx, &ctx, Noun::Pool, &pool).await?;
        rules::check_address(&given)?;
        check_subnet(&app, tx, &ctx, &given).await?;
        tree.root()
            .map_or(Ok(()), |root| providers::of(root)?.check_member(&tree, &pool, given.text("address")))?;
        let node = rules::new(&pool, tree.monitor_of(&pool.id).is_some(), given.clone());
        change::begin(tx, &tree, NOUN, &node.id, &pool.id).await?;
        change::create(tx, &ctx, &node).await?;
        pages::fresh(tx, &node).await
    });
    Ok(pages::done(&app, 201, &made?))
}

async fn update(
    State(app): State<Arc<Octavia>>,
    Caller(ctx): Caller,
    Path((pool, id)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> web::Result {
    let given = updated(ATTRS, member(&body, NOUN.member())?)?;
    let done: Result<Changed> = db::write!(app.db, |tx| {
        let target = target(tx, &ctx, NOUN, &id).await?;
        if target.node.parent_id != pool {
            return Err(fault::not_found(NOUN.title(), &id));
        }
        let mut node = target.node.clone();
        node.fields.extend(given.clone());
        change::update(tx, &ctx, &target, node.clone()).await?;
        pages::fresh(tx, &node).await
    });
    Ok(pages::done(&app, 200, &done?))
}

/// All of a pool's members at once.
async fn batch(
    State(app): State<Arc<Octavia>>,
    Caller(ctx): Caller,
    Path(pool): Path<String>,
    params: Params,
    Json(body): Json<Value>,
) -> web::Result {
    let list = member(&body, NOUN.collection())?
        .as_array()
        .ok_or_else(|| fault::input("members", "", "Value should be a list"))?;
    let wanted: Vec<Fields> = list.iter().map(|one| created(ATTRS, one)).collect::<Result<_>>()?;
    // What an update does not say stays as it is; `created` has filled it in.
    let said: Vec<Fields> = list.iter().map(|one| one.as_object().cloned().unwrap_or_default()).collect();
    let additive = params.flag("additive_only").unwrap_or(false);
    let done: Result<Option<String>> =
        db::write!(app.db, |tx| change_all(&app, tx, &ctx, &pool, &wanted, &said, additive).await);
    if let Some(balancer) = done? {
        app.balancers.wake(&balancer);
    }
    Ok(web::no_content(202))
}

async fn change_all(
    app: &Octavia,
    tx: &mut Tx,
    ctx: &Ctx,
    pool: &str,
    wanted: &[Fields],
    said: &[Fields],
    additive: bool,
) -> Result<Option<String>> {
    let Target { tree, node: pool } = target(tx, ctx, Noun::Pool, pool).await?;
    let before: Vec<_> = tree.under(NOUN, &pool.id).collect();
    change::begin(tx, &tree, NOUN, "", &pool.id).await?;
    let batch = rules::batch(&before, wanted, additive)?;
    if batch.added.is_empty() && batch.changed.is_empty() && batch.removed.is_empty() {
        // Nothing is left of the lock: there is nothing to wait for.
        store::release(tx, &tree).await?;
        return Ok(None);
    }
    let more = i64::try_from(batch.added.len()).unwrap_or(i64::MAX);
    let fewer = i64::try_from(batch.removed.len()).unwrap_or_default();
    if more > fewer {
        quotas::store::check(tx, &pool.project_id, NOUN, more - fewer).await?;
    }
    let monitored = tree.monitor_of(&pool.id).is_some();
    for node in &batch.removed {
        store::set_provisioning(tx, std::slice::from_ref(&node.id), PENDING_DELETE).await?;
        store::event(tx, ctx, node, NOUN.delete_event()).await?;
    }
    for (node, fields) in batch.changed {
        let own = said.iter().find(|one| {
            one.text("address") == fields.text("address")
                && fields.number("protocol_port") == node.fields.number("protocol_port")
                && one.get("protocol_port").is_some_and(|port| {
                    port.as_i64().or_else(|| port.as_str()?.parse().ok()) == fields.number("protocol_port")
                })
        });
        let before = node.clone();
        let mut node = node;
        let updatable = |name: &str| !matches!(name, "subnet_id" | "address" | "protocol_port");
        node.fields.extend(
            fields
                .into_iter()
                .filter(|(name, _)| updatable(name) && own.is_none_or(|o| o.contains_key(name))),
        );
        node.remember(&before);
        node.provisioning = PENDING_UPDATE.into();
        store::update(tx, ctx, &node).await?;
    }
    let provider = tree.root().map_or(Ok(Provider::Haproxy), providers::of)?;
    for fields in batch.added {
        check_subnet(app, tx, ctx, &fields).await?;
        provider.check_member(&tree, &pool, fields.text("address"))?;
        store::insert(tx, ctx, &rules::new(&pool, monitored, fields)).await?;
    }
    Ok(Some(pool.balancer_id))
}
