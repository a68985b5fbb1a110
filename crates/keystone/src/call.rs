//! What every handler knows of its request before it looks at the path and the body, in one extractor.

use std::sync::Arc;

use base::Ctx;
use http::request::Parts;
use serde_json::{Map, Value};
use web::axum::extract::FromRequestParts;
use web::{Caller, Fault, Origin, Params, Response, Result};

use crate::Keystone;
use crate::errors::unauthorized;
use crate::tokens::Session;

pub struct Call {
    pub keystone: Arc<Keystone>,
    pub ctx: Ctx,
    pub origin: Origin,
    pub params: Params,
}

impl FromRequestParts<Arc<Keystone>> for Call {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, keystone: &Arc<Keystone>) -> Result<Self, Fault> {
        let Caller(ctx) = Caller::from_request_parts(parts, keystone).await?;
        let origin = Origin::from_request_parts(parts, keystone).await?;
        let params = Params::from_request_parts(parts, keystone).await?;
        Ok(Call { keystone: keystone.clone(), ctx, origin, params })
    }
}

/// The session behind the request's own token: it knows how the bearer logged in.
pub struct Own(pub Arc<Session>);

impl FromRequestParts<Arc<Keystone>> for Own {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, keystone: &Arc<Keystone>) -> Result<Self, Fault> {
        let token =
            parts.headers.get("x-auth-token").and_then(|v| v.to_str().ok()).ok_or_else(unauthorized)?;
        Ok(Own(keystone.session(token).await?))
    }
}

/// `{"user": {..}}`.
pub fn one(status: u16, noun: &str, view: Value) -> Response {
    let mut body = Map::new();
    body.insert(noun.to_owned(), view);
    web::json(status, &body)
}
