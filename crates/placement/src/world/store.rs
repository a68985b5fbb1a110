//! SQL that reads all providers with what they have.

use std::collections::HashMap;

use db::{AnyConnection, FromRow, Row, sql};

use super::{Known, World};
use crate::inventories::Inventory;
use crate::inventories::store::WITH_USE;
use crate::providers;

struct Of<T>(String, T);

impl FromRow for Of<Inventory> {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Of(row.text("provider")?, Inventory::from_row(row)?))
    }
}

pub async fn load(conn: &mut AnyConnection) -> db::Result<World> {
    let rows = providers::store::list_in(conn).await?;
    let inventories: Vec<Of<Inventory>> = db::sql_built(WITH_USE.replace("{where}", "")).rows(conn).await?;
    let traits: Vec<(String, String)> = sql("SELECT provider, trait FROM provider_traits").rows(conn).await?;
    let aggregates: Vec<(String, String)> =
        sql("SELECT provider, aggregate FROM provider_aggregates").rows(conn).await?;
    let mut known: HashMap<String, Known> = rows
        .iter()
        .map(|row| {
            let empty = Known {
                row: row.clone(),
                inventories: Default::default(),
                traits: Default::default(),
                aggregates: Default::default(),
            };
            (row.uuid.clone(), empty)
        })
        .collect();
    for Of(provider, inventory) in inventories {
        if let Some(k) = known.get_mut(&provider) {
            k.inventories.insert(inventory.resource_class.clone(), inventory);
        }
    }
    for (provider, name) in traits {
        if let Some(k) = known.get_mut(&provider) {
            k.traits.insert(name);
        }
    }
    for (provider, aggregate) in aggregates {
        if let Some(k) = known.get_mut(&provider) {
            k.aggregates.insert(aggregate);
        }
    }
    Ok(World::new(rows.iter().filter_map(|row| known.remove(&row.uuid)).collect()))
}
