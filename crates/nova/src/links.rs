//! Links in answers, built from the address that the client used.

use serde_json::{Value, json};
use web::Origin;

/// Where the binary mounts this service.
pub(crate) const MOUNT: &str = "/compute";

pub(crate) struct Links {
    base: String,
}

impl Links {
    pub fn new(origin: &Origin) -> Self {
        Links { base: format!("{}{MOUNT}", origin.0) }
    }

    /// Where the service is, without a version.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The self and bookmark links of one thing.
    pub fn of(&self, collection: &str, id: &str) -> Value {
        json!([
            {"rel": "self", "href": self.to(collection, id)},
            {"rel": "bookmark", "href": format!("{}/{collection}/{id}", self.base)},
        ])
    }

    /// Where the thing's own page is.
    pub fn to(&self, collection: &str, id: &str) -> String {
        format!("{}/v2.1/{collection}/{id}", self.base)
    }
}
