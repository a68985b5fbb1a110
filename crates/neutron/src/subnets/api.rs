use std::sync::Arc;

use base::{Policy, Result, Rule};
use serde_json::{Value, json};
use web::{Caller, Json, Path, Routes, State};

use super::{SPEC, Subnet, rules, store};
use crate::plane::Wakes;
use crate::request::{Expected, View, created, list, one_view, show};
use crate::{Neutron, subnet_pools};

const GET: Policy = Policy::new("get_subnet", Rule::ProjectReaderOrService);
const CREATE: Policy = Policy::new("create_subnet", Rule::ProjectMember);
const UPDATE: Policy = Policy::new("update_subnet", Rule::ProjectMember);
const DELETE: Policy = Policy::new("delete_subnet", Rule::ProjectMember);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/v2.0/subnets", &GET, list::<Subnet>)
        .post("/v2.0/subnets", &CREATE, create)
        .get("/v2.0/subnets/{id}", &GET, show::<Subnet>)
        .put("/v2.0/subnets/{id}", &UPDATE, update)
        .delete("/v2.0/subnets/{id}", &DELETE, delete)
}

async fn create(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> web::Result {
    let (inputs, bulk) = SPEC.create(&ctx, &body)?;
    let made: Result<(Vec<View>, Wakes)> = db::write!(app.db, |tx| {
        let (mut views, mut wakes) = (Vec::new(), Wakes::default());
        for input in &inputs {
            let cidr = subnet_pools::store::cidr_for(tx, &ctx, input).await?;
            let subnet = rules::create(&ctx, input, cidr)?;
            wakes.extend(store::create(tx, &ctx, &subnet).await?);
            views.push(one_view(&app, tx, &ctx, subnet).await?);
        }
        Ok((views, wakes))
    });
    let (views, wakes) = made?;
    app.wake(&wakes);
    Ok(created(&SPEC, bulk, views))
}

async fn update(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    expected: Expected,
    Json(body): Json<Value>,
) -> web::Result {
    let input = SPEC.update(&ctx, &body)?;
    let updated: Result<(View, Wakes)> = db::write!(app.db, |tx| {
        let (before, _) = store::owned(tx, &ctx, &id, "update_subnet").await?;
        expected.check(before.standard.revision)?;
        let mut subnet = before.clone();
        rules::apply(&mut subnet, &input)?;
        let wakes = store::update(tx, &ctx, &before, &subnet).await?;
        Ok((one_view(&app, tx, &ctx, subnet).await?, wakes))
    });
    let (view, wakes) = updated?;
    app.wake(&wakes);
    Ok(web::json(200, &json!({ "subnet": view })))
}

async fn delete(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    expected: Expected,
) -> web::Result {
    let deleted: Result<Wakes> = db::write!(app.db, |tx| {
        let (subnet, _) = store::owned(tx, &ctx, &id, "delete_subnet").await?;
        expected.check(subnet.standard.revision)?;
        store::delete(tx, &ctx, &subnet).await
    });
    app.wake(&deleted?);
    Ok(web::no_content(204))
}
