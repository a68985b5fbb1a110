//! Group types: what a group of volumes is to be able to. Specs are compared with what this machine can, as a volume type's
//! are.

pub mod api;
pub mod specs_api;
pub mod store;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use base::{Ctx, Error, Result};
use db::AnyConnection;

use crate::listing::Listed;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupType {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub is_public: bool,
    pub specs: BTreeMap<String, String>,
    pub created_at: i64,
}

impl Listed for GroupType {
    const KEYS: &'static [&'static str] =
        &["id", "name", "is_public", "description", "created_at", "updated_at"];

    fn id(&self) -> &str {
        &self.id
    }

    fn compare(&self, other: &Self, key: &str) -> Ordering {
        match key {
            "id" => self.id.cmp(&other.id),
            "name" => self.name.cmp(&other.name),
            "is_public" => self.is_public.cmp(&other.is_public),
            "description" => self.description.cmp(&other.description),
            "created_at" | "updated_at" => self.created_at.cmp(&other.created_at),
            _ => Ordering::Equal,
        }
    }
}

pub fn none(id: &str) -> Error {
    Error::not_found(format!("Group type {id} could not be found."))
}

/// One that `ctx` may use, by id.
pub async fn load(conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<GroupType> {
    let found = store::get(conn, id).await?;
    found.filter(|one| one.is_public || ctx.is_admin()).ok_or_else(|| none(id))
}

/// The same by id or name.
pub async fn find(conn: &mut AnyConnection, ctx: &Ctx, wanted: &str) -> Result<GroupType> {
    let mut found = store::get(conn, wanted).await?;
    if found.is_none() {
        found = store::by_name(conn, wanted).await?;
    }
    found.filter(|one| one.is_public || ctx.is_admin()).ok_or_else(|| match base::id::is_uuid(wanted) {
        true => none(wanted),
        false => Error::not_found(format!("Group type with name {wanted} could not be found.")),
    })
}
