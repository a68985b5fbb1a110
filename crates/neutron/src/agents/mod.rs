//! Agents: who does the work on this host. They are parts of this process and no processes of their own, so they
//! are alive whenever they can be asked about.

pub mod api;
pub mod hosting;
pub mod rules;
pub mod store;

use db::{FromRow, Row};
use serde_json::{Map, Value, json};

/// (agent_type, topic)
pub const KINDS: &[(&str, &str)] = &[
    ("DHCP agent", "dhcp_agent"),
    ("L3 agent", "l3_agent"),
    ("Metadata agent", "N/A"),
    ("Cumulet agent", "N/A"),
];

pub struct Agent {
    pub id: String,
    pub agent_type: String,
    pub host: String,
    pub description: String,
    pub admin_state_up: bool,
    pub created_at: i64,
    pub started_at: i64,
}

impl FromRow for Agent {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Agent {
            id: row.text("id")?,
            agent_type: row.text("agent_type")?,
            host: row.text("host")?,
            description: row.text("description")?,
            admin_state_up: row.bool("admin_state_up")?,
            created_at: row.int("created_at")?,
            started_at: row.int("started_at")?,
        })
    }
}

impl Agent {
    pub fn view(&self) -> Map<String, Value> {
        let topic = KINDS.iter().find(|(k, _)| *k == self.agent_type).map_or("N/A", |(_, t)| t);
        // Neutron prints these with a blank and without a zone.
        let time = |at| base::time::seconds_z(at).replace('T', " ").replace('Z', "");
        let zone = if topic == "N/A" { Value::Null } else { json!(crate::networks::rules::ZONE) };
        let view = json!({
            "id": self.id,
            "agent_type": self.agent_type,
            "binary": "cumulet",
            "topic": topic,
            "host": self.host,
            "description": if self.description.is_empty() { Value::Null } else { json!(self.description) },
            "admin_state_up": self.admin_state_up,
            "alive": true,
            "availability_zone": zone,
            "configurations": {},
            "resources_synced": null,
            "created_at": time(self.created_at),
            "started_at": time(self.started_at),
            "heartbeat_timestamp": time(base::time::now()),
        });
        match view {
            Value::Object(view) => view,
            _ => Map::new(),
        }
    }
}
