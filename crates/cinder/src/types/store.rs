//! SQL of volume types.

use base::{Ctx, Error, Result};
use db::{AnyConnection, Db, Event, FromRow, Row, Tx, json_text, sql};

use super::{DEFAULT_TYPE, TypeNames, VolumeType};
use crate::{quotas, words};

impl FromRow for VolumeType {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(VolumeType {
            id: row.text("id")?,
            name: row.text("name")?,
            description: row.opt_text("description")?,
            is_public: row.bool("is_public")?,
            extra_specs: row.json("extra_specs")?,
            encryption: row.opt_text("encryption")?,
            qos_id: row.opt_text("qos_id")?,
            created_at: row.int("created_at")?,
        })
    }
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<VolumeType>> {
    sql("SELECT * FROM volume_types WHERE id = $1").bind(id.to_owned()).optional(conn).await
}

pub async fn by_name(conn: &mut AnyConnection, name: &str) -> db::Result<Option<VolumeType>> {
    sql("SELECT * FROM volume_types WHERE name = $1").bind(name.to_owned()).optional(conn).await
}

/// Those that the project may use; None: all.
pub async fn list(conn: &mut AnyConnection, project: Option<&str>) -> db::Result<Vec<VolumeType>> {
    match project {
        None => sql("SELECT * FROM volume_types").rows(conn).await,
        Some(project) => {
            sql("SELECT * FROM volume_types t WHERE is_public = 1 OR EXISTS \
                 (SELECT 1 FROM volume_type_access a WHERE a.type_id = t.id AND a.project_id = $1)")
            .bind(project.to_owned())
            .rows(conn)
            .await
        }
    }
}

pub async fn names(conn: &mut AnyConnection) -> db::Result<TypeNames> {
    let rows: Vec<(String, String)> = sql("SELECT id, name FROM volume_types").rows(conn).await?;
    Ok(TypeNames(rows.into_iter().collect()))
}

pub async fn ensure_default(db: &Db) -> Result<()> {
    db::write!(db, |tx| {
        if by_name(tx, DEFAULT_TYPE).await?.is_none() && list(tx, None).await?.is_empty() {
            let default = VolumeType {
                id: base::id::uuid(),
                name: DEFAULT_TYPE.into(),
                description: Some("Default Volume Type".into()),
                is_public: true,
                extra_specs: Default::default(),
                encryption: None,
                qos_id: None,
                created_at: base::time::now(),
            };
            write(tx, &default).await?;
        }
        Ok::<_, Error>(())
    })
}

