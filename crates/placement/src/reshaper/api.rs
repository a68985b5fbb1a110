//! `/reshaper`.

use std::sync::{Arc, LazyLock};

use base::{Policy, Rule};
use serde_json::json;
use web::schema::Schema;
use web::{Caller, Result, Routes, State};

use super::store::{self, Shape};
use crate::Placement;
use crate::allocations::rules::{self as allocations, ByVersion};
use crate::inventories::rules as inventories;
use crate::wire::{Content, since, valid_body};

/// Only services reshape; an administrator by hand would race with them.
const RESHAPE: Policy = Policy::new("placement:reshaper:reshape", Rule::ServiceAlone);

pub fn routes(routes: Routes<Arc<Placement>>) -> Routes<Arc<Placement>> {
    routes.post("/reshaper", &RESHAPE, reshape)
}

static BODY: ByVersion = LazyLock::new(|| {
    [30, 34, 38]
        .into_iter()
        .map(|minor| {
            let shapes = json!({
                "type": "object", "minProperties": 1, "additionalProperties": false,
                "patternProperties": {"^[0-9a-fA-F-]{36}$": inventories::whole()},
            });
            let document = json!({
                "type": "object", "required": ["inventories", "allocations"], "additionalProperties": false,
                "properties": {"inventories": shapes, "allocations": allocations::many(minor, 0)},
            });
            (minor, Schema::new(&document))
        })
        .collect()
});

async fn reshape(
    State(placement): State<Arc<Placement>>,
    Caller(ctx): Caller,
    Content(body): Content,
) -> Result {
    since(&ctx, 30)?;
    if let Some(schema) = allocations::schema(&BODY, &ctx) {
        valid_body(schema, &body)?;
    }
    let shapes: Vec<Shape> = body["inventories"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(provider, inner)| Shape {
            provider: provider.clone(),
            generation: inner["resource_provider_generation"].as_i64().unwrap_or(-1),
            inventories: inventories::read_all(inner),
        })
        .collect();
    let changes = allocations::read_many(&ctx, &body["allocations"]);
    store::reshape(&placement.db, &ctx, &shapes, &changes).await?;
    Ok(web::no_content(204))
}
