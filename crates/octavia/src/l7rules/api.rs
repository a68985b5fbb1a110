use std::sync::Arc;

use base::Result;
use serde_json::Value;
use web::{Caller, Json, Path, Routes, State};

use super::{ATTRS, rules};
use crate::request::{created, member, updated};
use crate::tree::change::{self, Target, target};
use crate::tree::pages::Changed;
use crate::tree::{Node, Noun, handlers, pages};
use crate::{Octavia, fault, policy};

const NOUN: Noun = Noun::L7Rule;

pub fn routes(routes: Routes<Arc<Octavia>>) -> Routes<Arc<Octavia>> {
    const P: &policy::Set = &policy::L7RULE;
    routes
        .get("/v2/lbaas/l7policies/{policy_id}/rules", &P.list, handlers::list_in(NOUN, Noun::L7Policy))
        .post("/v2/lbaas/l7policies/{policy_id}/rules", &P.create, create)
        .get("/v2/lbaas/l7policies/{policy_id}/rules/{id}", &P.show, handlers::show_in(NOUN))
        .put("/v2/lbaas/l7policies/{policy_id}/rules/{id}", &P.update, update)
        .delete("/v2/lbaas/l7policies/{policy_id}/rules/{id}", &P.delete, handlers::delete_in(NOUN))
}

async fn create(
    State(app): State<Arc<Octavia>>,
    Caller(ctx): Caller,
    Path(policy): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let given = created(ATTRS, member(&body, NOUN.member())?)?;
    let made: Result<Changed> = db::write!(app.db, |tx| {
        let Target { tree, node: policy } = target(tx, &ctx, Noun::L7Policy, &policy).await?;
        rules::check(&given)?;
        rules::check_count(&policy.id, tree.under(NOUN, &policy.id).count() + 1)?;
        let node = Node::new(NOUN, &policy.project_id, &policy.balancer_id, &policy.id, given.clone());
        change::begin(tx, &tree, NOUN, &node.id, &policy.id).await?;
        change::create(tx, &ctx, &node).await?;
        pages::fresh(tx, &node).await
    });
    Ok(pages::done(&app, 201, &made?))
}

async fn update(
    State(app): State<Arc<Octavia>>,
    Caller(ctx): Caller,
    Path((policy, id)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> web::Result {
    let given = updated(ATTRS, member(&body, NOUN.member())?)?;
    let done: Result<Changed> = db::write!(app.db, |tx| {
        let target = target(tx, &ctx, NOUN, &id).await?;
        if target.node.parent_id != policy {
            return Err(fault::not_found(NOUN.title(), &id));
        }
        let mut node = target.node.clone();
        node.fields.extend(given.clone());
        rules::check(&node.fields)?;
        change::update(tx, &ctx, &target, node.clone()).await?;
        pages::fresh(tx, &node).await
    });
    Ok(pages::done(&app, 200, &done?))
}
