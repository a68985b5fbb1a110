//! The glue between HTTP and services.
//!
//! ```text
//! request ─► Routes (request id, latency, fault rendering)
//!              └─► one route: token ─► Ctx, microversion, policy ─► api.rs handler ─► Result<Response, Fault>
//! ```
//!
//! A service says what it is ([`Service`]) and lists its routes, each with its policy:
//!
//! ```text
//! Routes::new(&SERVICE, gate, state)
//!     .get("/v2.0/networks", &policy::LIST, api::list)
//!     .post("/v2.0/networks", &policy::CREATE, api::create)
//!     .into_router()
//! ```
//!
//! Handlers take [`Caller`] (the `Ctx`), [`Params`] (the query), [`Json`] (the body), axum's `Path` and `State`, and
//! return [`Result`]; `?` works on `base::Error`.

mod answers;
mod body;
mod fault;
mod loopback;
mod params;
mod routes;
pub mod schema;
mod service;
mod token;

pub use answers::Answers;
pub use axum::extract::{Path, State};
pub use axum::response::{IntoResponse, Response};
pub use axum::{self, Router};
pub use body::{Json, json, no_content, raw_json};
pub use fault::{Fault, Result, refusal};
pub use loopback::{Loopback, Refused};
pub use params::{Params, encode, next_link};
pub use routes::Routes;
pub use service::{Service, Style};
pub use token::{Caller, Gate, Origin, Route, Tls, Verify};
