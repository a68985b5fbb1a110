use serde::Deserialize;

use crate::call::{Call, Service};
use crate::{Client, Result};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Flavor {
    pub id: String,
    pub name: String,
    pub vcpus: u32,
    /// MiB.
    pub ram: u64,
    /// GiB; 0 means "as large as the image".
    pub disk: u64,
}

impl Client {
    pub async fn flavors(&self) -> Result<Vec<Flavor>> {
        self.list(Call::get(Service::Compute, "flavors/detail"), "flavors").await
    }
}
