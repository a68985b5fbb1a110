//! `/allocation_candidates`.

use std::sync::Arc;

use base::{Error, Policy, Rule};
use web::{Caller, Params, Result, Routes, State};

use super::{plan, query, view};
use crate::wire::{Reads, dated, since};
use crate::{Placement, classes, traits, world};

const LIST: Policy = Policy::new("placement:allocation_candidates:list", Rule::Service);

pub fn routes(routes: Routes<Arc<Placement>>) -> Routes<Arc<Placement>> {
    routes.get("/allocation_candidates", &LIST, list)
}

async fn list(
    State(placement): State<Arc<Placement>>,
    Caller(ctx): Caller,
    _: Reads,
    params: Params,
) -> Result {
    since(&ctx, 10)?;
    let request = query::parse(&ctx, &params)?;
    let mut conn = placement.db.read().await?;
    let known = traits::store::all(&mut conn).await?;
    for group in &request.groups {
        for (class, _) in &group.resources {
            if !classes::store::exists(&mut conn, class).await? {
                return Err(Error::bad_request(format!(
                    "Invalid resource class in resources parameter: {}",
                    classes::unknown(class)
                ))
                .into());
            }
        }
    }
    for asked in request.groups.iter().map(|g| &g.traits).chain([&request.root]) {
        let strange = asked.unknown(&known);
        if !strange.is_empty() {
            let e = traits::unknown(strange.iter().map(String::as_str));
            return Err(Error::bad_request(e.message).into());
        }
    }
    let world = world::load(&mut conn).await?;
    drop(conn);
    let found = plan::candidates(&world, &request);
    Ok(dated(&ctx, web::json(200, &view::found(&ctx, &world, &request, &found)), None))
}