/// New, or in place of the one with this id.
pub async fn write(tx: &mut Tx, one: &VolumeType) -> Result<()> {
    let done = sql("INSERT INTO volume_types (id, name, description, is_public, extra_specs, encryption, qos_id, \
         created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
         description = excluded.description, is_public = excluded.is_public, extra_specs = excluded.extra_specs, \
         encryption = excluded.encryption, qos_id = excluded.qos_id")
    .bind(one.id.clone())
    .bind(one.name.clone())
    .bind(one.description.clone())
    .bind(i64::from(one.is_public))
    .bind(json_text(&one.extra_specs)?)
    .bind(one.encryption.clone())
    .bind(one.qos_id.clone())
    .bind(one.created_at)
    .run(tx)
    .await;
    match done {
        Err(e) if db::is_unique(&e) => {
            Err(Error::conflict(format!("Volume Type {} already exists.", one.name)).because(e))
        }
        other => Ok(other.map(|_| ())?),
    }
}

pub async fn create(db: &Db, ctx: &Ctx, one: &VolumeType, project: Option<&str>) -> Result<()> {
    db::write!(db, |tx| {
        write(tx, one).await?;
        if let Some(project) = project {
            give_access(tx, &one.id, project).await?;
        }
        Ok(tx.event(Event::new("cinder", "volume_type.create", &one.id, "", ctx)).await?)
    })
}

/// Reads, changes and writes in one transaction. With `idle`, only while no volume has this type.
pub async fn edit(
    db: &Db,
    ctx: &Ctx,
    id: &str,
    idle: Option<&str>,
    change: impl Fn(&mut VolumeType) -> Result<()> + Sync,
) -> Result<VolumeType> {
    db::write!(db, |tx| {
        let mut one = get(tx, id).await?.ok_or_else(|| words::no_type(id))?;
        if let Some(refusal) = idle
            && in_use(tx, id).await?
        {
            return Err(Error::bad_request(refusal));
        }
        let before = one.name.clone();
        change(&mut one)?;
        write(tx, &one).await?;
        if one.name != before {
            quotas::store::rename(tx, &before, &one.name).await?;
        }
        tx.event(Event::new("cinder", "volume_type.update", id, "", ctx)).await?;
        Ok(one)
    })
}

async fn in_use(conn: &mut AnyConnection, id: &str) -> db::Result<bool> {
    sql("SELECT 1 FROM volumes WHERE type_id = $1 UNION ALL SELECT 1 FROM volume_snapshots WHERE type_id = $1")
        .bind(id.to_owned())
        .exists(conn)
        .await
}

pub async fn delete(db: &Db, ctx: &Ctx, id: &str) -> Result<()> {
    db::write!(db, |tx| {
        let one = get(tx, id).await?.ok_or_else(|| words::no_type(id))?;
        if sql("SELECT COUNT(*) FROM volume_types").number(tx).await? == 1 {
            return Err(Error::bad_request(format!(
                "The volume type {id} is the only currently defined volume type and cannot be deleted."
            )));
        }
        let is_default = one.name == DEFAULT_TYPE
            || sql("SELECT 1 FROM volume_default_types WHERE type_id = $1").bind(id).exists(tx).await?;
        if is_default {
            return Err(Error::bad_request(format!(
                "The volume type {id} is a default volume type and cannot be deleted."
            )));
        }
        if in_use(tx, id).await? {
            return Err(Error::bad_request("Target volume type is still in use."));
        }
        sql("DELETE FROM volume_type_access WHERE type_id = $1").bind(id).run(tx).await?;
        sql("DELETE FROM volume_types WHERE id = $1").bind(id).run(tx).await?;
        Ok(tx.event(Event::new("cinder", "volume_type.delete", id, "", ctx)).await?)
    })
}

pub async fn has_access(conn: &mut AnyConnection, id: &str, project: &str) -> db::Result<bool> {
    sql("SELECT 1 FROM volume_type_access WHERE type_id = $1 AND project_id = $2")
        .bind(id.to_owned())
        .bind(project.to_owned())
        .exists(conn)
        .await
}

pub async fn projects(conn: &mut AnyConnection, id: &str) -> db::Result<Vec<String>> {
    sql("SELECT project_id FROM volume_type_access WHERE type_id = $1 ORDER BY project_id")
        .bind(id.to_owned())
        .rows(conn)
        .await
}

async fn give_access(tx: &mut Tx, id: &str, project: &str) -> Result<()> {
    let done = sql("INSERT INTO volume_type_access (type_id, project_id) VALUES ($1, $2)")
        .bind(id.to_owned())
        .bind(project.to_owned())
        .run(tx)
        .await;
    match done {
        Err(e) if db::is_unique(&e) => Err(Error::conflict(format!(
            "Volume type access for {id} / {project} combination already exists."
        ))
        .because(e)),
        other => Ok(other.map(|_| ())?),
    }
}

pub async fn add_access(db: &Db, ctx: &Ctx, id: &str, project: &str) -> Result<()> {
    db::write!(db, |tx| {
        let one = get(tx, id).await?.ok_or_else(|| words::no_type(id))?;
        if one.is_public {
            return Err(Error::bad_request(
                "Invalid volume type: Type access modification is not applicable to public volume type.",
            ));
        }
        give_access(tx, id, project).await?;
        Ok(tx.event(Event::new("cinder", "volume_type.access", id, project, ctx)).await?)
    })
}

pub async fn remove_access(db: &Db, ctx: &Ctx, id: &str, project: &str) -> Result<()> {
    db::write!(db, |tx| {
        let one = get(tx, id).await?.ok_or_else(|| words::no_type(id))?;
        if one.is_public {
            return Err(Error::bad_request(
                "Invalid volume type: Type access modification is not applicable to public volume type.",
            ));
        }
        let gone = sql("DELETE FROM volume_type_access WHERE type_id = $1 AND project_id = $2")
            .bind(id)
            .bind(project)
            .run(tx)
            .await?;
        if gone == 0 {
            return Err(Error::not_found(format!(
                "Volume type access not found for {id} / {project} combination."
            )));
        }
        Ok(tx.event(Event::new("cinder", "volume_type.access", id, project, ctx)).await?)
    })
}

pub async fn project_default(conn: &mut AnyConnection, project: &str) -> db::Result<Option<String>> {
    sql("SELECT type_id FROM volume_default_types WHERE project_id = $1")
        .bind(project.to_owned())
        .optional(conn)
        .await
}

/// (project, type)
pub async fn project_defaults(conn: &mut AnyConnection) -> db::Result<Vec<(String, String)>> {
    sql("SELECT project_id, type_id FROM volume_default_types ORDER BY project_id").rows(conn).await
}

/// None takes it away again.
pub async fn set_project_default(db: &Db, ctx: &Ctx, project: &str, id: Option<&str>) -> Result<()> {
    db::write!(db, |tx| {
        sql("DELETE FROM volume_default_types WHERE project_id = $1").bind(project).run(tx).await?;
        if let Some(id) = id {
            sql("INSERT INTO volume_default_types (project_id, type_id) VALUES ($1, $2)")
                .bind(project)
                .bind(id)
                .run(tx)
                .await?;
        }
        Ok(tx.event(Event::new("cinder", "volume_type.default", id.unwrap_or(""), project, ctx)).await?)
    })
}
