//! /v3/auth/tokens

use std::sync::Arc;

use base::{Ctx, Error};
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;
use web::{Json, Origin, Params, Response, Result, State};

use super::request::AuthRequest;
use super::revocation::{self, Subject};
use super::{Session, rules};
use crate::access::{Policy, Target};
use crate::call::Call;
use crate::errors::{is_unauthorized, not_found};
use crate::listing::url;
use crate::oauth::Signed;
use crate::{Keystone, Service, change};

pub(super) const SUBJECT: &str = "x-subject-token";

/// How long after its end a token may still be validated with `allow_expired`, by services finishing long work: two
/// days, as Keystone's default.
pub const ALLOW_EXPIRED_MICROS: i64 = 48 * 3600 * 1_000_000;

pub async fn issue(
    State(keystone): Service,
    headers: HeaderMap,
    origin: Origin,
    params: Params,
    Json(body): Json<Value>,
) -> Result {
    let signed = Signed::of(&headers, url(&origin, "auth/tokens"), &params);
    let (token, session) = keystone.authenticate(AuthRequest::parse(body)?, signed.as_ref()).await?;
    answer(&keystone, 201, &token, &session, &params).await
}

pub async fn validate(Call { keystone, ctx, params, .. }: Call, headers: HeaderMap) -> Result {
    let (token, session) = subject(&keystone, &ctx, &headers, &params, &rules::VALIDATE).await?;
    answer(&keystone, 200, token, &session, &params).await
}

pub async fn check(Call { keystone, ctx, params, .. }: Call, headers: HeaderMap) -> Result {
    let (token, session) = subject(&keystone, &ctx, &headers, &params, &rules::CHECK).await?;
    answer(&keystone, 200, token, &session, &params).await
}

pub async fn revoke(Call { keystone, ctx, params, .. }: Call, headers: HeaderMap) -> Result {
    let (_, session) = subject(&keystone, &ctx, &headers, &params, &rules::REVOKE).await?;
    let audit_id = session.claims.audit_id;
    let id = revocation::audit_text(&audit_id);
    change!(keystone, &ctx, "token.revoke", &id, |tx| {
        Ok(revocation::revoke(tx, Subject::Token(&audit_id), keystone.token_ttl).await?)
    })?;
    Ok(web::no_content(204))
}

/// The token that a request is about; whoever may not ask learns only that it exists, as with Keystone.
async fn subject<'h>(
    keystone: &Keystone,
    ctx: &Ctx,
    headers: &'h HeaderMap,
    params: &Params,
    policy: &Policy,
) -> Result<(&'h str, Arc<Session>), Error> {
    let missing = || not_found("token", "the X-Subject-Token header holds no valid token");
    let token = headers.get(SUBJECT).and_then(|v| v.to_str().ok()).ok_or_else(missing)?;
    let found = if params.flag("allow_expired") == Some(true) {
        keystone.session_expired(token, ALLOW_EXPIRED_MICROS).await
    } else {
        keystone.session(token).await
    };
    let session = found.map_err(|e| if is_unauthorized(&e) { missing() } else { e })?;
    policy.enforce(ctx, &Target::user(&session.claims.user_id))?;
    Ok((token, session))
}

pub(super) async fn answer(
    keystone: &Keystone,
    status: u16,
    token: &str,
    session: &Session,
    params: &Params,
) -> Result<Response> {
    let text = if params.has("nocatalog") {
        session.json(None)
    } else {
        session.json(Some(&keystone.snapshot().await?.catalog))
    };
    let mut response = web::raw_json(status, text);
    let headers = response.headers_mut();
    headers.insert(SUBJECT, HeaderValue::from_str(token).map_err(Error::internal)?);
    headers.insert(header::VARY, HeaderValue::from_static("X-Auth-Token"));
    Ok(response)
}
