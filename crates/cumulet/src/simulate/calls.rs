//! API calls that are slow or refused before any service hears of them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::Method;
use axum::response::Response;
use base::Kind;
use serde::{Deserialize, Serialize};
use web::Style;

/// One rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Call {
    /// `compute`; None: any service.
    pub service: Option<String>,
    /// `POST`; None: any method.
    pub method: Option<String>,
    /// How the path begins, after the service: `/v2.1/servers`. None: any path.
    pub path: Option<String>,
    /// Milliseconds before the call goes on.
    pub delay_ms: u64,
    /// The call is answered with this and never reaches its service: 400, 401, 403, 404, 409, 413, 429, 500 or 503.
    pub status: Option<u16>,
    /// The fault's words.
    pub message: Option<String>,
    /// The rule is spent after so many calls; None: never.
    pub times: Option<u64>,
}

const KINDS: [Kind; 9] = [
    Kind::BadRequest,
    Kind::Unauthorized,
    Kind::Forbidden,
    Kind::NotFound,
    Kind::Conflict,
    Kind::TooLarge,
    Kind::TooManyRequests,
    Kind::Internal,
    Kind::Unavailable,
];

impl Call {
    /// What is wrong with the rule, if anything is.
    pub fn check(&self) -> Result<(), base::Error> {
        match self.status {
            Some(status) if kind(status).is_none() => Err(base::Error::bad_request(format!(
                "A call cannot be answered with {status}: use 400, 401, 403, 404, 409, 413, 429, 500 or 503."
            ))),
            _ => Ok(()),
        }
    }

    fn is_about(&self, service: &str, method: &str, path: &str) -> bool {
        self.service.as_deref().is_none_or(|s| s == service)
            && self.method.as_deref().is_none_or(|m| m.eq_ignore_ascii_case(method))
            && self.path.as_deref().is_none_or(|p| path.starts_with(p))
    }
}

/// By where services are mounted.
fn style(service: &str) -> Style {
    match service {
        "compute" | "volume" => Style::Nova,
        "network" => Style::Neutron,
        "image" => Style::Glance,
        "placement" => Style::Placement,
        "key-manager" => Style::Barbican,
        "load-balancer" => Style::Octavia,
        _ => Style::Keystone,
    }
}

fn kind(status: u16) -> Option<Kind> {
    KINDS.into_iter().find(|k| k.status() == status)
}

#[derive(Debug, Default)]
pub struct Calls(Mutex<Vec<Call>>);

impl Calls {
    /// Replaces all rules.
    pub fn set(&self, rules: Vec<Call>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    pub fn rules(&self) -> Vec<Call> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Holds a call up as the rules say; Some: it goes no further.
    pub async fn meet(&self, method: &Method, path: &str) -> Option<Response> {
        let (service, rest) = path.get(1..)?.split_at_checked(path.get(1..)?.find('/')?)?;
        let (delay, refusal) = {
            let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if rules.is_empty() {
                return None;
            }
            let mut delay = 0;
            let mut refusal = None;
            for rule in rules.iter_mut().filter(|rule| rule.is_about(service, method.as_str(), rest)) {
                delay += rule.delay_ms;
                refusal = refusal.or_else(|| Some((rule.status?, rule.message.clone())));
                if let Some(times) = &mut rule.times {
                    *times = times.saturating_sub(1);
                }
            }
            rules.retain(|rule| rule.times != Some(0));
            (delay, refusal)
        };
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        let (status, message) = refusal?;
        let message = message.unwrap_or_else(|| "Refused, as the simulation was asked to.".into());
        Some(web::refusal(style(service), &base::Error::new(kind(status)?, message)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_rule_is_met_by_its_calls_only_and_spent() {
        let calls = Calls::default();
        let rule = Call {
            service: Some("compute".into()),
            method: Some("POST".into()),
            path: Some("/v2.1/servers".into()),
            status: Some(503),
            times: Some(2),
            ..Call::default()
        };
        calls.set(vec![rule]);
        assert!(calls.meet(&Method::GET, "/compute/v2.1/servers").await.is_none());
        assert!(calls.meet(&Method::POST, "/network/v2.0/ports").await.is_none());
        assert!(calls.meet(&Method::POST, "/").await.is_none());
        for _ in 0..2 {
            let refused = calls.meet(&Method::POST, "/compute/v2.1/servers/x/action").await;
            assert_eq!(refused.map(|r| r.status().as_u16()), Some(503));
        }
        assert!(calls.meet(&Method::POST, "/compute/v2.1/servers").await.is_none());
        assert_eq!(calls.rules(), []);
    }

    #[test]
    fn an_answer_that_no_service_gives_is_refused() {
        assert!(Call { status: Some(418), ..Call::default() }.check().is_err());
        assert!(Call { status: Some(429), ..Call::default() }.check().is_ok());
    }
}
