//! SQL of an operator's own resource classes.

use base::{Ctx, Error};
use db::{AnyConnection, Db, Event, sql};

use super::{is_standard, unknown};

/// (name, created at), oldest first.
pub async fn list(conn: &mut AnyConnection) -> db::Result<Vec<String>> {
    sql("SELECT name FROM resource_classes ORDER BY created_at, name").rows(conn).await
}

pub async fn exists(conn: &mut AnyConnection, name: &str) -> db::Result<bool> {
    if is_standard(name) {
        return Ok(true);
    }
    sql("SELECT 1 FROM resource_classes WHERE name = $1").bind(name.to_owned()).exists(conn).await
}

/// False: there was one of that name.
pub async fn create(db: &Db, ctx: &Ctx, name: &str) -> base::Result<bool> {
    db::write!(db, |tx| {
        let made = sql("INSERT INTO resource_classes (name, created_at, updated_at) VALUES ($1, $2, $2) \
             ON CONFLICT (name) DO NOTHING")
        .bind(name.to_owned())
        .bind(base::time::now())
        .run(tx)
        .await?;
        if made > 0 {
            tx.event(Event::new("placement", "resource_class.create", name, "", ctx)).await?;
        }
        Ok::<_, Error>(made > 0)
    })
}

pub async fn rename(db: &Db, ctx: &Ctx, from: &str, to: &str) -> base::Result<()> {
    db::write!(db, |tx| {
        let renamed = sql("UPDATE resource_classes SET name = $1, updated_at = $2 WHERE name = $3")
            .bind(to.to_owned())
            .bind(base::time::now())
            .bind(from.to_owned())
            .run(tx)
            .await;
        match renamed {
            Err(e) if db::is_unique(&e) => {
                return Err(Error::conflict(format!("Resource class already exists: {to}")));
            }
            Err(e) => return Err(e.into()),
            Ok(0) => return Err(unknown(from)),
            Ok(_) => {}
        }
        for table in [
            "UPDATE inventories SET resource_class = $1 WHERE resource_class = $2",
            "UPDATE allocations SET resource_class = $1 WHERE resource_class = $2",
        ] {
            sql(table).bind(to.to_owned()).bind(from.to_owned()).run(tx).await?;
        }
        Ok(tx.event(Event::new("placement", "resource_class.update", to, "", ctx)).await?)
    })
}

pub async fn delete(db: &Db, ctx: &Ctx, name: &str) -> base::Result<()> {
    db::write!(db, |tx| {
        let used = sql("SELECT 1 FROM inventories WHERE resource_class = $1")
            .bind(name.to_owned())
            .exists(tx)
            .await?;
        if used {
            return Err(Error::conflict(format!(
                "Error in delete resource class: Cannot delete resource class {name}. Class is in use in inventory."
            )));
        }
        if sql("DELETE FROM resource_classes WHERE name = $1").bind(name.to_owned()).run(tx).await? == 0 {
            return Err(unknown(name));
        }
        Ok(tx.event(Event::new("placement", "resource_class.delete", name, "", ctx)).await?)
    })
}
