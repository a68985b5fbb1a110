//! `GET|PUT|DELETE /simulate/faults`, `POST /simulate/reset`, `POST /simulate/mark`.

use std::sync::Arc;

use async_trait::async_trait;
use base::{Auth, Error, Policy, Rule};
use serde_json::json;
use web::{Json, Router, Routes, Service, State, Style, Verify};

use super::{Call, Faults, Simulation};

static SERVICE: Service = Service {
    name: "simulate",
    style: Style::Keystone,
    microversions: None,
    legacy_header: None,
    for_projects: false,
};

const FAULTS: Policy = Policy::new("cumulet:simulate:faults", Rule::Admin);
const RESET: Policy = Policy::new("cumulet:simulate:reset", Rule::Admin);

type Sim = State<Arc<Simulation>>;

pub fn routes<S: Clone + Send + Sync + 'static>(simulation: Arc<Simulation>) -> Router<S> {
    let gate = Arc::new(Present(simulation.clone()));
    Routes::new(&SERVICE, gate, simulation)
        .get("/faults", &FAULTS, show)
        .put("/faults", &FAULTS, replace)
        .delete("/faults", &FAULTS, clear)
        .post("/reset", &RESET, reset)
        .post("/mark", &RESET, mark)
        .into_router()
        .with_state(())
}

/// Tokens are those of the present cloud.
struct Present(Arc<Simulation>);

#[async_trait]
impl Verify for Present {
    async fn verify(&self, token: &str) -> Result<Arc<Auth>, Error> {
        self.0.cloud().await.keystone.verify(token).await
    }
}

async fn show(State(simulation): Sim) -> web::Result {
    Ok(web::json(200, &simulation.faults().await))
}

async fn replace(State(simulation): Sim, Json(faults): Json<Faults>) -> web::Result {
    faults.calls.iter().try_for_each(Call::check)?;
    simulation.set_faults(faults).await;
    show(State(simulation)).await
}

async fn clear(State(simulation): Sim) -> web::Result {
    simulation.set_faults(Faults::default()).await;
    Ok(web::no_content(204))
}

async fn reset(State(simulation): Sim) -> web::Result {
    let took = simulation.reset().await.map_err(|e| Error::internal(format!("{e:#}")))?;
    Ok(web::json(200, &json!({"milliseconds": took.as_millis() as u64})))
}

async fn mark(State(simulation): Sim) -> web::Result {
    simulation.mark().await.map_err(|e| Error::internal(format!("{e:#}")))?;
    Ok(web::no_content(204))
}
