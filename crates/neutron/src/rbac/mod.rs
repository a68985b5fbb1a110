//! RBAC policies: an owner lets another project, or everybody (`*`), use an object.
//!
//! A policy for everybody also shows in the object's own row (`shared`, and a network's `external`), so that views and
//! the rules of everyday calls need not look here.

pub mod api;
pub mod rules;
pub mod store;

use async_trait::async_trait;
use base::{Ctx, Error, Result};
use db::{AnyConnection, FromRow, Row};
use serde_json::{Value, json};

use crate::Neutron;
use crate::request::{Attr, Extent, Filter, Kind, Resource, Spec, View, attr};
use crate::rows::Columns;

pub const SHARED: &str = "access_as_shared";
pub const EXTERNAL: &str = "access_as_external";
pub const EVERYBODY: &str = "*";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RbacPolicy {
    pub id: String,
    pub project_id: String,
    pub object_type: String,
    pub object_id: String,
    pub action: String,
    pub target_project: String,
    /// An admin opened it. What a project opens of its own, others may use, but this machine stays out of it.
    pub by_admin: bool,
    pub created_at: i64,
}

impl FromRow for RbacPolicy {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(RbacPolicy {
            id: row.text("id")?,
            project_id: row.text("project_id")?,
            object_type: row.text("object_type")?,
            object_id: row.text("object_id")?,
            action: row.text("action")?,
            target_project: row.text("target_project")?,
            by_admin: row.bool("by_admin")?,
            created_at: row.int("created_at")?,
        })
    }
}

impl RbacPolicy {
    pub fn new(project_id: &str, object: (&str, &str), action: &str, target_project: &str) -> Self {
        RbacPolicy {
            id: base::id::uuid(),
            project_id: project_id.into(),
            object_type: object.0.into(),
            object_id: object.1.into(),
            action: action.into(),
            target_project: target_project.into(),
            by_admin: true,
            created_at: base::time::now(),
        }
    }

    pub fn columns(&self) -> Columns {
        vec![
            ("project_id", (&self.project_id).into()),
            ("object_type", (&self.object_type).into()),
            ("object_id", (&self.object_id).into()),
            ("action", (&self.action).into()),
            ("target_project", (&self.target_project).into()),
            ("by_admin", self.by_admin.into()),
            ("created_at", self.created_at.into()),
        ]
    }
}

const ATTRS: &[Attr] = &[
    attr("object_type", Kind::Text(255)).required().by(Filter::Text("object_type")),
    attr("object_id", Kind::Uuid).required().by(Filter::Text("object_id")),
    attr("target_tenant", Kind::Any).both().by(Filter::Text("target_project")),
    attr("target_project", Kind::Any).both().by(Filter::Text("target_project")),
    attr("action", Kind::Text(255)).required().by(Filter::Text("action")),
];

pub const SPEC: Spec = Spec {
    member: "rbac_policy",
    collection: "rbac_policies",
    table: "rbac_policy",
    attrs: ATTRS,
    bulk: true,
    extent: Extent::Bare,
    not_found,
};

fn not_found(id: &str) -> Error {
    Error::not_found(format!("RBAC policy of type unknown with ID {id} not found")).code("RbacPolicyNotFound")
}

#[async_trait]
impl Resource for RbacPolicy {
    const SPEC: &'static Spec = &SPEC;

    async fn views(_: &Neutron, _: &mut AnyConnection, _: &Ctx, rows: Vec<Self>) -> Result<Vec<View>> {
        Ok(rows.iter().map(view).collect())
    }
}

fn view(policy: &RbacPolicy) -> View {
    let pairs: [(&str, Value); 7] = [
        ("id", json!(policy.id)),
        ("tenant_id", json!(policy.project_id)),
        ("project_id", json!(policy.project_id)),
        ("object_type", json!(policy.object_type)),
        ("object_id", json!(policy.object_id)),
        ("action", json!(policy.action)),
        ("target_tenant", json!(policy.target_project)),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
