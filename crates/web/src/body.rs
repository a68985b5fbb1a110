//! Request bodies in, JSON out.

use axum::body::Body;
use axum::extract::{FromRequest, OptionalFromRequest, Request};
use axum::response::{IntoResponse, Response};
use base::Error;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Fault;

/// No API call of OpenStack needs more; image data is streamed, not read here. (oslo.middleware's own limit.)
const LIMIT: usize = 114_688;

/// A JSON body. Take `Json<serde_json::Value>` and parse it in the room's own words where the service has a schema
/// whose messages clients see; a typed `T` where a plain 400 will do.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &S) -> Result<Self, Fault> {
        parse(&read(request).await?).map(Json)
    }
}

/// For the few calls whose body may be missing.
impl<T: DeserializeOwned, S: Sync> OptionalFromRequest<S> for Json<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &S) -> Result<Option<Self>, Fault> {
        let bytes = read(request).await?;
        if bytes.is_empty() { Ok(None) } else { parse(&bytes).map(|value| Some(Json(value))) }
    }
}

async fn read(request: Request) -> Result<Bytes, Fault> {
    let bytes = axum::body::to_bytes(request.into_body(), LIMIT)
        .await
        .map_err(|e| Error::too_large("Request is too large.").because(e))?;
    Ok(bytes)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    let value = serde_json::from_slice(bytes).map_err(|e| {
        if e.is_data() {
            Error::bad_request(format!("Invalid input: {e}."))
        } else {
            Error::bad_request(format!("Malformed request body: {e}."))
        }
    })?;
    Ok(value)
}

/// An answer with a JSON body.
pub fn json(status: u16, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => raw_json(status, bytes),
        Err(e) => Fault(Error::internal(e)).into_response(),
    }
}

/// An answer whose JSON text exists already.
pub fn raw_json(status: u16, text: impl Into<Body>) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub fn no_content(status: u16) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::NO_CONTENT);
    response
}
