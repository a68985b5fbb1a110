use serde_json::json;

use crate::call::{Call, Service};
use crate::{Client, Result};

/// What carries tags, by its path in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Taggable {
    Network,
    Subnet,
    Router,
    Port,
    FloatingIp,
    SecurityGroup,
}

impl Taggable {
    fn path(self) -> &'static str {
        match self {
            Taggable::Network => "networks",
            Taggable::Subnet => "subnets",
            Taggable::Router => "routers",
            Taggable::Port => "ports",
            Taggable::FloatingIp => "floatingips",
            Taggable::SecurityGroup => "security-groups",
        }
    }
}

impl Client {
    /// Replace all tags of one resource.
    pub async fn set_tags(&self, kind: Taggable, id: &str, tags: &[String]) -> Result<()> {
        let path = format!("{}/{id}/tags", kind.path());
        self.run(&Call::put(Service::Network, path, json!({ "tags": tags }))).await
    }
}
