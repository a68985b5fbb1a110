//! Bodies: JSON that was said to be JSON, and Barbican's words for what is wrong with it.

use axum::extract::{FromRequest, Request};
use base::{Error, Kind};
use bytes::Bytes;
use http::{HeaderMap, header};
use serde_json::Value;
use web::schema::Schema;
use web::{Fault, axum};

/// Bytes of one payload, as text.
pub const LARGEST_PAYLOAD: usize = 20_000;
/// Bytes of a body.
const LARGEST: usize = 25_000;

/// A body that is looked at when the caller is known to be allowed: who may not gets 403 whatever was sent.
pub struct Body {
    headers: HeaderMap,
    bytes: Result<Bytes, Error>,
}

impl<S: Sync> FromRequest<S> for Body {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &S) -> Result<Self, Fault> {
        let headers = request.headers().clone();
        let bytes = axum::body::to_bytes(request.into_body(), LARGEST).await;
        Ok(Body { headers, bytes: bytes.map_err(|e| too_large().because(e)) })
    }
}

impl Body {
    /// JSON that is said to be JSON; its texts have no space around them.
    pub fn object(self) -> Result<Value, Error> {
        only(&self.headers, &["application/json"])?;
        self.any_object()
    }

    /// As [`object`](Self::object), whatever it is said to be: bodies of some deletions.
    pub fn any_object(self) -> Result<Value, Error> {
        let mut value =
            serde_json::from_slice(&self.bytes?).map_err(|_| Error::bad_request("Malformed JSON"))?;
        strip(&mut value);
        Ok(value)
    }

    /// Of one of these media types: its bytes, its media type and its encoding.
    pub fn raw(self, expected: &[&str]) -> Result<(Bytes, String, Option<String>), Error> {
        only(&self.headers, expected)?;
        let encoding = self.headers.get(header::CONTENT_ENCODING).and_then(|value| value.to_str().ok());
        Ok((self.bytes?, media_type(&self.headers).to_owned(), encoding.map(Into::into)))
    }
}

pub fn too_large() -> Error {
    Error::too_large("Provided information too large to process")
}

fn strip(value: &mut Value) {
    match value {
        Value::String(text) if text.trim().len() != text.len() => *text = text.trim().to_owned(),
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Object(fields) => fields.values_mut().for_each(strip),
        _ => {}
    }
}

/// The media type, without parameters.
fn media_type(headers: &HeaderMap) -> &str {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim()
}

/// 415 for a body of another media type.
fn only(headers: &HeaderMap, expected: &[&str]) -> Result<(), Error> {
    let found = media_type(headers);
    if expected.iter().any(|one| one.eq_ignore_ascii_case(found)) {
        return Ok(());
    }
    let list: Vec<String> = expected.iter().map(|one| format!("'{one}'")).collect();
    Err(Error::new(
        Kind::UnsupportedMediaType,
        format!("Unexpected content type. Expected content types are: [{}]", list.join(", ")),
    ))
}

pub fn invalid(schema: &str, reason: impl std::fmt::Display, property: &str) -> Error {
    Error::bad_request(format!(
        "Provided object does not match schema '{schema}': {reason}. Invalid property: '{property}'"
    ))
}

/// `name`: what Barbican calls the schema.
pub fn check(schema: &Schema, name: &str, value: &Value) -> Result<(), Error> {
    match schema.complaint(value) {
        None => Ok(()),
        Some(reason) => {
            // jsonschema tells the value and the rule; Barbican the property besides.
            let fields = value.as_object().into_iter().flatten();
            let mut blamed =
                fields.filter(|(_, value)| reason.starts_with(&python(value))).map(|(key, _)| &**key);
            Err(invalid(name, &reason, blamed.next().unwrap_or("None")))
        }
    }
}

/// A value as jsonschema's messages show it.
fn python(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{text}'"),
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        other => other.to_string(),
    }
}

/// A text of an object; '' is none.
pub fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value[key].as_str().filter(|text| !text.is_empty())
}
