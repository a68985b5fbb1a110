//! POST, PUT and DELETE of resources with nothing unusual about them.

use std::sync::Arc;

use async_trait::async_trait;
use base::{Ctx, Policy, Result, Rule};
use db::{Event, Tx};
use serde_json::{Value, json};
use web::{Caller, Json, Path, State};

use super::{Expected, Input, Resource, View, created, one_view, visible};
use crate::plane::Wakes;
use crate::rows::{self, Columns};
use crate::standard::Standard;
use crate::{Neutron, fault, quotas, rbac};

/// What a room decides about its resource; the calls themselves are here.
#[async_trait]
pub trait Ordinary: Resource + Clone {
    /// Kinds of the events of its creation, change and end.
    const EVENTS: [&'static str; 3];
    const QUOTA: Option<&'static str> = None;
    /// Who of its project may make, change and end it. The routes let every member through, as what he may not even see
    /// is not found rather than forbidden.
    const WRITERS: Rule = Rule::ProjectMember;
    /// To change what is only shared with one is forbidden; of some resources Neutron says that there is no such thing.
    const SHARED_IS_MISSING: bool = false;

    fn standard(&self) -> &Standard;
    fn columns(&self) -> Columns;
    /// With everybody.
    fn is_shared(&self) -> bool {
        false
    }
    fn new(ctx: &Ctx, input: &Input) -> Result<Self>;
    /// The changes of a PUT, the standard attributes' included.
    fn apply(&mut self, input: &Input) -> Result<()>;
    /// What only other rows can tell, before it is written. `before`: None when it is new.
    async fn check(&self, _tx: &mut Tx, _ctx: &Ctx, _before: Option<&Self>) -> Result<()> {
        Ok(())
    }
    /// Refuses its end while something needs it.
    async fn check_unused(&self, _tx: &mut Tx) -> Result<()> {
        Ok(())
    }
    /// Whom a change of it touches.
    async fn wakes(&self, _tx: &mut Tx) -> Result<Wakes> {
        Ok(Wakes::default())
    }
}

/// One that the caller may change: 404 if he may not see it, 403 (or see [`Ordinary::SHARED_IS_MISSING`]) if it is only
/// shared with him.
pub async fn owned<R: Ordinary>(tx: &mut Tx, ctx: &Ctx, id: &str, verb: &str) -> Result<R> {
    let row: R = visible(tx, ctx, id).await?;
    if R::SHARED_IS_MISSING && !ctx.owns(&row.standard().project_id) {
        return Err((R::SPEC.not_found)(id));
    }
    may_write(ctx, &row, verb)?;
    Ok(row)
}

pub fn may_write<R: Ordinary>(ctx: &Ctx, row: &R, verb: &str) -> Result<()> {
    let owner = &row.standard().project_id;
    let allowed =
        ctx.owns(owner) && Policy::new(R::SPEC.member, R::WRITERS).check(&ctx.auth, Some(owner)).is_ok();
    if allowed { Ok(()) } else { Err(fault::policy(&format!("{verb}_{}", R::SPEC.member))) }
}

async fn open<R: Ordinary>(tx: &mut Tx, row: &R) -> Result<()> {
    let Some(kind) = R::RBAC else { return Ok(()) };
    let s = row.standard();
    rbac::store::open(tx, &s.project_id, (kind, &s.id), rbac::SHARED, row.is_shared()).await
}

pub async fn insert<R: Ordinary>(tx: &mut Tx, ctx: &Ctx, row: &R) -> Result<()> {
    let s = row.standard();
    if let Some(quota) = R::QUOTA {
        quotas::store::check(tx, &s.project_id, quota, 1).await?;
    }
    row.check(tx, ctx, None).await?;
    rows::insert(tx, R::SPEC.table, &s.id, row.columns()).await?;
    if row.is_shared() {
        open(tx, row).await?;
    }
    tx.event(Event::new("network", R::EVENTS[0], &s.id, &s.project_id, ctx)).await?;
    Ok(())
}

pub async fn replace<R: Ordinary>(tx: &mut Tx, ctx: &Ctx, before: &R, row: &R) -> Result<Wakes> {
    let s = row.standard();
    row.check(tx, ctx, Some(before)).await?;
    rows::update(tx, R::SPEC.table, &s.id, before.standard().revision, row.columns()).await?;
    if before.is_shared() != row.is_shared() {
        open(tx, row).await?;
    }
    tx.event(Event::new("network", R::EVENTS[1], &s.id, &s.project_id, ctx)).await?;
    row.wakes(tx).await
}

pub async fn create<R: Ordinary>(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> web::Result {
    let (inputs, bulk) = R::SPEC.create(&ctx, &body)?;
    let new = inputs.iter().map(|i| R::new(&ctx, i)).collect::<Result<Vec<R>>>()?;
    new.iter().try_for_each(|row| may_write(&ctx, row, "create"))?;
    let made: Result<Vec<View>> = db::write!(app.db, |tx| {
        for row in &new {
            insert(tx, &ctx, row).await?;
        }
        R::views(&app, tx, &ctx, new.clone()).await
    });
    Ok(created(R::SPEC, bulk, made?))
}

pub async fn update<R: Ordinary>(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    expected: Expected,
    Json(body): Json<Value>,
) -> web::Result {
    let input = R::SPEC.update(&ctx, &body)?;
    let updated: Result<(View, Wakes)> = db::write!(app.db, |tx| {
        let before: R = owned(tx, &ctx, &id, "update").await?;
        expected.check(before.standard().revision)?;
        let mut row = before.clone();
        row.apply(&input)?;
        let wakes = replace(tx, &ctx, &before, &row).await?;
        Ok((one_view(&app, tx, &ctx, row).await?, wakes))
    });
    let (view, wakes) = updated?;
    app.wake(&wakes);
    Ok(web::json(200, &json!({R::SPEC.member: view})))
}

pub async fn delete<R: Ordinary>(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    expected: Expected,
) -> web::Result {
    let deleted: Result<Wakes> = db::write!(app.db, |tx| {
        let row: R = owned(tx, &ctx, &id, "delete").await?;
        let s = row.standard();
        expected.check(s.revision)?;
        row.check_unused(tx).await?;
        let wakes = row.wakes(tx).await?;
        if R::RBAC.is_some() {
            rbac::store::forget(tx, &s.id).await?;
        }
        rows::delete(tx, R::SPEC.table, &s.id).await?;
        tx.event(Event::new("network", R::EVENTS[2], &s.id, &s.project_id, &ctx)).await?;
        Ok(wakes)
    });
    app.wake(&deleted?);
    Ok(web::no_content(204))
}
