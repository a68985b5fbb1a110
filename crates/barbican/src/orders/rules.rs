//! What may be ordered.

use std::sync::LazyLock;

use aws_lc_rs::rsa::KeySize;
use base::{Ctx, Error, Result};
use serde_json::{Value, json};
use web::schema::Schema;

use super::{Made, Order, pair};
use crate::body::{self, invalid, text};
use crate::containers::{Container, Member};
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

/// What is to be made, with all that is known of it before.
#[derive(Debug)]
pub enum Wanted {
    /// So many random bytes.
    Key {
        secret: Box<Secret>,
        bytes: usize,
    },
    Pair {
        size: KeySize,
        container: Box<Container>,
        private: Box<Secret>,
        public: Box<Secret>,
    },
}

pub fn new(ctx: &Ctx, project: &str, asked: &Value) -> Result<(Order, Wanted)> {
    body::check(&SCHEMA, NAME, asked)?;
    let (kind, meta) = (asked["type"].as_str().unwrap_or_default(), &asked["meta"]);
    // As Barbican names a schema within another.
    let (secret, _) = secrets::rules::described(ctx, project, meta, "Secret' within 'Order", true)?;
    let word = if kind == "key" { "key" } else { "asymmetric key" };
    let refused = |reason: String| Err(invalid(NAME, reason, "meta"));
    if !meta["payload"].is_null() {
        return refused(format!("'payload' not allowed for {kind} type order"));
    }
    let Some(algorithm) = text(meta, "algorithm") else {
        return refused(format!("'algorithm' is required field for {word} type order"));
    };
    let Some(bits) = secret.bit_length else {
        return refused(format!("'bit_length' is required field for {word} type order"));
    };
    if bits % 8 != 0 {
        return Err(Error::bad_request("Provided field value is not supported"));
    }
    let wanted = match kind {
        "key" => key(secret, bits)?,
        _ => pair(meta, &secret, algorithm, bits)?,
    };
    let made = match &wanted {
        Wanted::Key { secret, .. } => Made::Secret(secret.id.clone()),
        Wanted::Pair { container, .. } => Made::Container(container.id.clone()),
    };
    let now = base::time::now();
    let order = Order {
        id: base::id::uuid(),
        project_id: project.into(),
        creator_id: ctx.user_id().into(),
        kind: kind.into(),
        meta: meta.clone(),
        made,
        created_at: now,
        updated_at: now,
    };
    Ok((order, wanted))
}

fn key(mut secret: Secret, bits: i64) -> Result<Wanted> {
    let bytes = usize::try_from(bits / 8).map_err(|_| unsupported())?;
    secret.secret_type = "symmetric".into();
    secret.content_type = Some(BINARY.into());
    Ok(Wanted::Key { secret: Box::new(secret), bytes })
}

/// Both keys and their container have the name that was asked for.
fn pair(meta: &Value, common: &Secret, algorithm: &str, bits: i64) -> Result<Wanted> {
    let size =
        pair::size(bits).filter(|_| algorithm.eq_ignore_ascii_case("rsa") && meta["passphrase"].is_null());
    let size = size.ok_or_else(unsupported)?;
    let of = |kind: &str| {
        Box::new(Secret {
            id: base::id::uuid(),
            secret_type: kind.into(),
            content_type: Some(BINARY.into()),
            ..common.clone()
        })
    };
    let (private, public) = (of("private"), of("public"));
    let member = |name: &str, secret: &Secret| Member { name: name.into(), secret_id: secret.id.clone() };
    let container = Box::new(Container {
        id: base::id::uuid(),
        owned: common.owned.clone(),
        name: common.name.clone(),
        kind: "rsa".into(),
        secrets: vec![member("private_key", &private), member("public_key", &public)],
        created_at: common.created_at,
        updated_at: common.updated_at,
    });
    Ok(Wanted::Pair { size, container, private, public })
}

/// What a Barbican without a plugin for it says.
fn unsupported() -> Error {
    Error::bad_request("Order creation issue seen - Secret generate supported plugin not found..")
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
        let (order, wanted) = tried(json!({"algorithm": "aes", "bit_length": 256, "mode": "xts"})).unwrap();
        let Wanted::Key { secret, bytes } = wanted else { panic!("{wanted:?}") };
        assert_eq!(
            (bytes, order.made, secret.secret_type.as_str()),
            (32, Made::Secret(secret.id), "symmetric")
        );
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
