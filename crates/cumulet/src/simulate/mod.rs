//! What only a simulated cloud has: delays and failures on demand, and the way back to its first state.
//!
//! | file | |
//! |---|---|
//! | [`api`] | `/simulate/..`, for admins |
//! | [`calls`] | API calls that are slow or refused |
//! | [`state`] | the files of the state that a reset returns to |
//!
//! ```text
//!            ┌── /simulate ──► api
//!  listener ─┤
//!            └── calls (slow? refused?) ──► the present cloud ◄── replaced as a whole by a reset
//! ```
//!
//! A reset closes the database under the old services, puts the kept files back and joins new services over them: so
//! no cache, no half-done activation and no row of before can be forgotten.

mod api;
mod calls;
mod state;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use host::fake::Fault;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, RwLock};
use tower::ServiceExt;
use web::Router;

pub use calls::{Call, Calls};

use crate::assemble::{self, Cloud};
use crate::config::Config;
use crate::drivers;

/// What is slow and what fails.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Calls to the fake host: machines, networks, routers.
    pub host: Vec<Fault>,
    /// Calls to the APIs.
    pub calls: Vec<Call>,
}

pub struct Simulation {
    config: Config,
    password: String,
    /// Requests that come during a reset wait for its end.
    current: RwLock<Arc<Cloud>>,
    calls: Calls,
    /// One reset or mark at a time.
    turn: Mutex<()>,
}

impl Simulation {
    /// Around a started cloud. Its state becomes the one to return to, unless one was kept before.
    pub async fn around(cloud: Arc<Cloud>, config: Config, password: String) -> anyhow::Result<Arc<Self>> {
        // Of resets that were cut off.
        state::drop_discarded(&config.data)?;
        if !state::is_kept(&config.data) {
            state::keep(&cloud.db, &config).await?;
        }
        Ok(Arc::new(Simulation {
            config,
            password,
            current: RwLock::new(cloud),
            calls: Calls::default(),
            turn: Mutex::default(),
        }))
    }

    pub async fn cloud(&self) -> Arc<Cloud> {
        self.current.read().await.clone()
    }

    pub async fn faults(&self) -> Faults {
        let host = self.cloud().await.drivers.fakes.as_ref().map(|fakes| fakes.rules()).unwrap_or_default();
        Faults { host, calls: self.calls.rules() }
    }

    /// Instead of all those before.
    pub async fn set_faults(&self, faults: Faults) {
        self.calls.set(faults.calls);
        if let Some(fakes) = &self.cloud().await.drivers.fakes {
            fakes.set_rules(&faults.host);
        }
    }

    /// The present state becomes the one that a reset returns to.
    pub async fn mark(&self) -> anyhow::Result<()> {
        let _turn = self.turn.lock().await;
        state::keep(&self.cloud().await.db, &self.config).await
    }

    /// Everything is as it was at the first start, or when it was last marked.
    pub async fn reset(&self) -> anyhow::Result<Duration> {
        let _turn = self.turn.lock().await;
        let begun = Instant::now();
        let mut current = self.current.write().await;
        current.stop();
        // Waits for statements that run; whoever comes later is refused and cannot touch the new state.
        current.db.abandon().await;
        let aside = state::put_back(&self.config)?;
        self.calls.set(Vec::new());
        let drivers = drivers::make(&self.config).await?;
        let cloud = assemble::assemble(&self.config, drivers, &self.password).await?;
        cloud.start(&self.config).await?;
        let before = std::mem::replace(&mut *current, Arc::new(cloud));
        drop(current);
        let took = begun.elapsed();
        tracing::info!(micros = took.as_micros() as u64, "the cloud was reset");
        // Answers need not wait for the old one's memory and files to be given back.
        tokio::task::spawn_blocking(move || {
            drop(before);
            if let Err(error) = state::remove(&aside) {
                tracing::warn!(%error, "the files of before the reset are still there");
            }
        });
        Ok(took)
    }

    /// What the listeners serve.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new().nest("/simulate", api::routes(self.clone())).fallback(pass).with_state(self.clone())
    }
}

async fn pass(State(simulation): State<Arc<Simulation>>, request: Request<Body>) -> Response {
    if let Some(refused) = simulation.calls.meet(request.method(), request.uri().path()).await {
        return refused;
    }
    let router = simulation.current.read().await.router.clone();
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// What a daemon serves and answers about: the cloud itself, or one in a simulation that may replace it.
#[derive(Clone)]
pub enum Served {
    Real(Arc<Cloud>),
    Simulated(Arc<Simulation>),
}

impl Served {
    pub async fn new(cloud: Cloud, config: &Config) -> anyhow::Result<Served> {
        let cloud = Arc::new(cloud);
        if !config.simulate {
            return Ok(Served::Real(cloud));
        }
        let password = config.data.read_password()?;
        Ok(Served::Simulated(Simulation::around(cloud, config.clone(), password).await?))
    }

    pub fn router(&self) -> Router {
        match self {
            Served::Real(cloud) => cloud.router.clone(),
            Served::Simulated(simulation) => simulation.router(),
        }
    }

    /// The present one.
    pub async fn cloud(&self) -> Arc<Cloud> {
        match self {
            Served::Real(cloud) => cloud.clone(),
            Served::Simulated(simulation) => simulation.cloud().await,
        }
    }

    /// For `cumulet reset`.
    pub async fn reset_or_mark(&self, mark: bool) -> anyhow::Result<serde_json::Value> {
        let Served::Simulated(simulation) = self else {
            bail!("this cloud has real machines: only one of `up --simulate` can be reset");
        };
        if mark {
            simulation.mark().await?;
            return Ok(serde_json::json!({}));
        }
        let took = simulation.reset().await?;
        Ok(serde_json::json!({"milliseconds": took.as_millis() as u64}))
    }
}
