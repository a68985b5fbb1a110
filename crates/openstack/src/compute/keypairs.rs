use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::call::{Call, Service};
use crate::{Client, Result};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Keypair {
    pub name: String,
    #[serde(default)]
    pub fingerprint: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewKeypair {
    pub name: String,
    pub public_key: String,
}

#[derive(Deserialize)]
struct Item {
    keypair: Keypair,
}

impl Client {
    pub async fn keypairs(&self) -> Result<Vec<Keypair>> {
        let items: Vec<Item> = self.list(Call::get(Service::Compute, "os-keypairs"), "keypairs").await?;
        Ok(items.into_iter().map(|item| item.keypair).collect())
    }
    pub async fn create_keypair(&self, new: &NewKeypair) -> Result<Keypair> {
        self.fetch(&Call::post(Service::Compute, "os-keypairs", json!({ "keypair": new })), "keypair").await
    }
    pub async fn delete_keypair(&self, name: &str) -> Result<()> {
        self.run(&Call::delete(Service::Compute, format!("os-keypairs/{name}"))).await
    }
}
