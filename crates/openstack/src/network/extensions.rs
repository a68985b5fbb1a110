use serde::Deserialize;

use crate::{Client, Result};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Extension {
    pub alias: String,
    #[serde(default)]
    pub name: String,
}

impl Client {
    pub async fn extensions(&self) -> Result<Vec<Extension>> {
        self.network_list("extensions", "extensions", &[]).await
    }
}
