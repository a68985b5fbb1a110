//! Who uses a secret or a container: other services write themselves down here. Nobody is kept from anything by that, but
//! a secret's deletion since 1.2.

pub mod api;
pub mod store;

use base::time::micros_naive;
use db::{FromRow, Row};
use serde_json::{Value, json};

#[derive(Debug, Clone)]
pub struct Consumer {
    pub id: String,
    /// A secret's or a container's.
    pub of_id: String,
    pub project_id: String,
    /// (service, resource type, resource id) or (name, URL, '').
    pub who: [String; 3],
    pub created_at: i64,
    pub updated_at: i64,
}

impl FromRow for Consumer {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Consumer {
            id: row.text("id")?,
            of_id: row.text("of_id")?,
            project_id: row.text("project_id")?,
            who: [row.text("first")?, row.text("second")?, row.text("third")?],
            created_at: row.int("created_at")?,
            updated_at: row.int("updated_at")?,
        })
    }
}

impl Consumer {
    pub fn of_secret(&self) -> Value {
        let [service, resource_type, resource_id] = &self.who;
        json!({"service": service, "resource_type": resource_type, "resource_id": resource_id})
    }

    pub fn of_container(&self) -> Value {
        let [name, url, _] = &self.who;
        json!({"name": name, "URL": url})
    }

    /// By itself, `brief` being one of the two above.
    pub fn whole(&self, mut brief: Value) -> Value {
        brief["status"] = "ACTIVE".into();
        brief["created"] = micros_naive(self.created_at).into();
        brief["updated"] = micros_naive(self.updated_at).into();
        brief
    }
}
