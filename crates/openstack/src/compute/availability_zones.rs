use serde::Deserialize;

use crate::call::{Call, Service};
use crate::{Client, Result};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvailabilityZone {
    pub name: String,
    pub available: bool,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "zoneName")]
    name: String,
    #[serde(rename = "zoneState")]
    state: State,
}
#[derive(Deserialize)]
struct State {
    available: bool,
}

impl Client {
    pub async fn availability_zones(&self) -> Result<Vec<AvailabilityZone>> {
        let items: Vec<Item> =
            self.list(Call::get(Service::Compute, "os-availability-zone"), "availabilityZoneInfo").await?;
        Ok(items
            .into_iter()
            .map(|item| AvailabilityZone { name: item.name, available: item.state.available })
            .collect())
    }
}
