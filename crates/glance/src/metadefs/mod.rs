//! Metadata definitions: which properties mean what on images, flavors, servers and volumes. Dashboards offer them.
//!
//! ```text
//! namespace ─┬─ properties    one property each, with its JSON schema
//!            ├─ objects       several properties under one name
//!            ├─ tags          words
//!            └─ resource types that it is meant for, each with a prefix for the properties' names
//! ```

mod items;
mod namespaces;
mod policy;
mod resource_types;
pub mod schemas;
pub mod standard;
mod store;

use std::sync::Arc;

use base::{Ctx, Error, Policy, Result};
use web::Routes;

use crate::Glance;

pub fn routes(routes: Routes<Arc<Glance>>) -> Routes<Arc<Glance>> {
    let routes = namespaces::routes(routes);
    let routes = items::routes(routes);
    resource_types::routes(routes)
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    pub namespace: String,
    pub display_name: Option<String>,
    pub description: Option<String>,
    pub public: bool,
    pub protected: bool,
    pub owner: String,
    pub created_at: i64,
    pub updated_at: i64,
}

fn not_found(name: &str) -> Error {
    Error::not_found(format!("Metadata definition namespace={name} was not found."))
}

/// 404 for a namespace that `ctx` may not see, 403 where it may not do what `policy` says.
async fn load(glance: &Glance, ctx: &Ctx, name: &str, policy: &Policy) -> Result<Namespace> {
    let found = store::namespace(&mut *glance.db.read().await?, name).await?;
    let found = found
        .filter(|n| ctx.project().is_some() && (n.public || ctx.owns(&n.owner)))
        .ok_or_else(|| not_found(name))?;
    ctx.authorize(policy, None).map_err(|_| {
        Error::forbidden(format!("You are not authorized to complete {} action.", policy.name))
    })?;
    Ok(found)
}
