//! SQL of a reshaping: one transaction over inventories and allocations.

use base::{Ctx, Error};
use db::{Db, Event};

use crate::allocations::{self, Change};
use crate::inventories::Inventory;
use crate::inventories::store::{Words, replace};
use crate::providers;
use crate::wire::concurrent;

/// One provider's inventories after the reshaping.
pub struct Shape {
    pub provider: String,
    pub generation: i64,
    pub inventories: Vec<Inventory>,
}

const WORDS: Words = Words {
    unknown_class: |_, e| Error::bad_request(format!("malformed reshaper data: {e}")),
    in_use: |e| Error::conflict(format!("update conflict: {e}")).code("placement.inventory.inuse"),
};

pub async fn reshape(db: &Db, ctx: &Ctx, shapes: &[Shape], changes: &[Change]) -> base::Result<()> {
    db::write!(db, |tx| {
        for shape in shapes {
            let uuid = &shape.provider;
            let row = providers::store::find(tx, uuid).await?.ok_or_else(|| {
                Error::bad_request(format!(
                    "Resource provider {uuid} in inventories not found: No resource provider with uuid {uuid} found"
                ))
                .code("placement.resource_provider.not_found")
            })?;
            if row.generation != shape.generation {
                return Err(concurrent(format!(
                    "resource provider generation conflict for provider {uuid}: actual: {}, given: {}",
                    row.generation, shape.generation
                )));
            }
        }
        // First everything that is old or new, then the allocations from one to the other, then only the new.
        for shape in shapes {
            replace(tx, &shape.provider, &shape.inventories, true, &WORDS).await?;
        }
        allocations::store::apply(tx, changes, |_, why| format!("malformed reshaper data: {why}")).await?;
        for shape in shapes {
            replace(tx, &shape.provider, &shape.inventories, false, &WORDS).await?;
            allocations::store::raise_generation(tx, &shape.provider).await?;
            tx.event(Event::new("placement", "resource_provider.reshape", &shape.provider, "", ctx)).await?;
        }
        Ok(())
    })
}
