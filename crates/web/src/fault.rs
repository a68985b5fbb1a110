//! `base::Error` as HTTP, in each service's own words. The only place where an error becomes JSON.

use axum::response::{IntoResponse, Response};
use base::{Error, Kind, Microversion};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::{Service, Style};

pub type Result<T = Response, E = Fault> = std::result::Result<T, E>;

/// What handlers fail with. The service's wrapper renders it, so a handler need not know its style.
#[derive(Debug)]
pub struct Fault(pub Error);

impl<E: Into<Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Fault(error.into())
    }
}

/// The error on its way to the wrapper.
#[derive(Clone)]
pub(crate) struct Pending(pub std::sync::Arc<Error>);

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = status(self.0.kind).into_response();
        response.extensions_mut().insert(Pending(std::sync::Arc::new(self.0)));
        response
    }
}

fn status(kind: Kind) -> StatusCode {
    StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// `version`: what the request asked for, if the service has versions and understood it.
pub(crate) fn render(
    service: &Service,
    error: &Error,
    request_id: &str,
    version: Option<Microversion>,
) -> Response {
    // 501 is an answer like any refusal.
    if error.kind.status() >= 500 && error.kind != Kind::NotImplemented {
        tracing::error!(request_id, service = service.name, ?error, "request failed");
    } else {
        tracing::debug!(request_id, service = service.name, ?error, "request refused");
    }
    let status = status(error.kind);
    let code = status.as_u16();
    let title = status.canonical_reason().unwrap_or_default();
    let message = &error.message;
    let body = if error.kind == Kind::Unauthorized {
        // Every service answers a bad token through the same middleware, in Keystone's shape.
        json!({"error": {"message": message, "code": code, "title": title}})
    } else {
        match service.style {
            Style::Keystone => json!({"error": {"code": code, "message": message, "title": title}}),
            Style::Nova => json!({nova_name(error.kind): {"code": code, "message": message}}),
            Style::Neutron => {
                let kind = if error.code.is_empty() { neutron_type(error.kind) } else { error.code };
                json!({"NeutronError": {"type": kind, "message": message, "detail": ""}})
            }
            Style::Glance => {
                json!({"message": format!("{message}<br /><br />\n\n\n"), "code": format!("{code} {title}"), "title": title})
            }
            Style::Barbican => json!({"code": code, "title": title, "description": message}),
            Style::Octavia => {
                let who = if code < 500 { "Client" } else { "Server" };
                json!({"faultcode": who, "faultstring": message, "debuginfo": null})
            }
            Style::Placement => {
                let mut fault = json!({
                    "status": code, "title": title, "detail": format!("{message}\n\n   "),
                    "request_id": request_id,
                });
                if version >= Some(Microversion::new(1, 23)) {
                    let kind = if error.code.is_empty() { "placement.undefined_code" } else { error.code };
                    fault["code"] = json!(kind);
                }
                if let (None, Kind::NotAcceptable, Some((min, max))) =
                    (version, error.kind, service.microversions)
                {
                    fault["min_version"] = json!(min.to_string());
                    fault["max_version"] = json!(max.to_string());
                }
                json!({"errors": [fault]})
            }
        }
    };
    let mut response = (status, body.to_string()).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if error.kind == Kind::Unauthorized {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Keystone uri=\"/identity\""));
    }
    response
}

/// A refusal that comes from no service's handler, in a service's style: for what stands before the services.
pub fn refusal(style: Style, error: &Error) -> Response {
    let service =
        Service { name: "none", style, microversions: None, legacy_header: None, for_projects: false };
    let id = base::id::request_id();
    let mut response = render(&service, error, &id, None);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-openstack-request-id", value);
    }
    response
}

/// The fault names of Nova's API guide; whatever has none is a computeFault, 406 and 410 too.
fn nova_name(kind: Kind) -> &'static str {
    match kind {
        Kind::BadRequest => "badRequest",
        Kind::Unauthorized => "unauthorized",
        Kind::Forbidden => "forbidden",
        Kind::NotFound => "itemNotFound",
        Kind::MethodNotAllowed => "badMethod",
        Kind::Conflict => "conflictingRequest",
        Kind::TooLarge | Kind::TooManyRequests => "overLimit",
        Kind::UnsupportedMediaType => "badMediaType",
        Kind::NotImplemented => "notImplemented",
        Kind::Unavailable => "serviceUnavailable",
        Kind::NotAcceptable
        | Kind::Gone
        | Kind::LengthRequired
        | Kind::PreconditionFailed
        | Kind::RangeNotSatisfiable
        | Kind::PreconditionRequired
        | Kind::Internal => "computeFault",
    }
}

/// For errors that no Neutron exception was named for.
fn neutron_type(kind: Kind) -> &'static str {
    match kind {
        Kind::BadRequest
        | Kind::LengthRequired
        | Kind::PreconditionRequired
        | Kind::UnsupportedMediaType
        | Kind::TooLarge
        | Kind::RangeNotSatisfiable
        | Kind::NotAcceptable => "HTTPBadRequest",
        Kind::Unauthorized => "HTTPUnauthorized",
        Kind::Forbidden => "PolicyNotAuthorized",
        Kind::NotFound | Kind::Gone => "HTTPNotFound",
        Kind::MethodNotAllowed => "HTTPMethodNotAllowed",
        Kind::Conflict => "Conflict",
        Kind::PreconditionFailed => "HTTPPreconditionFailed",
        Kind::TooManyRequests | Kind::Unavailable => "ServiceUnavailable",
        Kind::Internal => "HTTPInternalServerError",
        Kind::NotImplemented => "HTTPNotImplemented",
    }
}
