//! `/v1/secrets`

use std::sync::Arc;

use base::{Ctx, Error};
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Value, json};
use web::{Caller, IntoResponse, Origin, Params, Path, Response, Result, Routes, State, no_content};

use super::listing::Query;
use super::{Secret, payload, policy, rules, store, view};
use crate::access::{Need, check};
use crate::body::Body;
use crate::refs::{self, Slice};
use crate::{Barbican, consumers, quotas};

pub fn routes(routes: Routes<Arc<Barbican>>) -> Routes<Arc<Barbican>> {
    routes
        .get("/v1/secrets", &policy::LIST, list)
        .post("/v1/secrets", &policy::CREATE, create)
        .get("/v1/secrets/{id}", &policy::SHOW, show)
        .put("/v1/secrets/{id}", &policy::PUT, fill)
        .delete("/v1/secrets/{id}", &policy::DELETE, delete)
        .get("/v1/secrets/{id}/payload", &policy::DECRYPT, decrypt)
}

async fn list(
    State(app): State<Arc<Barbican>>,
    Caller(ctx): Caller,
    origin: Origin,
    params: Params,
) -> Result {
    let slice = Slice::of(&params);
    let query = Query::new(&ctx, ctx.require_project()?, &params)?;
    let mut conn = app.db.read().await?;
    let (page, total) = query.rows(&mut conn, slice).await?;
    let users = consumers::store::of_all(&mut conn, page.iter().map(|secret| secret.id.as_str())).await?;
    let items: Vec<Value> = page.iter().map(|one| view::secret(&ctx, &origin, one, &users)).collect();
    Ok(web::json(200, &slice.page(&origin, &params, "secrets", "secrets", items, total)))
}

async fn create(State(app): State<Arc<Barbican>>, Caller(ctx): Caller, origin: Origin, body: Body) -> Result {
    let project = ctx.require_project()?;
    let (secret, payload) = rules::new(&ctx, project, &body.object()?)?;
    let written: Result<(), Error> = db::write!(app.db, |tx| {
        quotas::store::check(tx, project, "secrets", "Secret creation").await?;
        let cipher = match &payload {
            Some(payload) => Some(app.vault.encrypt(tx, project, payload).await?),
            None => None,
        };
        store::insert(tx, &ctx, &secret, cipher).await
    });
    written?;
    let url = refs::secret(&origin, &secret.id);
    Ok(located(web::json(201, &json!({"secret_ref": url})), &url))
}

pub fn located(mut response: Response, url: &str) -> Response {
    if let Ok(url) = HeaderValue::from_str(url) {
        response.headers_mut().insert(header::LOCATION, url);
    }
    response
}

fn accept(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok())
}

async fn show(
    State(app): State<Arc<Barbican>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    origin: Origin,
    headers: HeaderMap,
) -> Result {
    let mut conn = app.db.read().await?;
    let secret = store::get(&mut conn, &id).await?;
    let accept = accept(&headers);
    // The older way to ask for a payload.
    if !matches!(accept, None | Some("application/json" | "*/*")) {
        drop(conn);
        return payload_of(&app, &ctx, &secret, accept, "Secret retrieval").await;
    }
    check(&ctx, &secret.owned, Need::ReadOrAdmin, "Secret retrieval")?;
    let users = consumers::store::of_all(&mut conn, [id.as_str()]).await?;
    Ok(web::json(200, &view::secret(&ctx, &origin, &secret, &users)))
}

async fn decrypt(
    State(app): State<Arc<Barbican>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result {
    let secret = store::get(&mut *app.db.read().await?, &id).await?;
    payload_of(&app, &ctx, &secret, accept(&headers), "Secret payload retrieval").await
}

async fn payload_of(app: &Barbican, ctx: &Ctx, secret: &Secret, accept: Option<&str>, what: &str) -> Result {
    check(ctx, &secret.owned, Need::Read, what)?;
    let mut conn = app.db.read().await?;
    let cipher = store::payload(&mut conn, &secret.id).await?;
    let (Some(cipher), Some(kept)) = (cipher, &secret.content_type) else {
        return Err(Error::not_found("Not Found. Sorry but your secret has no payload.").into());
    };
    let bytes = app.vault.decrypt(&mut conn, &secret.owned.project_id, &cipher).await?;
    let (bytes, content_type) = payload::shown(bytes, kept, accept)?;
    let mut response = bytes.into_response();
    if let Ok(content_type) = HeaderValue::from_str(&content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    Ok(response)
}

async fn fill(
    State(app): State<Arc<Barbican>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    body: Body,
) -> Result {
    let secret = store::get(&mut *app.db.read().await?, &id).await?;
    check(&ctx, &secret.owned, Need::Change, "Secret update")?;
    let (bytes, content_type, encoding) = body.raw(&[payload::BINARY, payload::TEXT])?;
    let (payload, kept) = rules::later(&bytes, &content_type, encoding.as_deref())?;
    let written: Result<(), Error> = db::write!(app.db, |tx| {
        let cipher = app.vault.encrypt(tx, &secret.owned.project_id, &payload).await?;
        store::fill(tx, &ctx, &secret, cipher, kept).await
    });
    written?;
    Ok(no_content(204))
}

async fn delete(
    State(app): State<Arc<Barbican>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result {
    let secret = store::get(&mut *app.db.read().await?, &id).await?;
    check(&ctx, &secret.owned, Need::ChangeOrAdmin, "Secret deletion")?;
    let force = match params.flag("force") {
        None if params.has("force") => {
            return Err(Error::bad_request("URI provided invalid query string parameters.").into());
        }
        force => force.unwrap_or(false),
    };
    let written: Result<(), Error> = db::write!(app.db, |tx| {
        // Clients that know nothing of consumers are not kept from deleting.
        if ctx.at_least(1, 2) && !force && consumers::store::has_any(tx, &id).await? {
            return Err(Error::bad_request(
                "Secret deletion issue seen - Secret cannot be deleted as it has consumers..",
            ));
        }
        store::delete(tx, &ctx, &secret).await
    });
    written?;
    Ok(no_content(204))
}
