//! Rows of flavors and of who may use the private ones.

use base::{Ctx, Error, Result};
use db::{Conn, Db, Event, FromRow, Row, Tx, json_text, sql, sql_built};

use super::Flavor;

const COLUMNS: &str = "id, name, vcpus, memory_mib, root_gib, ephemeral_gib, swap_mib, rxtx_factor, is_public, \
                       description, extra_specs";

impl FromRow for Flavor {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Flavor {
            id: row.text("id")?,
            name: row.text("name")?,
            vcpus: row.int("vcpus")?,
            memory_mib: row.int("memory_mib")?,
            root_gib: row.int("root_gib")?,
            ephemeral_gib: row.int("ephemeral_gib")?,
            swap_mib: row.int("swap_mib")?,
            rxtx_factor: row.float("rxtx_factor")?,
            is_public: row.bool("is_public")?,
            description: row.opt_text("description")?,
            extra_specs: row.json("extra_specs")?,
        })
    }
}

/// Whose private flavors are seen.
#[derive(Debug, Clone, Copy)]
pub enum Seen<'a> {
    /// An admin's view: all, or by is_public.
    All(Option<bool>),
    /// Public ones and those that the project was given.
    Project(&'a str),
}

pub async fn list(conn: &mut Conn, seen: Seen<'_>) -> Result<Vec<Flavor>> {
    let rows = match seen {
        Seen::All(None) => sql_built(format!("SELECT {COLUMNS} FROM flavors")).rows(conn).await?,
        Seen::All(Some(public)) => {
            sql_built(format!("SELECT {COLUMNS} FROM flavors WHERE is_public = $1"))
                .bind(i64::from(public))
                .rows(conn)
                .await?
        }
        Seen::Project(project) => {
            sql_built(format!(
                "SELECT {COLUMNS} FROM flavors WHERE is_public = 1 OR id IN \
                 (SELECT flavor_id FROM flavor_access WHERE project_id = $1)"
            ))
            .bind(project)
            .rows(conn)
            .await?
        }
    };
    Ok(rows)
}

pub async fn get(conn: &mut Conn, id: &str) -> Result<Option<Flavor>> {
    Ok(sql_built(format!("SELECT {COLUMNS} FROM flavors WHERE id = $1")).bind(id).optional(conn).await?)
}

pub async fn has_access(conn: &mut Conn, id: &str, project: &str) -> Result<bool> {
    Ok(sql("SELECT 1 FROM flavor_access WHERE flavor_id = $1 AND project_id = $2")
        .bind(id)
        .bind(project)
        .exists(conn)
        .await?)
}

pub async fn create(db: &Db, ctx: &Ctx, flavor: &Flavor) -> Result<()> {
    db::write!(db, |tx| {
        if sql("SELECT 1 FROM flavors WHERE name = $1").bind(&*flavor.name).exists(tx).await? {
            return Err(Error::conflict(format!("Flavor with name {} already exists.", flavor.name)));
        }
        if sql("SELECT 1 FROM flavors WHERE id = $1").bind(&*flavor.id).exists(tx).await? {
            return Err(Error::conflict(format!("Flavor with ID {} already exists.", flavor.id)));
        }
        insert(tx, flavor).await?;
        tx.event(Event::new("nova", "flavor.create", &flavor.id, "", ctx)).await?;
        Ok(())
    })
}

pub async fn create_first(db: &Db, ctx: &Ctx, flavors: &[Flavor]) -> Result<()> {
    db::write!(db, |tx| {
        if sql("SELECT 1 FROM flavors").exists(tx).await? {
            return Ok(());
        }
        for flavor in flavors {
            insert(tx, flavor).await?;
            tx.event(Event::new("nova", "flavor.create", &flavor.id, "", ctx)).await?;
        }
        Ok(())
    })
}

