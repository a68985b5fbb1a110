//! Cinder v3, as far as finding and removing what a cluster's storage driver made.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::call::{Call, Service};
use crate::network::null_is_default;
use crate::{Client, Result};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Volume {
    pub id: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub name: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub status: String,
    /// GiB.
    #[serde(default)]
    pub size: u64,
    #[serde(default, deserialize_with = "null_is_default")]
    pub metadata: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct VolumeSnapshot {
    pub id: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub name: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub status: String,
    pub volume_id: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub metadata: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct VolumeBackup {
    pub id: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub name: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub status: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub volume_id: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub created_at: String,
    /// Told since microversion 3.43.
    #[serde(default, deserialize_with = "null_is_default")]
    pub metadata: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Zone {
    #[serde(rename = "zoneName")]
    name: String,
}

impl Client {
    pub async fn volumes(&self) -> Result<Vec<Volume>> {
        self.list(Call::get(Service::BlockStorage, "volumes/detail"), "volumes").await
    }
    pub async fn volume(&self, id: &str) -> Result<Volume> {
        self.fetch(&Call::get(Service::BlockStorage, format!("volumes/{id}")), "volume").await
    }
    pub async fn delete_volume(&self, id: &str) -> Result<()> {
        self.run(&Call::delete(Service::BlockStorage, format!("volumes/{id}"))).await
    }
    pub async fn volume_snapshots(&self) -> Result<Vec<VolumeSnapshot>> {
        self.list(Call::get(Service::BlockStorage, "snapshots/detail"), "snapshots").await
    }
    pub async fn volume_snapshot(&self, id: &str) -> Result<VolumeSnapshot> {
        self.fetch(&Call::get(Service::BlockStorage, format!("snapshots/{id}")), "snapshot").await
    }
    pub async fn delete_volume_snapshot(&self, id: &str) -> Result<()> {
        self.run(&Call::delete(Service::BlockStorage, format!("snapshots/{id}"))).await
    }
    pub async fn volume_backups(&self) -> Result<Vec<VolumeBackup>> {
        let call = Call::get(Service::BlockStorage, "backups/detail").microversion(3, 43);
        self.list(call, "backups").await
    }
    pub async fn volume_backup(&self, id: &str) -> Result<VolumeBackup> {
        self.fetch(&Call::get(Service::BlockStorage, format!("backups/{id}")), "backup").await
    }
    pub async fn delete_volume_backup(&self, id: &str) -> Result<()> {
        self.run(&Call::delete(Service::BlockStorage, format!("backups/{id}"))).await
    }
    /// The names of Cinder's zones, which need not be Nova's.
    pub async fn volume_zones(&self) -> Result<Vec<String>> {
        let call = Call::get(Service::BlockStorage, "os-availability-zone");
        let zones: Vec<Zone> = self.fetch(&call, "availabilityZoneInfo").await?;
        Ok(zones.into_iter().map(|zone| zone.name).collect())
    }
}
