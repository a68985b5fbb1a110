//! The shapes of requests that every resource has.

use std::sync::Arc;

use async_trait::async_trait;
use base::{Ctx, Error, Kind, Result};
use db::{AnyConnection, FromRow};
use serde_json::{Map, Value, json};
use web::{Answers, Caller, Origin, Params, Path, Response, State};

use super::{Listing, Spec, only_fields};
use crate::Neutron;
use crate::networks::rules::{limited_to, limited_to_seen};
use crate::rows::{Bind, Where};

pub type View = Map<String, Value>;

/// What a room tells of its rows, so that lists and shows need not be written again.
#[async_trait]
pub trait Resource: FromRow + Send + Sync + 'static {
    const SPEC: &'static Spec;
    /// The object type of its RBAC policies, if it has any.
    const RBAC: Option<&'static str> = None;

    /// Other services see all of them, as admins do.
    const FOR_SERVICES: bool = false;

    /// A page behind a marker that the caller cannot see is the first one, and not an error.
    const ANY_MARKER: bool = false;

    /// Which rows the caller may see; admins see all.
    fn scope(ctx: &Ctx, conditions: &mut Where) {
        let limited = if Self::FOR_SERVICES { limited_to_seen(ctx) } else { limited_to(ctx) };
        if let Some(project) = limited {
            match Self::RBAC {
                None => conditions.and("project_id = ?", [Bind::Text(project)]),
                Some(kind) => conditions.and(
                    &format!("project_id = ? OR id IN {}", crate::rbac::store::GRANTED),
                    [Bind::Text(project.clone()), kind.into(), Bind::Text(project)],
                ),
            };
        }
    }

    /// Filters of the resource's own ([`super::Filter::Room`]).
    fn filters(_conditions: &mut Where, _params: &Params) -> Result<()> {
        Ok(())
    }

    /// What a list needs to be there.
    async fn before_list(_app: &Neutron, _ctx: &Ctx, _params: &Params) -> Result<()> {
        Ok(())
    }

    /// In the order of `rows`; few statements, however many rows.
    async fn views(app: &Neutron, conn: &mut AnyConnection, ctx: &Ctx, rows: Vec<Self>) -> Result<Vec<View>>;
}

pub async fn list<R: Resource>(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Origin(origin): Origin,
    params: Params,
) -> web::Result {
    let key = Answers::<db::Reads>::key(&ctx, &origin, &params);
    if let Some(answer) = app.answers.get(&key, db::Reads::hold) {
        return Ok(web::raw_json(200, answer));
    }
    let mut listing = Listing::read(R::SPEC, &params)?;
    R::filters(&mut listing.conditions, &params)?;
    R::before_list(&app, &ctx, &params).await?;
    let mut conn = app.db.read_recorded().await?;
    let rows: Vec<R> = listing.rows(&mut conn, &ctx).await?;
    let views = R::views(&app, &mut conn, &ctx, rows).await?;
    let reads = conn.reads();
    drop(conn);
    let body = listing.finish(R::SPEC, &params, &origin, views)?;
    let bytes = serde_json::to_vec(&body).map_err(Error::internal)?;
    Ok(web::raw_json(200, app.answers.put(key, reads, bytes)))
}

pub async fn show<R: Resource>(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    params: Params,
) -> web::Result {
    let mut conn = app.db.read().await?;
    let row: R = visible(&mut conn, &ctx, &id).await?;
    let view = one_view(&app, &mut conn, &ctx, row).await?;
    Ok(web::json(200, &json!({R::SPEC.member: only_fields(&params, view)})))
}

/// 404 for one that the caller may not see.
pub async fn visible<R: Resource>(conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<R> {
    let mut conditions = Where::of("id", id);
    R::scope(ctx, &mut conditions);
    let found = conditions.statement(&format!("SELECT * FROM {}", R::SPEC.table), "").optional(conn).await?;
    found.ok_or_else(|| (R::SPEC.not_found)(id))
}

pub async fn one_view<R: Resource>(
    app: &Neutron,
    conn: &mut AnyConnection,
    ctx: &Ctx,
    row: R,
) -> Result<View> {
    Ok(R::views(app, conn, ctx, vec![row]).await?.pop().unwrap_or_default())
}

/// The answer to a POST of one or of several.
pub fn created(spec: &Spec, bulk: bool, mut views: Vec<View>) -> Response {
    if bulk {
        web::json(201, &json!({spec.collection: views}))
    } else {
        web::json(201, &json!({spec.member: views.pop()}))
    }
}

/// The revision that an `If-Match: revision_number=7` header demands.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expected(Option<i64>);

impl Expected {
    pub fn check(self, revision: i64) -> Result<()> {
        match self.0 {
            Some(expected) if expected != revision => Err(Error::new(
                Kind::PreconditionFailed,
                format!("Constrained to {expected}, but current revision is {revision}"),
            )
            .code("RevisionNumberConstraintFailed")),
            _ => Ok(()),
        }
    }
}

impl<S: Sync> web::axum::extract::FromRequestParts<S> for Expected {
    type Rejection = web::Fault;

    async fn from_request_parts(
        parts: &mut web::axum::http::request::Parts,
        _: &S,
    ) -> std::result::Result<Self, web::Fault> {
        let given: Vec<&str> =
            parts.headers.get_all("if-match").iter().filter_map(|v| v.to_str().ok()).collect();
        let expected = match given.as_slice() {
            [] => None,
            [one] => {
                let number = one.trim().trim_matches('"').strip_prefix("revision_number=");
                let wrong = || crate::fault::http_bad_request(format!("Revision number {one} is invalid"));
                Some(number.and_then(|n| n.parse().ok()).ok_or_else(wrong)?)
            }
            _ => {
                return Err(
                    crate::fault::http_bad_request("Multiple if-match headers are not supported").into()
                );
            }
        };
        Ok(Expected(expected))
    }
}
