//! Key pairs as JSON, by microversion.

use base::Ctx;
use serde_json::{Value, json};

use super::Keypair;

pub(super) fn brief(ctx: &Ctx, keypair: &Keypair) -> Value {
    let mut out = json!({
        "name": keypair.name,
        "public_key": keypair.public_key,
        "fingerprint": keypair.fingerprint,
    });
    if ctx.at_least(2, 2) {
        out["type"] = json!(keypair.kind);
    }
    out
}

pub(super) fn created(ctx: &Ctx, keypair: &Keypair, private_key: Option<&str>) -> Value {
    let mut out = brief(ctx, keypair);
    out["user_id"] = json!(keypair.user_id);
    if let Some(key) = private_key {
        out["private_key"] = json!(key);
    }
    out
}

pub(super) fn full(ctx: &Ctx, keypair: &Keypair) -> Value {
    let mut out = created(ctx, keypair, None);
    out["id"] = json!(keypair.number);
    out["created_at"] = json!(base::time::micros_naive(keypair.created_at));
    out["deleted"] = json!(false);
    out["deleted_at"] = Value::Null;
    out["updated_at"] = Value::Null;
    out
}
