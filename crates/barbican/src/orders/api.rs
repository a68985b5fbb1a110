//! `/v1/orders`

use std::sync::Arc;

use base::time::micros_naive;
use base::{Error, Kind, Policy, Rule};
use rand::Rng;
use serde_json::{Value, json};
use web::{Caller, Origin, Params, Path, Result, Routes, State, no_content};

use super::rules::Wanted;
use super::{Made, Order, pair, rules, store};
use crate::body::Body;
use crate::containers::Container;
use crate::refs::{self, Slice};
use crate::secrets::Secret;
use crate::secrets::api::located;
use crate::{Barbican, containers, quotas, secrets};

const LIST: Policy = Policy::new("orders:get", Rule::ProjectMember);
const CREATE: Policy = Policy::new("orders:post", Rule::ProjectMember);
const PUT: Policy = Policy::new("orders:put", Rule::ProjectMember);
const SHOW: Policy = Policy::new("order:get", Rule::ProjectMember);
const DELETE: Policy = Policy::new("order:delete", Rule::ProjectMember);

pub fn routes(routes: Routes<Arc<Barbican>>) -> Routes<Arc<Barbican>> {
    routes
        .get("/v1/orders", &LIST, list)
        .post("/v1/orders", &CREATE, create)
        .put("/v1/orders", &PUT, update)
        .get("/v1/orders/{id}", &SHOW, show)
        .delete("/v1/orders/{id}", &DELETE, delete)
}

fn view(origin: &Origin, order: &Order) -> Value {
    let (key, made) = match &order.made {
        Made::Secret(id) => ("secret_ref", refs::secret(origin, id)),
        Made::Container(id) => ("container_ref", refs::container(origin, id)),
    };
    json!({
        "order_ref": refs::order(origin, &order.id),
        (key): made,
        "type": order.kind,
        "meta": order.meta,
        "creator_id": order.creator_id,
        "status": "ACTIVE",
        "sub_status": "Unknown",
        "sub_status_message": "Unknown",
        "created": micros_naive(order.created_at),
        "updated": micros_naive(order.updated_at),
    })
}

async fn list(
    State(app): State<Arc<Barbican>>,
    Caller(ctx): Caller,
    origin: Origin,
    params: Params,
) -> Result {
    let slice = Slice::of(&params);
    let (page, total) = store::list(&mut *app.db.read().await?, ctx.require_project()?, slice).await?;
    let items = page.iter().map(|order| view(&origin, order)).collect();
    Ok(web::json(200, &slice.page(&origin, &params, "orders", "orders", items, total)))
}

async fn create(State(app): State<Arc<Barbican>>, Caller(ctx): Caller, origin: Origin, body: Body) -> Result {
    let project = ctx.require_project()?;
    let (order, wanted) = rules::new(&ctx, project, &body.object()?)?;
    let made = Goods::of(wanted).await?;
    let written: Result<(), Error> = db::write!(app.db, |tx| {
        quotas::store::check(tx, project, "orders", "Order creation").await?;
        for (secret, payload) in &made.secrets {
            let cipher = app.vault.encrypt(tx, project, payload).await?;
            secrets::store::insert(tx, &ctx, secret, Some(cipher)).await?;
        }
        if let Some(container) = &made.container {
            containers::store::create(tx, &ctx, container).await?;
        }
        store::insert(tx, &ctx, &order).await
    });
    written?;
    let url = refs::order(&origin, &order.id);
    Ok(located(web::json(202, &json!({"order_ref": url})), &url))
}

/// All that is written with an order.
struct Goods {
    secrets: Vec<(Secret, Vec<u8>)>,
    container: Option<Container>,
}

impl Goods {
    async fn of(wanted: Wanted) -> Result<Goods, Error> {
        match wanted {
            Wanted::Key { secret, bytes } => {
                let mut key = vec![0; bytes];
                rand::rng().fill_bytes(&mut key);
                Ok(Goods { secrets: vec![(*secret, key)], container: None })
            }
            Wanted::Pair { size, container, private, public } => {
                let pair = tokio::task::spawn_blocking(move || pair::generate(size)).await;
                let pair = pair.map_err(Error::internal)??;
                let secrets =
                    vec![(*private, pair.private.into_bytes()), (*public, pair.public.into_bytes())];
                Ok(Goods { secrets, container: Some(*container) })
            }
        }
    }
}

async fn update() -> Result {
    Err(Error::new(Kind::MethodNotAllowed, "Order update is not supported.").into())
}

async fn show(
    State(app): State<Arc<Barbican>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    origin: Origin,
) -> Result {
    let order = store::get(&mut *app.db.read().await?, ctx.require_project()?, &id).await?;
    Ok(web::json(200, &view(&origin, &order)))
}

async fn delete(State(app): State<Arc<Barbican>>, Caller(ctx): Caller, Path(id): Path<String>) -> Result {
    let order = store::get(&mut *app.db.read().await?, ctx.require_project()?, &id).await?;
    let written: Result<(), Error> = db::write!(app.db, |tx| store::delete(tx, &ctx, &order).await);
    written?;
    Ok(no_content(204))
}
