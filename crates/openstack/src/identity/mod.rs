//! Keystone v3: application credentials, by which programs act for the user without the user's password.

use serde::Deserialize;
use serde_json::json;

use crate::call::{Call, Service};
use crate::network::null_is_default;
use crate::{Client, Error, Result};

#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct ApplicationCredential {
    pub id: String,
    pub name: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub description: String,
    /// Told once, in the answer to its creation.
    #[serde(default)]
    pub secret: Option<String>,
}

impl std::fmt::Debug for ApplicationCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApplicationCredential")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApplicationCredential {
    pub name: String,
    pub description: String,
    /// Names; empty takes all that the token has.
    pub roles: Vec<String>,
}

impl Client {
    /// Of the user who is logged in; nobody may list or make somebody else's.
    pub async fn application_credentials(&self) -> Result<Vec<ApplicationCredential>> {
        let path = self.credentials_path()?;
        self.list(Call::get(Service::Identity, path), "application_credentials").await
    }
    pub async fn create_application_credential(
        &self,
        new: &NewApplicationCredential,
    ) -> Result<ApplicationCredential> {
        let mut body = json!({ "name": new.name, "description": new.description });
        if !new.roles.is_empty() {
            body["roles"] = new.roles.iter().map(|name| json!({ "name": name })).collect();
        }
        let path = self.credentials_path()?;
        let call = Call::post(Service::Identity, path, json!({ "application_credential": body }));
        self.fetch(&call, "application_credential").await
    }
    pub async fn delete_application_credential(&self, id: &str) -> Result<()> {
        let path = format!("{}/{id}", self.credentials_path()?);
        self.run(&Call::delete(Service::Identity, path)).await
    }

    fn credentials_path(&self) -> Result<String> {
        let user = self.user_id().ok_or_else(|| Error::Login {
            cloud: self.cloud_name().to_owned(),
            message: "the token does not say whose it is".to_owned(),
        })?;
        Ok(format!("users/{user}/application_credentials"))
    }
}
