//! Groups as JSON.

use serde_json::{Value, json};
use web::Origin;

use super::Group;
use crate::listing::url;

pub fn group(group: &Group, origin: &Origin) -> Value {
    let mut view = json!({
        "id": group.id,
        "name": group.name,
        "domain_id": group.domain_id,
        "description": group.description,
        "links": {"self": url(origin, &format!("groups/{}", group.id))},
    });
    for (key, value) in &group.extra {
        view[key] = value.clone();
    }
    view
}