async fn insert(tx: &mut Tx, flavor: &Flavor) -> Result<()> {
    sql("INSERT INTO flavors (id, name, vcpus, memory_mib, root_gib, ephemeral_gib, swap_mib, rxtx_factor, \
         is_public, description, extra_specs, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)")
    .bind(&*flavor.id)
    .bind(&*flavor.name)
    .bind(flavor.vcpus)
    .bind(flavor.memory_mib)
    .bind(flavor.root_gib)
    .bind(flavor.ephemeral_gib)
    .bind(flavor.swap_mib)
    .bind(flavor.rxtx_factor)
    .bind(i64::from(flavor.is_public))
    .bind(flavor.description.clone())
    .bind(json_text(&flavor.extra_specs)?)
    .bind(base::time::now())
    .run(tx)
    .await?;
    Ok(())
}

pub async fn set_description(db: &Db, ctx: &Ctx, id: &str, description: Option<&str>) -> Result<()> {
    db::write!(db, |tx| {
        sql("UPDATE flavors SET description = $1 WHERE id = $2")
            .bind(description.map(str::to_owned))
            .bind(id)
            .run(tx)
            .await?;
        tx.event(Event::new("nova", "flavor.update", id, "", ctx)).await?;
        Ok(())
    })
}

/// Merges `set` into the extra specs and takes `unset` out of them; the answer is what they are then.
pub async fn change_specs(
    db: &Db,
    ctx: &Ctx,
    id: &str,
    set: &[(String, String)],
    unset: Option<&str>,
) -> Result<std::collections::BTreeMap<String, String>> {
    db::write!(db, |tx| {
        let flavor: Flavor = sql_built(format!("SELECT {COLUMNS} FROM flavors WHERE id = $1"))
            .bind(id)
            .optional(tx)
            .await?
            .ok_or_else(|| super::rules::not_found(id))?;
        let mut specs = flavor.extra_specs;
        specs.extend(set.iter().cloned());
        if let Some(key) = unset
            && specs.remove(key).is_none()
        {
            return Err(super::rules::no_spec(id, key));
        }
        sql("UPDATE flavors SET extra_specs = $1 WHERE id = $2")
            .bind(json_text(&specs)?)
            .bind(id)
            .run(tx)
            .await?;
        tx.event(Event::new("nova", "flavor.update", id, "", ctx)).await?;
        Ok(specs)
    })
}

pub async fn delete(db: &Db, ctx: &Ctx, id: &str) -> Result<()> {
    db::write!(db, |tx| {
        if sql("DELETE FROM flavors WHERE id = $1").bind(id).run(tx).await? == 0 {
            return Err(super::rules::not_found(id));
        }
        sql("DELETE FROM flavor_access WHERE flavor_id = $1").bind(id).run(tx).await?;
        tx.event(Event::new("nova", "flavor.delete", id, "", ctx)).await?;
        Ok(())
    })
}

pub async fn access(conn: &mut Conn, id: &str) -> Result<Vec<String>> {
    Ok(sql("SELECT project_id FROM flavor_access WHERE flavor_id = $1 ORDER BY project_id")
        .bind(id)
        .rows(conn)
        .await?)
}

pub async fn add_access(db: &Db, ctx: &Ctx, id: &str, project: &str) -> Result<()> {
    db::write!(db, |tx| {
        if sql("SELECT 1 FROM flavor_access WHERE flavor_id = $1 AND project_id = $2")
            .bind(id)
            .bind(project)
            .exists(tx)
            .await?
        {
            return Err(Error::conflict(format!(
                "Flavor access already exists for flavor {id} and project {project} combination."
            )));
        }
        sql("INSERT INTO flavor_access (flavor_id, project_id) VALUES ($1, $2)")
            .bind(id)
            .bind(project)
            .run(tx)
            .await?;
        tx.event(Event::new("nova", "flavor.update", id, "", ctx)).await?;
        Ok(())
    })
}

pub async fn remove_access(db: &Db, ctx: &Ctx, id: &str, project: &str) -> Result<()> {
    db::write!(db, |tx| {
        let removed = sql("DELETE FROM flavor_access WHERE flavor_id = $1 AND project_id = $2")
            .bind(id)
            .bind(project)
            .run(tx)
            .await?;
        if removed == 0 {
            return Err(Error::not_found(format!(
                "Flavor access not found for {id} / {project} combination."
            )));
        }
        tx.event(Event::new("nova", "flavor.update", id, "", ctx)).await?;
        Ok(())
    })
}
