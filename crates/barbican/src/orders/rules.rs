//! What may be ordered.

use std::sync::LazyLock;

use base::{Ctx, Error, Result};
use serde_json::{Value, json};
use web::schema::Schema;

use super::Order;
use crate::body::{self, invalid, text};
use crate::secrets::payload::BINARY;
use crate::secrets::{self, Secret};

const NAME: &str = "Order";

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(&json!({
        "type": "object",
        "properties": {
            "meta": {"type": "object"},
            "type": {"type": "string", "enum": ["key", "asymmetric"]},
        },
        "required": ["meta", "type"],
    }))
});

/// The order, the secret that comes of it, and how many bytes that has.
pub fn new(ctx: &Ctx, project: &str, wanted: &Value) -> Result<(Order, Secret, usize)> {
    body::check(&SCHEMA, NAME, wanted)?;
    let (kind, meta) = (wanted["type"].as_str().unwrap_or_default(), &wanted["meta"]);
    // As Barbican names a schema within another.
    let (mut secret, _) = secrets::rules::described(ctx, project, meta, "Secret' within 'Order", true)?;
    let word = if kind == "key" { "key" } else { "asymmetric key" };
    let refused = |reason: String| Err(invalid(NAME, reason, "meta"));
    if !meta["payload"].is_null() {
        return refused(format!("'payload' not allowed for {kind} type order"));
    }
    if text(meta, "algorithm").is_none() {
        return refused(format!("'algorithm' is required field for {word} type order"));
    }
    let Some(bits) = secret.bit_length else {
        return refused(format!("'bit_length' is required field for {word} type order"));
    };
    if bits % 8 != 0 {
        return Err(Error::bad_request("Provided field value is not supported"));
    }
    // What a Barbican without a plugin for it says.
    let unsupported =
        || Error::bad_request("Order creation issue seen - Secret generate supported plugin not found..");
    if kind != "key" {
        return Err(unsupported());
    }
    let bytes = usize::try_from(bits / 8).map_err(|_| unsupported())?;
    secret.secret_type = "symmetric".into();
    secret.content_type = Some(BINARY.into());
    let now = base::time::now();
    let order = Order {
        id: base::id::uuid(),
        project_id: project.into(),
        creator_id: ctx.user_id().into(),
        kind: kind.into(),
        meta: meta.clone(),
        secret_id: secret.id.clone(),
        created_at: now,
        updated_at: now,
    };
    Ok((order, secret, bytes))
}

pub fn not_found() -> Error {
    Error::not_found("Order not found.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_an_algorithm_and_whole_bytes() {
        let tried = |meta: Value| new(&Ctx::internal("test"), "p", &json!({"type": "key", "meta": meta}));
        let (order, secret, bytes) =
            tried(json!({"algorithm": "aes", "bit_length": 256, "mode": "xts"})).unwrap();
        assert_eq!((bytes, order.secret_id, secret.secret_type.as_str()), (32, secret.id, "symmetric"));
        let refused = |meta: Value| tried(meta).unwrap_err().message;
        assert!(
            refused(json!({"bit_length": 256})).contains("'algorithm' is required field for key type order")
        );
        assert!(refused(json!({"algorithm": "aes"})).contains("'bit_length' is required"));
        assert_eq!(
            refused(json!({"algorithm": "aes", "bit_length": 7})),
            "Provided field value is not supported"
        );
        assert!(refused(json!({"algorithm": 1, "bit_length": 8})).contains("schema 'Secret' within 'Order'"));
    }
}
