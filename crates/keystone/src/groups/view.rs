//! Groups as JSON.

use serde_json::{Value, json};
use web::Origin;

use super::Group;
use crate::listing::url;
use crate::schema::with_extra;

pub fn group(group: &Group, origin: &Origin) -> Value {
    with_extra(
        json!({
        "id": group.id,
        "name": group.name,
        "domain_id": group.domain_id,
        "description": group.description,
        "links": {"self": url(origin, &format!("groups/{}", group.id))},
        }),
        &group.extra,
    )
}
