//! `POST /v3/OS-OAUTH2/token`: OAuth 2.0's client credentials (RFC 6749, 4.4). The clients are application credentials.

use base::{Error, Kind};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderValue, header};
use secrecy::SecretString;
use serde_json::json;
use web::axum::extract::Form;
use web::axum::extract::rejection::FormRejection;
use web::{Origin, Response, Result, State};

use super::request::{AuthRequest, CredentialSpec, Proof};
use crate::Service;

type Pairs = Vec<(String, String)>;

pub async fn token(
    State(keystone): Service,
    headers: HeaderMap,
    origin: Origin,
    form: std::result::Result<Form<Pairs>, FormRejection>,
) -> Result {
    // What is no form has no parameters.
    let form = form.map_or_else(|_| Pairs::new(), |Form(pairs)| pairs);
    let (credential, secret) = match client(&headers, &form) {
        Ok(client) => client,
        Err(refusal) => return Ok(refusal.answer(&origin)),
    };
    let proof = Proof::ApplicationCredential { credential, secret };
    let request = AuthRequest { proofs: vec![proof], scope: None };
    let (token, session) = match keystone.authenticate(request, None).await {
        Ok(issued) => issued,
        Err(error) if error.kind.status() >= 500 => return Err(error.into()),
        Err(error) => return Ok(Refusal::of(&error).answer(&origin)),
    };
    let lifetime = (session.claims.expires_at - session.claims.issued_at) / 1_000_000;
    let mut response =
        web::json(200, &json!({"access_token": token, "token_type": "Bearer", "expires_in": lifetime}));
    // The RFC wants it of every answer with a token.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The client's id and secret: of the header, else of the form.
fn client(
    headers: &HeaderMap,
    form: &[(String, String)],
) -> std::result::Result<(CredentialSpec, SecretString), Refusal> {
    let told = |key: &str| form.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
    match told("grant_type").as_deref() {
        Some("client_credentials") => {}
        None => {
            let why = "The parameter grant_type is required.".to_owned();
            return Err(Refusal { status: 400, error: "invalid_request", why });
        }
        Some(other) => {
            let why = format!("The parameter grant_type {other} is not supported.");
            return Err(Refusal { status: 400, error: "unsupported_grant_type", why });
        }
    }
    let (id, secret) = basic(headers)
        .map_or_else(|| (told("client_id"), told("client_secret")), |(id, secret)| (Some(id), Some(secret)));
    match (id.filter(|id| !id.is_empty()), secret.filter(|secret| !secret.is_empty())) {
        (Some(id), Some(secret)) => Ok((CredentialSpec::Id(id), secret.into())),
        _ => {
            let why = "Client authentication failed.".to_owned();
            Err(Refusal { status: 401, error: "invalid_client", why })
        }
    }
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// OAuth has words and a form of its own for what goes wrong.
struct Refusal {
    status: u16,
    error: &'static str,
    why: String,
}

impl Refusal {
    fn of(error: &Error) -> Self {
        match error.kind {
            Kind::Unauthorized => {
                Refusal { status: 401, error: "invalid_client", why: error.message.clone() }
            }
            Kind::BadRequest => Refusal { status: 400, error: "invalid_request", why: error.message.clone() },
            kind => {
                let why = "An unknown error occurred and failed to get an OAuth2.0 access token.".to_owned();
                Refusal { status: kind.status(), error: "other_error", why }
            }
        }
    }

    fn answer(self, origin: &Origin) -> Response {
        let body = json!({"error": self.error, "error_description": self.why});
        let mut response = web::json(self.status, &body);
        let realm = format!("Keystone uri=\"{}/identity\"", origin.0);
        if let (401, Ok(realm)) = (self.status, HeaderValue::from_str(&realm)) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
        }
        response
    }
}
