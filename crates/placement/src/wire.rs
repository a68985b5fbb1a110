//! The manners of Placement's HTTP: what it reads, what it refuses, which headers it adds.

use base::{Ctx, Error, Kind};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Map, Value};
use web::axum::extract::{FromRequest, FromRequestParts, Request};
use web::schema::Schema;
use web::{Fault, Params, Response};

/// Where the service is mounted; links start with it.
pub const MOUNT: &str = "/placement";

/// Asked for by what answers JSON: 406 when the client wants something else.
pub struct Reads;

impl<S: Sync> FromRequestParts<S> for Reads {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        let Some(accept) = parts.headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()) else {
            return Ok(Reads);
        };
        let fits = accept.split(',').any(|offer| {
            let kind = offer.split(';').next().unwrap_or_default().trim();
            ["application/json", "application/*", "*/*", ""].contains(&kind)
        });
        if fits { Ok(Reads) } else { Err(Error::not_acceptable("Only application/json is provided").into()) }
    }
}

/// A JSON body, sent as such.
pub struct Content(pub Value);

impl<S: Sync> FromRequest<S> for Content {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &S) -> Result<Self, Fault> {
        declared(request.headers())?;
        let bytes = web::axum::body::to_bytes(request.into_body(), LIMIT)
            .await
            .map_err(|e| Error::too_large("Request is too large.").because(e))?;
        let value =
            serde_json::from_slice(&bytes).map_err(|e| Error::bad_request(format!("Malformed JSON: {e}")))?;
        Ok(Content(value))
    }
}

/// A reshaping names every consumer of a host: far more than other services' bodies.
const LIMIT: usize = 4 << 20;

fn declared(headers: &HeaderMap) -> Result<(), Error> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let length = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    if kind.is_empty() && length.is_some_and(|l| l != "0") {
        return Err(Error::bad_request("content-type header required when content-length > 0"));
    }
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind == "application/json" {
        return Ok(());
    }
    let kind = if kind.is_empty() { "None" } else { kind };
    Err(Error::unsupported_media_type(format!(
        "The media type {kind} is not supported, use application/json"
    )))
}

pub fn valid_body(schema: &Schema, body: &Value) -> base::Result<()> {
    match schema.complaint(body) {
        None => Ok(()),
        Some(why) => Err(Error::bad_request(format!("JSON does not validate: {why}"))),
    }
}

pub fn valid_query(schema: &Schema, params: &Params) -> base::Result<()> {
    let query: Map<String, Value> =
        params.pairs().iter().map(|(k, v)| (k.clone(), Value::String(v.clone()))).collect();
    match schema.complaint(&Value::Object(query)) {
        None => Ok(()),
        Some(why) => Err(Error::bad_request(format!("Invalid query string parameters: {why}"))),
    }
}

/// 404 before the microversion that brought the call.
pub fn since(ctx: &Ctx, minor: u16) -> base::Result<()> {
    if ctx.at_least(1, minor) { Ok(()) } else { Err(Error::not_found("The resource could not be found.")) }
}

/// Last-Modified and Cache-Control, since 1.15. None: now.
pub fn dated(ctx: &Ctx, mut response: Response, changed: Option<i64>) -> Response {
    if ctx.at_least(1, 15) {
        let at = changed.unwrap_or_else(base::time::now);
        if let Ok(value) = HeaderValue::from_str(&http_date(at)) {
            response.headers_mut().insert(header::LAST_MODIFIED, value);
        }
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    response
}

fn http_date(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_zoned(jiff::tz::TimeZone::UTC)
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

pub fn located(mut response: Response, origin: &str, path: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(&format!("{origin}{MOUNT}{path}")) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

/// Somebody else changed it in between: read again, decide again, ask again.
pub fn concurrent(message: impl Into<String>) -> Error {
    Error::conflict(message).code("placement.concurrent_update")
}

/// 405 for a call that its microversion does not have yet.
pub fn not_allowed() -> Error {
    Error::new(Kind::MethodNotAllowed, "The method specified is not allowed for this resource.")
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates_are_those_of_http() {
        assert_eq!(super::http_date(784_111_777_000_000), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
