//! What a new secret must be.

use std::sync::LazyLock;

use base::{Ctx, Error, Result};
use serde_json::{Value, json};
use web::schema::Schema;

use super::Secret;
use super::payload::{self, SUPPORTED, TEXT};
use crate::access::Owned;
use crate::body::{self, LARGEST_PAYLOAD, invalid, text};

pub const TYPES: [&str; 6] = ["symmetric", "passphrase", "private", "public", "certificate", "opaque"];

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(&json!({
        "type": "object",
        "properties": {
            "name": {"type": ["string", "null"], "maxLength": 255},
            "algorithm": {"type": "string", "maxLength": 255},
            "mode": {"type": "string", "maxLength": 255},
            "bit_length": {"type": "integer", "minimum": 1, "maximum": 32767},
            "expiration": {"type": "string", "maxLength": 255},
            "payload": {"type": "string"},
            "secret_type": {"type": "string", "maxLength": 80, "enum": TYPES},
            "payload_content_type": {"type": ["string", "null"], "maxLength": 255},
            "payload_content_encoding": {"type": "string", "maxLength": 255, "enum": ["base64"]},
            "transport_key_needed": {"type": "string", "enum": ["true", "false"]},
            "transport_key_id": {"type": "string"},
        },
    }))
});

/// The secret that a body describes, and its payload, if it has one.
pub fn new(ctx: &Ctx, project: &str, wanted: &Value) -> Result<(Secret, Option<Vec<u8>>)> {
    described(ctx, project, wanted, "Secret", false)
}

/// `schema`: what refusals call it. An order may name the type of a payload that is still to be made.
pub fn described(
    ctx: &Ctx,
    project: &str,
    wanted: &Value,
    schema: &str,
    ordered: bool,
) -> Result<(Secret, Option<Vec<u8>>)> {
    body::check(&SCHEMA, schema, wanted)?;
    let now = base::time::now();
    let expiration = expiration(wanted, schema, now)?;
    let said = wanted["payload_content_type"].as_str();
    let content_type = said.and_then(payload::normalized);
    let supported = |content_type: Option<&'static str>| {
        content_type.ok_or_else(|| {
            let reason = format!("payload_content_type is not one of {SUPPORTED}");
            invalid(schema, reason, "payload_content_type")
        })
    };
    let payload = match wanted["payload"].as_str() {
        Some(text) => {
            if said.is_none() {
                let reason = "If 'payload' is supplied, 'payload_content_type' must also be supplied.";
                return Err(invalid(schema, reason, "payload_content_type"));
            }
            Some(decoded(text, supported(content_type)?, wanted, schema)?)
        }
        None if said.is_some() && !ordered => {
            let reason = "payload must be provided when payload_content_type is specified";
            return Err(invalid(schema, reason, "payload"));
        }
        None => {
            if said.is_some() {
                supported(content_type)?;
            }
            None
        }
    };
    let secret = Secret {
        id: base::id::uuid(),
        owned: Owned { project_id: project.into(), creator_id: ctx.user_id().into(), acl: None },
        name: wanted["name"].as_str().map(Into::into),
        secret_type: text(wanted, "secret_type").unwrap_or("opaque").into(),
        algorithm: wanted["algorithm"].as_str().map(Into::into),
        bit_length: wanted["bit_length"].as_i64(),
        mode: wanted["mode"].as_str().map(Into::into),
        expiration,
        content_type: payload.as_ref().and(content_type).map(Into::into),
        created_at: now,
        updated_at: now,
    };
    Ok((secret, payload))
}

fn expiration(wanted: &Value, schema: &str, now: i64) -> Result<Option<i64>> {
    let Some(said) = text(wanted, "expiration") else { return Ok(None) };
    let at = base::time::parse(said)
        .ok_or_else(|| invalid(schema, "Invalid date for 'expiration'", "expiration"))?;
    if at <= now {
        return Err(invalid(schema, "'expiration' is before current time", "expiration"));
    }
    Ok(Some(at))
}

