//! Barbican v1, as far as finding and removing what a cluster's controllers made.

use serde::Deserialize;

use crate::call::{Call, Service};
use crate::network::null_is_default;
use crate::{Client, Result};

/// As many as Barbican lists at once.
const PAGE: usize = 100;

/// What is told of a secret without telling it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Secret {
    /// Its address, which ends in its id.
    secret_ref: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub name: String,
}

impl Secret {
    #[must_use]
    pub fn new(id: &str, name: &str) -> Self {
        Self { secret_ref: id.to_owned(), name: name.to_owned() }
    }
    #[must_use]
    pub fn id(&self) -> &str {
        self.secret_ref.rsplit('/').next().unwrap_or_default()
    }
}

impl Client {
    /// Barbican counts where the others have markers.
    pub async fn secrets(&self) -> Result<Vec<Secret>> {
        let mut secrets: Vec<Secret> = Vec::new();
        loop {
            let call = Call::get(Service::KeyManager, "secrets")
                .query("limit", PAGE.to_string())
                .query("offset", secrets.len().to_string());
            let page: Vec<Secret> = self.fetch(&call, "secrets").await?;
            let last = page.len() < PAGE;
            secrets.extend(page);
            if last {
                return Ok(secrets);
            }
        }
    }
    pub async fn delete_secret(&self, id: &str) -> Result<()> {
        self.run(&Call::delete(Service::KeyManager, format!("secrets/{id}"))).await
    }
}
