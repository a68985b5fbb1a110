//! From a token to a `Ctx`.

use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::FromRequestParts;
use base::{Auth, Ctx, Error, Policy};
use http::request::Parts;
use http::{HeaderMap, header};

use crate::Fault;

/// Keystone, seen by every other service; joined in the binary's assemble.rs.
#[async_trait]
pub trait Verify: Send + Sync + 'static {
    /// 401 for anything that is not a valid token.
    async fn verify(&self, token: &str) -> Result<Arc<Auth>, Error>;

    /// As `verify`, also asking whether the token may be used for this call: application credentials can be limited by
    /// access rules. `path` is the service's own, without its mount.
    async fn admit(
        &self,
        token: &str,
        _service: &str,
        _method: &str,
        _path: &str,
    ) -> Result<Arc<Auth>, Error> {
        self.verify(token).await
    }

    /// Hears of every route that it will guard, when the route is made. Only lists of routes need it.
    fn guards(&self, _route: &Route) {}
}

/// What there is to call, and who may.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// As in [`crate::Service::name`].
    pub service: &'static str,
    pub method: &'static str,
    /// The service's own, without its mount: `/v2.1/servers/{id}`.
    pub path: &'static str,
    pub policy: &'static Policy,
}

pub type Gate = Arc<dyn Verify>;

/// The value of X-Auth-Token.
pub(crate) fn token_of(headers: &HeaderMap) -> Result<&str, Error> {
    headers
        .get("x-auth-token")
        .and_then(|v| v.to_str().ok())
        .filter(|t| !t.is_empty())
        .ok_or_else(|| Error::unauthorized("The request you have made requires authentication."))
}

/// The request's context. Only routes with a token have one; a `Public` route must not ask for it.
#[derive(Debug, Clone)]
pub struct Caller(pub Ctx);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        parts
            .extensions
            .get::<Ctx>()
            .cloned()
            .map(Caller)
            .ok_or_else(|| Fault(Error::unauthorized("The request you have made requires authentication.")))
    }
}

/// `http://host:port` as the client wrote it: links in answers then work for whoever asked, on whichever address.
#[derive(Debug, Clone)]
pub struct Origin(pub String);

impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        let host = parts
            .headers
            .get(header::HOST)
            .and_then(|h| h.to_str().ok())
            .or_else(|| parts.uri.authority().map(|a| a.as_str()))
            .unwrap_or("localhost");
        let scheme = if parts.extensions.get::<Tls>().is_some() { "https" } else { "http" };
        Ok(Origin(format!("{scheme}://{host}")))
    }
}

/// Set by the listener on requests that came over TLS.
#[derive(Debug, Clone, Copy)]
pub struct Tls;
