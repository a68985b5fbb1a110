//! What every resource has.

use db::Row;
use serde_json::{Map, Value, json};

use crate::request::Input;
use crate::rows::{self, Columns};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standard {
    pub id: String,
    pub project_id: String,
    pub name: String,
    pub description: String,
    pub tags: Vec<String>,
    pub created_at: i64,
    pub updated_at: i64,
    pub revision: i64,
}

impl Standard {
    pub fn new(project_id: &str, name: &str, description: &str) -> Self {
        let now = base::time::now();
        Standard {
            id: base::id::uuid(),
            project_id: project_id.into(),
            name: name.into(),
            description: description.into(),
            tags: Vec::new(),
            created_at: now,
            updated_at: now,
            revision: 0,
        }
    }

    pub fn of(project_id: &str, input: &Input) -> Self {
        let name = input.text("name").unwrap_or("");
        let mut standard = Self::new(project_id, name, input.text("description").unwrap_or(""));
        // Checked to be a list of texts.
        standard.tags = input.parsed("tags").ok().flatten().unwrap_or_default();
        standard.tags.sort();
        standard
    }

    pub fn read(row: &Row<'_>) -> db::Result<Self> {
        Ok(Standard {
            id: row.text("id")?,
            project_id: row.text("project_id")?,
            name: row.text("name")?,
            description: row.text("description")?,
            tags: row.json("tags")?,
            created_at: row.int("created_at")?,
            updated_at: row.int("updated_at")?,
            revision: row.int("revision")?,
        })
    }

    /// The changes of a PUT.
    pub fn apply(&mut self, input: &Input) {
        if let Some(name) = input.text("name") {
            self.name = name.into();
        }
        if let Some(description) = input.text("description") {
            self.description = description.into();
        }
        self.touch();
    }

    pub fn touch(&mut self) {
        self.revision += 1;
        self.updated_at = base::time::now();
    }

    pub fn columns(&self) -> Columns {
        vec![
            ("project_id", (&self.project_id).into()),
            ("name", (&self.name).into()),
            ("description", (&self.description).into()),
            ("tags", rows::json(&self.tags)),
            ("created_at", self.created_at.into()),
            ("updated_at", self.updated_at.into()),
            ("revision", self.revision.into()),
        ]
    }

    /// The start of a view; [`Standard::close`] is its end.
    pub fn open(&self) -> Map<String, Value> {
        let mut view = Map::with_capacity(32);
        view.insert("id".into(), json!(self.id));
        view.insert("name".into(), json!(self.name));
        view.insert("tenant_id".into(), json!(self.project_id));
        view
    }

    pub fn close(&self, view: &mut Map<String, Value>) {
        view.insert("description".into(), json!(self.description));
        view.insert("tags".into(), json!(self.tags));
        view.insert("created_at".into(), json!(base::time::seconds_z(self.created_at)));
        view.insert("updated_at".into(), json!(base::time::seconds_z(self.updated_at)));
        view.insert("revision_number".into(), json!(self.revision));
        view.insert("project_id".into(), json!(self.project_id));
    }
}
