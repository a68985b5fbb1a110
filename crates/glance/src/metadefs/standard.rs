//! The definitions that every cloud starts with: what this one's machines and services understand, by the names that
//! OpenStack's clients know.

use base::{Ctx, Error, Result};
use db::{Db, sql};
use serde_json::Value;

use super::Namespace;
use super::namespaces::contents;
use super::store::{New, add_type, create_in};

/// Of any OpenStack: what definitions can be meant for.
const RESOURCE_TYPES: [&str; 7] = [
    "OS::Cinder::Volume",
    "OS::Glance::Image",
    "OS::Neutron::Net",
    "OS::Nova::Aggregate",
    "OS::Nova::Flavor",
    "OS::Nova::Server",
    "OS::Trove::Instance",
];

/// Once in the life of a database: what an administrator changes or deletes afterwards stays so.
pub async fn load(db: &Db) -> Result<()> {
    let ctx = Ctx::internal("first-start");
    let namespaces: Vec<Value> =
        serde_json::from_str(include_str!("standard.json")).map_err(Error::internal)?;
    db::write!(db, |tx| {
        if sql("SELECT 1 FROM metadef_resource_types").exists(tx).await? {
            return Ok(());
        }
        let now = base::time::now();
        for name in RESOURCE_TYPES {
            add_type(tx, name, now).await?;
        }
        for body in &namespaces {
            let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
            let namespace = Namespace {
                namespace: text("namespace").unwrap_or_default(),
                display_name: text("display_name"),
                description: text("description"),
                public: true,
                protected: true,
                owner: "admin".into(),
                created_at: now,
                updated_at: now,
            };
            let (associations, items) = contents(&namespace, body);
            create_in(tx, &ctx, &New { namespace, associations, items }).await?;
        }
        Ok::<_, Error>(())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::metadefs::schemas;

    #[test]
    fn standard_definitions_are_valid() {
        let all: Vec<Value> = serde_json::from_str(include_str!("standard.json")).unwrap();
        assert!(!all.is_empty());
        for namespace in all {
            schemas::check("namespace", &namespace).unwrap();
        }
    }
}