fn decoded(text: &str, content_type: &str, wanted: &Value, schema: &str) -> Result<Vec<u8>> {
    let is_base64 = !wanted["payload_content_encoding"].is_null();
    // Bytes can only be written in JSON as base64, and text needs no encoding.
    if (content_type == TEXT) == is_base64 {
        let supported = if content_type == TEXT { "None" } else { "['base64', 'binary']" };
        let reason = format!("payload_content_encoding is not one of {supported}");
        return Err(invalid(schema, reason, "payload_content_encoding"));
    }
    if text.len() > LARGEST_PAYLOAD {
        return Err(body::too_large());
    }
    if text.is_empty() {
        return Err(invalid(schema, "If 'payload' specified, must be non empty", "payload"));
    }
    if !is_base64 {
        return Ok(text.as_bytes().to_vec());
    }
    payload::from_base64(text.as_bytes())
        .ok_or_else(|| invalid(schema, "Invalid payload for payload_content_encoding", "payload"))
}

/// The payload of a secret that was made without one.
pub fn later(bytes: &[u8], content_type: &str, encoding: Option<&str>) -> Result<(Vec<u8>, &'static str)> {
    let issue = |reason: &str| Error::bad_request(format!("Secret update issue seen - {reason}."));
    if bytes.is_empty() {
        return Err(issue("No data supplied to process."));
    }
    if bytes.len() > LARGEST_PAYLOAD {
        return Err(Error::too_large(
            "Secret update issue seen - Provided information too large to process.",
        ));
    }
    let kept = payload::normalized(content_type)
        .ok_or_else(|| issue(&format!("content-type of '{content_type}' not supported")))?;
    let payload = match encoding.map(str::to_ascii_lowercase).as_deref() {
        Some("base64") if kept != TEXT => {
            payload::from_base64(bytes).ok_or_else(|| issue("Problem decoding payload"))?
        }
        Some(other) if kept != TEXT => {
            return Err(issue(&format!("content-encoding of '{other}' not supported")));
        }
        _ => bytes.to_vec(),
    };
    Ok((payload, kept))
}

pub fn not_found() -> Error {
    Error::not_found("Secret not found.")
}

/// Of an id that is none.
pub fn bad_id() -> Error {
    Error::not_found("Not Found. Provided secret id is invalid.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(wanted: &Value) -> Result<(Secret, Option<Vec<u8>>)> {
        new(&Ctx::internal("test"), "p", wanted)
    }

    fn refused(wanted: &Value) -> String {
        tried(wanted).unwrap_err().message
    }

    #[test]
    fn a_payload_comes_with_its_type_and_bytes_as_base64() {
        let (secret, payload) =
            tried(&json!({"payload": "aGVsbG8=", "payload_content_type": "application/octet-stream",
                "payload_content_encoding": "base64"}))
            .unwrap();
        assert_eq!(
            (payload.unwrap(), secret.content_type.as_deref()),
            (b"hello".to_vec(), Some(payload::BINARY))
        );
        assert_eq!(tried(&json!({})).unwrap().0.content_type, None);
        assert!(refused(&json!({"payload": "x"})).contains("must also be supplied"));
        assert!(refused(&json!({"payload_content_type": "text/plain"})).contains("payload must be provided"));
        let plain = json!({"payload": "x", "payload_content_type": "application/octet-stream"});
        assert!(refused(&plain).contains("payload_content_encoding is not one of ['base64', 'binary']"));
        let encoded = json!({"payload": "x", "payload_content_type": "text/plain", "payload_content_encoding": "base64"});
        assert!(refused(&encoded).contains("payload_content_encoding is not one of None"));
        assert!(refused(&json!({"payload": "", "payload_content_type": "text/plain"})).contains("non empty"));
        assert!(
            refused(&json!({"payload": "x", "payload_content_type": "image/png"}))
                .contains("not one of ['text")
        );
    }

    #[test]
    fn a_secret_that_has_expired_already_is_refused() {
        assert!(
            refused(&json!({"expiration": "2014-02-28T19:14:44.180394"})).contains("before current time")
        );
        assert!(refused(&json!({"expiration": "soon"})).contains("Invalid date"));
        assert!(tried(&json!({"expiration": "2222-02-28T19:14:44.180394"})).unwrap().0.expiration.is_some());
    }

    #[test]
    fn what_has_another_type_is_told_with_its_property() {
        let message = refused(&json!({"bit_length": "x"}));
        assert_eq!(
            message,
            "Provided object does not match schema 'Secret': 'x' is not of type 'integer'. \
             Invalid property: 'bit_length'"
        );
    }
}
