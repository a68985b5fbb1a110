//! Neutron v2.0. A list takes filters as `(key, value)` pairs, exactly those of the API.

mod extensions;
mod floating_ips;
mod networks;
mod ports;
mod quotas;
mod routers;
mod security_groups;
mod subnets;
mod tags;

pub use extensions::Extension;
pub use floating_ips::{FloatingIp, NewFloatingIp};
pub use networks::{Network, NewNetwork};
pub use ports::{FixedIp, NewPort, Port};
pub use quotas::NetworkQuota;
pub use routers::{ExternalGateway, NewRouter, Route, Router};
pub use security_groups::{NewSecurityGroup, NewSecurityGroupRule, SecurityGroup, SecurityGroupRule};
pub use subnets::{NewSubnet, Subnet};
pub use tags::Taggable;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use crate::call::{Call, Service};
use crate::{Client, Result};

/// Neutron answers `null` where a list or a text is empty, and older versions leave the field out.
pub(crate) fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> std::result::Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

impl Client {
    pub(crate) async fn network_list<T: DeserializeOwned>(
        &self,
        path: &str,
        key: &str,
        filters: &[(&str, &str)],
    ) -> Result<Vec<T>> {
        let mut call = Call::get(Service::Network, path);
        for (key, value) in filters {
            call = call.query(key, *value);
        }
        self.list(call, key).await
    }
    pub(crate) async fn network_create<T: DeserializeOwned>(
        &self,
        path: &str,
        key: &str,
        new: &(impl Serialize + Sync),
    ) -> Result<T> {
        self.fetch(&Call::post(Service::Network, path, json!({ key: new })), key).await
    }
    pub(crate) async fn network_delete(&self, path: &str, id: &str) -> Result<()> {
        self.run(&Call::delete(Service::Network, format!("{path}/{id}"))).await
    }
}
