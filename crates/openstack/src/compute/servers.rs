use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::call::{Call, Service};
use crate::network::null_is_default;
use crate::wait::{Deadline, poll};
use crate::{Client, Error, Result};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Server {
    pub id: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub name: String,
    /// `BUILD`, `ACTIVE`, `SHUTOFF`, `ERROR`, ...
    pub status: String,
    #[serde(default)]
    pub fault: Option<Fault>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub metadata: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub addresses: BTreeMap<String, Vec<ServerAddress>>,
    #[serde(default, rename = "OS-EXT-STS:task_state")]
    pub task_state: Option<String>,
}

/// Why a server is in ERROR: quota, no valid host, image too large, ...
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Fault {
    #[serde(default)]
    pub code: i64,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub details: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ServerAddress {
    pub addr: String,
    #[serde(default, rename = "OS-EXT-IPS:type")]
    pub kind: Option<String>,
}

impl Server {
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.status == "ERROR"
    }
    /// The fault in one sentence; Nova hides it from plain users for some internal errors.
    #[must_use]
    pub fn fault_text(&self) -> String {
        match &self.fault {
            Some(fault) if !fault.message.is_empty() => fault.message.clone(),
            _ => {
                "the cloud gives no reason; an administrator finds it in the compute service's log".to_owned()
            }
        }
    }
    fn error(&self) -> Error {
        Error::ServerError { id: self.id.clone(), name: self.name.clone(), fault: self.fault_text() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewServer {
    pub name: String,
    pub image_id: String,
    pub flavor_id: String,
    pub port_ids: Vec<String>,
    /// Base64, at most 65535 characters.
    pub user_data: String,
    pub metadata: BTreeMap<String, String>,
    pub key_name: Option<String>,
    pub server_group: Option<String>,
    pub availability_zone: Option<String>,
    pub config_drive: Option<bool>,
}

impl NewServer {
    fn body(&self) -> serde_json::Value {
        let ports: Vec<_> = self.port_ids.iter().map(|port| json!({ "port": port })).collect();
        let mut server = json!({
            "name": self.name,
            "imageRef": self.image_id,
            "flavorRef": self.flavor_id,
            "networks": ports,
            "metadata": self.metadata,
        });
        if !self.user_data.is_empty() {
            server["user_data"] = json!(self.user_data);
        }
        if let Some(key) = &self.key_name {
            server["key_name"] = json!(key);
        }
        if let Some(zone) = &self.availability_zone {
            server["availability_zone"] = json!(zone);
        }
        if let Some(drive) = self.config_drive {
            server["config_drive"] = json!(drive);
        }
        let mut body = json!({ "server": server });
        if let Some(group) = &self.server_group {
            body["os:scheduler_hints"] = json!({ "group": group });
        }
        body
    }
}

#[derive(Deserialize)]
struct Created {
    id: String,
}
#[derive(Deserialize)]
struct Output {
    output: String,
}

impl Client {
    /// The project's servers, with details. `name` is a regular expression in this API.
    pub async fn servers(&self, filters: &[(&str, &str)]) -> Result<Vec<Server>> {
        let mut call = Call::get(Service::Compute, "servers/detail");
        for (key, value) in filters {
            call = call.query(key, *value);
        }
        self.list(call, "servers").await
    }
    pub async fn server(&self, id: &str) -> Result<Server> {
        self.fetch(&Call::get(Service::Compute, format!("servers/{id}")), "server").await
    }
    /// Answers as soon as the cloud has accepted; the server is in BUILD then.
    pub async fn create_server(&self, new: &NewServer) -> Result<Server> {
        let created: Created =
            self.fetch(&Call::post(Service::Compute, "servers", new.body()), "server").await?;
        self.server(&created.id).await
    }
    pub async fn delete_server(&self, id: &str) -> Result<()> {
        self.run(&Call::delete(Service::Compute, format!("servers/{id}"))).await
    }
    /// One that was deleted already and waits to be reclaimed, too.
    pub async fn force_delete_server(&self, id: &str) -> Result<()> {
        let path = format!("servers/{id}/action");
        self.run(&Call::post(Service::Compute, path, json!({ "forceDelete": null }))).await
    }
    /// The last `lines` lines of the serial console.
    pub async fn console_log(&self, id: &str, lines: u32) -> Result<String> {
        let body = json!({ "os-getConsoleOutput": { "length": lines } });
        let path = format!("servers/{id}/action");
        Ok(self.fetch::<Output>(&Call::post(Service::Compute, path, body), "").await?.output)
    }

    /// # Errors
    /// [`Error::ServerError`] with the server's fault as soon as it is in ERROR.
    pub async fn wait_server_active(&self, id: &str, deadline: Deadline) -> Result<Server> {
        poll(&format!("server {id} becoming ACTIVE"), deadline, Duration::from_millis(500), async || {
            let server = self.server(id).await?;
            match server.status.as_str() {
                "ACTIVE" => Ok(Ok(server)),
                "ERROR" => Err(server.error()),
                status => Ok(Err(format!("{status} {}", server.task_state.as_deref().unwrap_or_default()))),
            }
        })
        .await
    }
    pub async fn wait_server_gone(&self, id: &str, deadline: Deadline) -> Result<()> {
        poll(&format!("server {id} being gone"), deadline, Duration::from_millis(500), async || {
            match self.server(id).await {
                Err(error) if error.is_not_found() => Ok(Ok(())),
                Ok(server) if matches!(server.status.as_str(), "DELETED" | "SOFT_DELETED") => Ok(Ok(())),
                Ok(server) => Ok(Err(server.status)),
                Err(error) => Err(error),
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_beside_the_server_and_absent_fields_are_not_sent() {
        let new = NewServer {
            name: "n".into(),
            image_id: "i".into(),
            flavor_id: "f".into(),
            port_ids: vec!["p".into()],
            user_data: String::new(),
            metadata: BTreeMap::new(),
            key_name: None,
            server_group: Some("g".into()),
            availability_zone: None,
            config_drive: None,
        };
        assert_eq!(
            new.body(),
            json!({
                "server": {"name": "n", "imageRef": "i", "flavorRef": "f", "networks": [{"port": "p"}], "metadata": {}},
                "os:scheduler_hints": {"group": "g"},
            })
        );
    }
}
