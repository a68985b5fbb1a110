//! Handlers of the requests that every noun has alike.

use std::pin::Pin;
use std::sync::Arc;

use web::{Caller, Origin, Params, Path, State};

use super::{Noun, pages};
use crate::Octavia;

type App = State<Arc<Octavia>>;
type Answer = Pin<Box<dyn Future<Output = web::Result> + Send>>;

pub fn list(noun: Noun) -> impl Fn(App, Caller, Origin, Params) -> Answer + Clone {
    move |State(app), Caller(ctx), Origin(origin), params| {
        Box::pin(async move { pages::list(&app, &ctx, noun, None, &params, &origin).await })
    }
}

pub fn show(noun: Noun) -> impl Fn(App, Caller, Path<String>, Params) -> Answer + Clone {
    move |State(app), Caller(ctx), Path(id), params| {
        Box::pin(async move { pages::show(&app, &ctx, noun, &id, None, &params).await })
    }
}

pub fn delete(noun: Noun) -> impl Fn(App, Caller, Path<String>) -> Answer + Clone {
    move |State(app), Caller(ctx), Path(id)| {
        Box::pin(async move { pages::delete(&app, &ctx, noun, &id, None).await })
    }
}

/// Of one pool or policy, whose id is first in the path.
pub fn list_in(
    noun: Noun,
    parent: Noun,
) -> impl Fn(App, Caller, Path<String>, Origin, Params) -> Answer + Clone {
    move |State(app), Caller(ctx), Path(id), Origin(origin), params| {
        Box::pin(async move { pages::list(&app, &ctx, noun, Some((parent, &id)), &params, &origin).await })
    }
}

pub fn show_in(noun: Noun) -> impl Fn(App, Caller, Path<(String, String)>, Params) -> Answer + Clone {
    move |State(app), Caller(ctx), Path((parent, id)), params| {
        Box::pin(async move { pages::show(&app, &ctx, noun, &id, Some(&parent), &params).await })
    }
}

pub fn delete_in(noun: Noun) -> impl Fn(App, Caller, Path<(String, String)>) -> Answer + Clone {
    move |State(app), Caller(ctx), Path((parent, id))| {
        Box::pin(async move { pages::delete(&app, &ctx, noun, &id, Some(&parent)).await })
    }
}
