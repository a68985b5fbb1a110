//! A secret as JSON.

use base::Ctx;
use base::time::micros_naive;
use serde_json::{Value, json};
use web::Origin;

use super::Secret;
use crate::consumers::Consumer;
use crate::refs;

pub fn secret(ctx: &Ctx, origin: &Origin, secret: &Secret, consumers: &[Consumer]) -> Value {
    let mut view = json!({
        "secret_ref": refs::secret(origin, &secret.id),
        "name": secret.name,
        "secret_type": secret.secret_type,
        "algorithm": secret.algorithm,
        "bit_length": secret.bit_length,
        "mode": secret.mode,
        "expiration": secret.expiration.map(micros_naive),
        "creator_id": secret.owned.creator_id,
        "status": "ACTIVE",
        "created": micros_naive(secret.created_at),
        "updated": micros_naive(secret.updated_at),
    });
    if let Some(content_type) = &secret.content_type {
        view["content_types"] = json!({"default": content_type});
    }
    if ctx.at_least(1, 1) {
        let brief = consumers.iter().filter(|consumer| consumer.of_id == secret.id).map(Consumer::of_secret);
        view["consumers"] = brief.collect();
    }
    view
}
