//! One service's HTTP API called from inside the process: Nova's oldest calls are other services' calls in other words.
//! The caller's own rights go along, so the other service decides what they may do there.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use base::{Auth, Ctx, Error, Kind};
use http::{Method, Request, header};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::{Gate, Verify};

/// A service as a caller inside the process sees it.
pub struct Loopback {
    router: Router,
    callers: Arc<Callers>,
}

/// Calls under way: their one-time tokens and whose they are.
#[derive(Default)]
struct Callers(Mutex<HashMap<String, Arc<Auth>>>);

impl Callers {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Auth>>> {
        // Nothing that can panic runs under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Verify for Callers {
    async fn verify(&self, token: &str) -> Result<Arc<Auth>, Error> {
        self.lock()
            .get(token)
            .cloned()
            .ok_or_else(|| Error::unauthorized("The request you have made requires authentication."))
    }
}

/// What the other service refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub status: u16,
    /// The name of the fault where the service has names (Neutron's exceptions).
    pub name: String,
    pub message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match Kind::from_status(refused.status) {
            Some(kind) if refused.status < 500 => Error::new(kind, refused.message),
            _ => Error::internal(refused),
        }
    }
}

struct Call<'a> {
    callers: &'a Callers,
    token: String,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.callers.lock().remove(&self.token);
    }
}

impl Loopback {
    /// `build` makes the service's router behind the given gate.
    pub fn new(build: impl FnOnce(Gate) -> Router) -> Self {
        let callers = Arc::new(Callers::default());
        Loopback { router: build(callers.clone()), callers }
    }

    /// `path` is the service's own, with its query. The answer is its JSON, null where there is none.
    ///
    /// # Errors
    /// The service's refusal, or 502 when what it said is no JSON.
    pub async fn call(
        &self,
        ctx: &Ctx,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<Value, Refused> {
        let call = Call { callers: &self.callers, token: base::id::hex() };
        self.callers.lock().insert(call.token.clone(), ctx.auth.clone());
        let broken = |what: String| Refused { status: 502, name: String::new(), message: what };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header("x-auth-token", &call.token);
        if let Some((kind, _)) = body {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let body = body.map_or_else(Body::empty, |(_, value)| Body::from(value.to_string()));
        let request = request.body(body).map_err(|e| broken(format!("a call of {path}: {e}")))?;
        let Ok(response) = self.router.clone().oneshot(request).await;
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .map_err(|e| broken(format!("the answer of {path}: {e}")))?;
        if status >= 400 {
            return Err(refusal(status, &serde_json::from_slice(&bytes).unwrap_or_default()));
        }
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|e| broken(format!("the answer of {path}: {e}")))
    }
}

/// Every service has its own shape of fault; all have a `message` at the top or one level below.
fn refusal(status: u16, body: &Value) -> Refused {
    let inner = body.as_object().and_then(|map| map.values().find(|v| v["message"].is_string()));
    let fault = inner.unwrap_or(body);
    let message = fault["message"].as_str().unwrap_or_default();
    // Glance decorates its messages for browsers.
    let message = message.split("<br />").next().unwrap_or_default().trim();
    Refused { status, name: fault["type"].as_str().unwrap_or_default().into(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Caller, Json, Path, Routes, Service, State, Style};
    use base::{Policy, Rule};
    use serde_json::json;

    static SERVICE: Service = Service {
        name: "network",
        style: Style::Neutron,
        microversions: None,
        legacy_header: None,
        for_projects: false,
    };
    const POLICY: Policy = Policy::new("get_thing", Rule::Admin);

    fn loopback() -> Loopback {
        Loopback::new(|gate| {
            Routes::new(&SERVICE, gate, ())
                .post(
                    "/things/{id}",
                    &POLICY,
                    async |State(()): State<()>,
                           Caller(ctx): Caller,
                           Path(id): Path<String>,
                           Json(body): Json<Value>| {
                        if id == "none" {
                            return Err(Error::not_found("No thing.").code("ThingNotFound").into());
                        }
                        Ok::<_, crate::Fault>(crate::json(200, &json!({"user": ctx.user_id(), "body": body})))
                    },
                )
                .into_router()
        })
    }

    #[tokio::test]
    async fn a_call_carries_its_caller_and_brings_answers_and_faults_back() {
        let service = loopback();
        let ctx = Ctx::internal("test");
        let body = json!({"a": 1});
        let call = async |path: &str| {
            service.call(&ctx, Method::POST, path, Some(("application/json", &body))).await
        };
        assert_eq!(call("/things/one").await, Ok(json!({"user": "internal-test", "body": {"a": 1}})));
        let refused = call("/things/none").await.unwrap_err();
        assert_eq!((refused.status, &*refused.name, &*refused.message), (404, "ThingNotFound", "No thing."));
        assert_eq!(Error::from(refused).kind, Kind::NotFound);
        assert!(service.callers.lock().is_empty());
    }

    #[test]
    fn a_message_is_found_in_every_shape() {
        let of = |body: Value| refusal(400, &body).message;
        assert_eq!(of(json!({"NeutronError": {"type": "X", "message": "m", "detail": ""}})), "m");
        assert_eq!(of(json!({"message": "m<br /><br />\n\n\n", "code": "400 Bad Request"})), "m");
        assert_eq!(of(json!("text")), "");
    }
}
