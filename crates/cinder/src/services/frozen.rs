//! `/v3/os-services/freeze`, `thaw` and `failover_host`: what an admin does with a backend that is replicated elsewhere.
//! This one is not, so nothing fails over.

use std::sync::Arc;

use base::{Error, Result as Checked};
use serde_json::Value;
use web::{Json, Result, State};

use super::{VOLUME, store};
use crate::Cinder;
use crate::asker::Asker;
use crate::form::{Form, since};
use crate::words::invalid_input;

type Cinders = State<Arc<Cinder>>;

pub async fn freeze(State(cinder): Cinders, asker: Asker, Json(body): Json<Value>) -> Result {
    set(&cinder, &asker, &body, true).await
}

pub async fn thaw(State(cinder): Cinders, asker: Asker, Json(body): Json<Value>) -> Result {
    set(&cinder, &asker, &body, false).await
}

/// The host that is meant, which is this one.
fn host(cinder: &Cinder, form: &Form<'_>) -> Checked<String> {
    let host = form.text("host", 1)?.ok_or_else(|| invalid_input("Host field is missing."))?;
    match host == cinder.backend() || host == cinder.config.host {
        true => Ok(host.to_owned()),
        false => Err(invalid_input(format!("Service could not be found on host {host}."))),
    }
}

async fn set(cinder: &Cinder, asker: &Asker, body: &Value, frozen: bool) -> Result {
    let form = Form::inner(body, "body", &["host", "cluster"])?;
    let host = host(cinder, &form)?;
    if !store::freeze(&cinder.db, &asker.ctx, VOLUME, frozen).await? {
        let must = if frozen { "False" } else { "True" };
        return Err(invalid_input(format!(
            "No service could be changed: frozen in ['{host}'] must be {must} to failover."
        ))
        .into());
    }
    Ok(web::no_content(200))
}

pub async fn failover_host(State(cinder): Cinders, _: Asker, Json(body): Json<Value>) -> Result {
    Ok(refuse(&cinder, &body).map(|()| web::no_content(202))?)
}

pub async fn failover(State(cinder): Cinders, asker: Asker, Json(body): Json<Value>) -> Result {
    since(&asker.ctx, 26)?;
    Ok(refuse(&cinder, &body).map(|()| web::no_content(202))?)
}

/// `replication_status` is "disabled" here, always.
fn refuse(cinder: &Cinder, body: &Value) -> Checked<()> {
    let form = Form::inner(body, "body", &["host", "cluster", "backend_id"])?;
    let host = host(cinder, &form)?;
    Err::<(), Error>(invalid_input(format!(
        "No service could be changed: replication_status in ['{host}'] must be enabled or failed-over and must be up to \
         failover."
    )))
}
