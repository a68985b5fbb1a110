//! A service's routes. A route is a value that carries its policy; one without does not compile.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use base::{Ctx, Error, Kind, Microversion, Policy, Rule};
use http::{HeaderMap, HeaderName, HeaderValue};
use tracing::Instrument;

use crate::fault::{Pending, render};
use crate::token::{Route, token_of};
use crate::{Fault, Gate, Service, Style};

pub struct Routes<S> {
    service: &'static Service,
    gate: Gate,
    state: S,
    router: Router<S>,
}

macro_rules! methods {
    ($($name:ident $filter:ident),*) => {$(
        pub fn $name<T, H>(self, path: &'static str, policy: &'static Policy, handler: H) -> Self
        where H: Handler<T, S>, T: 'static {
            self.route(stringify!($filter), MethodFilter::$filter, path, policy, handler)
        }
    )*};
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    pub fn new(service: &'static Service, gate: Gate, state: S) -> Self {
        Routes { service, gate, state, router: Router::new() }
    }

    methods! { get GET, post POST, put PUT, patch PATCH, delete DELETE, head HEAD }

    fn route<T, H>(
        mut self,
        method: &'static str,
        filter: MethodFilter,
        path: &'static str,
        policy: &'static Policy,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.gate.guards(&Route { service: self.service.name, method, path, policy });
        let entry = Entry { service: self.service, gate: self.gate.clone(), policy };
        self.router =
            self.router.route(path, on(filter, handler).layer(middleware::from_fn_with_state(entry, enter)));
        self
    }

    pub fn into_router(self) -> Router {
        let gate = Wrapper { service: self.service };
        let is_nova = self.service.style == Style::Nova;
        self.router
            .fallback(|| async { Fault(Error::not_found("The resource could not be found.")) })
            .method_not_allowed_fallback(move || async move {
                // Nova's router knows pairs of path and method: another method is another path.
                Fault(match is_nova {
                    true => Error::not_found("The resource could not be found."),
                    false => Error::new(
                        Kind::MethodNotAllowed,
                        "The method specified is not allowed for this resource.",
                    ),
                })
            })
            .layer(middleware::from_fn_with_state(gate, wrap))
            .with_state(self.state)
    }
}

/// What one route needs before its handler runs.
#[derive(Clone)]
struct Entry {
    service: &'static Service,
    gate: Gate,
    policy: &'static Policy,
}

async fn enter(State(entry): State<Entry>, mut request: Request, next: Next) -> Result<Response, Fault> {
    let microversion = microversion(entry.service, request.headers())?;
    request.extensions_mut().insert(microversion);
    if entry.policy.rule != Rule::Public {
        let token = token_of(request.headers())?;
        let (method, path) = (request.method().as_str(), request.uri().path());
        let auth = entry.gate.admit(token, entry.service.name, method, path).await?;
        let request_id = request.extensions().get::<RequestId>().map_or_else(|| "".into(), |r| r.0.clone());
        let ctx = Ctx { auth, request_id, microversion };
        if entry.service.for_projects {
            entry.policy.check_is_for_project(&ctx.auth)?;
        }
        // Roles only: who owns the thing is known in rules.rs, which asks again with the owner.
        ctx.authorize(entry.policy, None)?;
        request.extensions_mut().insert(ctx);
    }
    let mut response = next.run(request).await;
    if entry.service.microversions.is_some() {
        stamp(entry.service, microversion, response.headers_mut());
    }
    Ok(response)
}

/// The version a request asks for. `OpenStack-API-Version: compute 2.96`, the older header, or `latest`.
fn microversion(service: &Service, headers: &HeaderMap) -> Result<Microversion, Error> {
    let Some((min, max)) = service.microversions else { return Ok(Microversion::default()) };
    let asked = headers
        .get("openstack-api-version")
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.split(',').find_map(|part| part.trim().strip_prefix(service.name)?.strip_prefix(' ')))
        .or_else(|| service.legacy_header.and_then(|name| headers.get(name)?.to_str().ok()));
    let Some(text) = asked.map(str::trim) else { return Ok(min) };
    if text == "latest" {
        return Ok(max);
    }
    let version: Microversion = text.parse().map_err(|()| {
        Error::bad_request(format!(
            "API Version String {text} is of invalid format. Must be of format MajorNum.MinorNum."
        ))
    })?;
    if version < min || version > max {
        return Err(Error::not_acceptable(format!(
            "Version {version} is not supported by the API. Minimum is {min} and maximum is {max}."
        )));
    }
    Ok(version)
}

fn stamp(service: &Service, version: Microversion, headers: &mut HeaderMap) {
    if let Ok(value) = HeaderValue::from_str(&format!("{} {version}", service.name)) {
        headers.insert("openstack-api-version", value);
    }
    let mut vary = "OpenStack-API-Version".to_owned();
    if let Some(name) = service.legacy_header {
        if let (Ok(name), Ok(value)) =
            (HeaderName::try_from(name), HeaderValue::from_str(&version.to_string()))
        {
            headers.insert(name, value);
        }
        vary = format!("{vary}, {name}");
    }
    if let Ok(value) = HeaderValue::from_str(&vary) {
        headers.insert(http::header::VARY, value);
    }
}

#[derive(Clone)]
pub(crate) struct RequestId(pub Arc<str>);

#[derive(Clone)]
struct Wrapper {
    service: &'static Service,
}

/// Around every request of a service: its id, its latency, its fault.
async fn wrap(State(wrapper): State<Wrapper>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let service = wrapper.service;
    let id: Arc<str> = base::id::request_id().into();
    request.extensions_mut().insert(RequestId(id.clone()));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    // Only Placement's faults differ by version.
    let version = match service.style {
        Style::Placement => microversion(service, request.headers()).ok(),
        _ => None,
    };
    // At the level of errors, so that whatever is logged says which request caused it.
    let span = tracing::error_span!("request", request_id = &*id);
    let mut response = next.run(request).instrument(span).await;
    if let Some(Pending(error)) = response.extensions_mut().remove::<Pending>() {
        let versions = response.headers().clone();
        response = render(service, &error, &id, version);
        response.headers_mut().extend(
            versions
                .into_iter()
                .filter(|(n, _)| n.as_ref().is_some_and(|n| n.as_str().contains("api-version"))),
        );
    } else if response.status().as_u16() >= 400
        && response.headers().get(http::header::CONTENT_TYPE).is_none_or(|t| t != "application/json")
    {
        // axum's own refusals (a path that is not UTF-8, say) in the service's words.
        let error = Error::bad_request(
            "The server could not comply with the request since it is either malformed or otherwise incorrect.",
        );
        if response.status().as_u16() < 500 {
            response = render(service, &error, &id, version);
        }
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-openstack-request-id", value.clone());
        if service.style == Style::Nova {
            response.headers_mut().insert("x-compute-request-id", value);
        }
    }
    tracing::info!(
        request_id = &*id,
        service = service.name,
        %method,
        path,
        status = response.status().as_u16(),
        micros = started.elapsed().as_micros() as u64,
        "request"
    );
    response
}
