use std::sync::Arc;

use base::{Policy, Result, Rule};
use serde_json::{Value, json};
use web::{Caller, Params, Path, Routes, State};

use super::store;
use crate::plane::Wakes;
use crate::{Neutron, fault};

const GET: Policy = Policy::new("get_auto_allocated_topology", Rule::ProjectReader);
const DELETE: Policy = Policy::new("delete_auto_allocated_topology", Rule::ProjectMember);

/// The field that asks whether a topology could be made.
const DRY_RUN: &str = "dry-run";

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes.get("/v2.0/auto-allocated-topology/{project_id}", &GET, get).delete(
        "/v2.0/auto-allocated-topology/{project_id}",
        &DELETE,
        delete,
    )
}

fn answer(id: &str, project: &str) -> web::Result {
    let topology = json!({"id": id, "tenant_id": project, "project_id": project});
    Ok(web::json(200, &json!({ "auto_allocated_topology": topology })))
}

async fn get(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(named): Path<String>,
    params: Params,
) -> web::Result {
    let project = super::project(&ctx, &named)?;
    let fields: Vec<&str> = params.all("fields").collect();
    if fields.contains(&DRY_RUN) {
        store::check(&mut *app.db.read().await?).await?;
        return answer("dry-run=pass", project);
    }
    if !fields.is_empty() {
        return Err(fault::bad("auto_allocate", "Unrecognized field").into());
    }
    let network = app.auto_network(&ctx, project).await?;
    answer(&network, project)
}

async fn delete(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(named): Path<String>,
) -> web::Result {
    let project = super::project(&ctx, &named)?;
    let deleted: Result<Wakes> = db::write!(app.db, |tx| store::delete(tx, &ctx, project).await);
    app.wake(&deleted?);
    Ok(web::no_content(204))
}

impl Neutron {
    /// The network of the project's topology, made if it is not there.
    pub(crate) async fn auto_network(&self, ctx: &base::Ctx, project: &str) -> Result<String> {
        if let Some(network) = store::network_of(&mut *self.db.read().await?, project).await? {
            return Ok(network);
        }
        let mtu = self.config.default_mtu;
        let made: Result<(String, Wakes)> =
            db::write!(self.db, |tx| store::ensure(tx, ctx, project, mtu).await);
        let (network, wakes) = made?;
        self.wake(&wakes);
        Ok(network)
    }
}

/// Attributes as a client would send them.
pub(super) fn body(member: &str, mut attributes: Value, project: &str) -> Value {
    attributes["project_id"] = json!(project);
    json!({ member: attributes })
}
