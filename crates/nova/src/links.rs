//! Links in answers, built from the address that the client used.

use serde_json::{Value, json};
use web::Origin;

/// Where the binary mounts this service.
pub(crate) const MOUNT: &str = "/compute";

pub(crate) struct Links<'a> {
    origin: &'a str,
}

impl<'a> Links<'a> {
    pub fn new(origin: &'a Origin) -> Self {
        Links { origin: &origin.0 }
    }

    /// The self and bookmark links of one thing.
    pub fn of(&self, collection: &str, id: &str) -> Value {
        json!([
            {"rel": "self", "href": self.to(collection, id)},
            {"rel": "bookmark", "href": format!("{}{MOUNT}/{collection}/{id}", self.origin)},
        ])
    }

    /// Where the thing's own page is.
    pub fn to(&self, collection: &str, id: &str) -> String {
        format!("{}{MOUNT}/v2.1/{collection}/{id}", self.origin)
    }

    pub fn bookmark(&self, collection: &str, id: &str) -> Value {
        json!([{"rel": "bookmark", "href": format!("{}{MOUNT}/{collection}/{id}", self.origin)}])
    }
}
