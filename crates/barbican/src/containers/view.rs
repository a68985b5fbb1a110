//! A container as JSON.

use base::time::micros_naive;
use serde_json::{Value, json};
use web::Origin;

use super::Container;
use crate::consumers::Consumer;
use crate::refs;

pub fn container(origin: &Origin, container: &Container, consumers: &[Consumer]) -> Value {
    let secrets: Vec<Value> = container
        .secrets
        .iter()
        .map(|member| {
            let name = Some(&member.name).filter(|name| !name.is_empty());
            json!({"secret_ref": refs::secret(origin, &member.secret_id), "name": name})
        })
        .collect();
    let users: Vec<Value> = consumers
        .iter()
        .filter(|consumer| consumer.of_id == container.id)
        .map(Consumer::of_container)
        .collect();
    json!({
        "container_ref": refs::container(origin, &container.id),
        "name": container.name,
        "type": container.kind,
        "creator_id": container.owned.creator_id,
        "secret_refs": secrets,
        "consumers": users,
        "status": "ACTIVE",
        "created": micros_naive(container.created_at),
        "updated": micros_naive(container.updated_at),
    })
}
