//! SQL of images.

use base::{Ctx, Error};
use db::{AnyConnection, Conn, Db, Event, FromRow, Row, Sql, Tx, json_text, sql};

use super::{Image, Status, Visibility, not_found};
use crate::keys::Keys;

impl FromRow for Image {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Image {
            id: row.text("id")?,
            name: row.opt_text("name")?,
            status: Status::parse(&row.text("status")?).unwrap_or(Status::Queued),
            visibility: Visibility::parse(&row.text("visibility")?).unwrap_or(Visibility::Private),
            owner: row.opt_text("owner")?,
            disk_format: row.opt_text("disk_format")?,
            container_format: row.opt_text("container_format")?,
            size: row.opt_int("size")?,
            virtual_size: row.opt_int("virtual_size")?,
            min_disk: row.int("min_disk")?,
            min_ram: row.int("min_ram")?,
            protected: row.bool("protected")?,
            hidden: row.bool("hidden")?,
            checksum: row.opt_text("checksum")?,
            hash_algo: row.opt_text("hash_algo")?,
            hash_value: row.opt_text("hash_value")?,
            properties: row.json("properties")?,
            tags: row.json("tags")?,
            stores: row.json("stores")?,
            created_at: row.int("created_at")?,
            updated_at: row.int("updated_at")?,
            generation: row.int("generation")?,
        })
    }
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Image>> {
    sql("SELECT * FROM images WHERE id = $1").bind(id.to_owned()).optional(conn).await
}

/// Shared with the project, whatever it thinks of it.
pub async fn is_member(conn: &mut Conn, id: &str, project: &str) -> db::Result<bool> {
    sql("SELECT 1 FROM image_members WHERE image_id = $1 AND member_id = $2")
        .bind(id.to_owned())
        .bind(project.to_owned())
        .exists(conn)
        .await
}

/// Everything that `project` may list, newest first; None: everything. Images shared with it come with the status of
/// the membership.
pub async fn list(conn: &mut Conn, project: Option<&str>) -> db::Result<Vec<(Image, Option<String>)>> {
    struct Listed(Image, Option<String>);
    impl FromRow for Listed {
        fn from_row(row: &Row<'_>) -> db::Result<Self> {
            Ok(Listed(Image::from_row(row)?, row.opt_text("member_status")?))
        }
    }
    let rows: Vec<Listed> = match project {
        None => {
            sql("SELECT i.*, NULL AS member_status FROM images i ORDER BY created_at DESC, id DESC")
                .rows(conn)
                .await?
        }
        Some(project) => {
            sql("SELECT i.*, m.status AS member_status FROM images i \
                 LEFT JOIN image_members m ON m.image_id = i.id AND m.member_id = $1 \
                 WHERE i.owner = $1 OR i.visibility IN ('public', 'community') \
                    OR (i.visibility = 'shared' AND m.member_id IS NOT NULL) \
                 ORDER BY i.created_at DESC, i.id DESC")
            .bind(project.to_owned())
            .rows(conn)
            .await?
        }
    };
    Ok(rows.into_iter().map(|Listed(image, status)| (image, status)).collect())
}

/// The first page of a list that asks for nothing in particular: what most clients send, so the database cuts it.
pub async fn first_page(conn: &mut Conn, project: Option<&str>, limit: usize) -> db::Result<Vec<Image>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    match project {
        None => {
            sql("SELECT * FROM images WHERE hidden = 0 ORDER BY created_at DESC, id DESC LIMIT $1")
                .bind(limit)
                .rows(conn)
                .await
        }
        Some(project) => {
            sql("SELECT * FROM images i WHERE hidden = 0 AND (owner = $1 OR visibility = 'public' \
                 OR (visibility = 'shared' AND EXISTS (SELECT 1 FROM image_members m \
                     WHERE m.image_id = i.id AND m.member_id = $1 AND m.status = 'accepted'))) \
                 ORDER BY created_at DESC, id DESC LIMIT $2")
            .bind(project.to_owned())
            .bind(limit)
            .rows(conn)
            .await
        }
    }
}

pub async fn create(db: &Db, ctx: &Ctx, image: &Image) -> base::Result<()> {
    db::write!(db, |tx| create_in(tx, ctx, image).await)
}

/// Both statements name the columns that an image may change in this order, so that they are bound in one place.
fn bound(text: &'static str, image: &Image) -> db::Result<Sql<'static>> {
    Ok(sql(text)
        .bind(image.name.clone())
        .bind(image.status.as_str())
        .bind(image.visibility.as_str())
        .bind(image.owner.clone())
        .bind(image.disk_format.clone())
        .bind(image.container_format.clone())
        .bind(image.size)
        .bind(image.virtual_size)
        .bind(image.min_disk)
        .bind(image.min_ram)
        .bind(i64::from(image.protected))
        .bind(i64::from(image.hidden))
        .bind(image.checksum.clone())
        .bind(image.hash_algo.clone())
        .bind(image.hash_value.clone())
        .bind(json_text(&image.properties)?)
        .bind(json_text(&image.tags)?)
        .bind(json_text(&image.stores)?)
        .bind(image.updated_at)
        .bind(image.id.clone()))
}

pub async fn create_in(tx: &mut Tx, ctx: &Ctx, image: &Image) -> base::Result<()> {
    let insert = "INSERT INTO images (name, status, visibility, owner, disk_format, container_format, size, \
         virtual_size, min_disk, min_ram, protected, hidden, checksum, hash_algo, hash_value, properties, tags, stores, \
         updated_at, id, created_at, generation) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, 0)";
    let inserted = bound(insert, image)?.bind(image.created_at).run(tx).await;
    match inserted {
        Err(e) if db::is_unique(&e) => {
            return Err(Error::conflict(format!("Image ID {} already exists!", image.id)).because(e));
        }
        other => other?,
    };
    event(tx, ctx, "image.create", image).await
}

/// Reads, changes and writes an image in one transaction; 404 when it is gone. `change` may run again.
pub async fn edit(
    db: &Db,
    ctx: &Ctx,
    kind: &'static str,
    id: &str,
    change: impl Fn(&mut Image) -> base::Result<()> + Sync,
) -> base::Result<Image> {
    db::write!(db, |tx| edit_in(tx, ctx, kind, id, &change).await)
}

pub async fn edit_in(
    tx: &mut Tx,
    ctx: &Ctx,
    kind: &'static str,
    id: &str,
    change: &(impl Fn(&mut Image) -> base::Result<()> + Sync),
) -> base::Result<Image> {
    let mut image = get(tx, id).await?.ok_or_else(|| not_found(id))?;
    change(&mut image)?;
    image.updated_at = base::time::now();
    let update = "UPDATE images SET name = $1, status = $2, visibility = $3, owner = $4, disk_format = $5, \
         container_format = $6, size = $7, virtual_size = $8, min_disk = $9, min_ram = $10, protected = $11, \
         hidden = $12, checksum = $13, hash_algo = $14, hash_value = $15, properties = $16, tags = $17, \
         stores = $18, updated_at = $19, generation = generation + 1 WHERE id = $20 AND generation = $21";
    let changed = bound(update, &image)?.bind(image.generation).run(tx).await?;
    if changed == 0 {
        // Only where several writers share a database.
        return Err(Error::unavailable(format!("Image {id} was changed by another request; try again.")));
    }
    image.generation += 1;
    event(tx, ctx, kind, &image).await?;
    Ok(image)
}

/// 404 when somebody else deleted it first.
pub async fn delete(db: &Db, keys: Option<&dyn Keys>, ctx: &Ctx, image: &Image) -> base::Result<()> {
    db::write!(db, |tx| {
        if let (Some(keys), Some(key)) = (keys, crate::keys::of(image)) {
            keys.delete(tx, ctx, key).await?;
        }
        if sql("DELETE FROM images WHERE id = $1").bind(image.id.clone()).run(tx).await? == 0 {
            return Err(not_found(&image.id));
        }
        event(tx, ctx, "image.delete", image).await
    })
}

async fn event(tx: &mut Tx, ctx: &Ctx, kind: &'static str, image: &Image) -> base::Result<()> {
    Ok(tx.event(Event::new("glance", kind, &image.id, image.owner.as_deref().unwrap_or(""), ctx)).await?)
}

/// After a crash: no upload is under way any more.
pub async fn requeue_unfinished(db: &Db) -> base::Result<Vec<String>> {
    db::write!(db, |tx| {
        let ids: Vec<String> = sql("SELECT id FROM images WHERE status = 'saving'").rows(tx).await?;
        if !ids.is_empty() {
            sql("UPDATE images SET status = 'queued', generation = generation + 1 WHERE status = 'saving'")
                .run(tx)
                .await?;
        }
        Ok::<_, Error>(ids)
    })
}

/// The digests of data that was hashed after the image became active. False: deleted, or hashed already.
pub async fn set_digests(db: &Db, ctx: &Ctx, id: &str, md5: &str, sha512: &str) -> base::Result<bool> {
    db::write!(db, |tx| {
        let changed = sql("UPDATE images SET checksum = $1, hash_value = $2, generation = generation + 1 \
             WHERE id = $3 AND hash_value IS NULL AND status IN ('active', 'deactivated')")
        .bind(md5.to_owned())
        .bind(sha512.to_owned())
        .bind(id.to_owned())
        .run(tx)
        .await?;
        if changed > 0 {
            tx.event(Event::new("glance", "image.hashed", id, "", ctx)).await?;
        }
        Ok::<_, Error>(changed > 0)
    })
}

/// (id, stores) of everything that has data.
pub async fn with_data(db: &Db) -> base::Result<Vec<(String, String)>> {
    let mut conn = db.read().await?;
    Ok(sql("SELECT id, stores FROM images WHERE status IN ('active', 'deactivated')").rows(&mut conn).await?)
}

pub async fn unhashed(db: &Db) -> base::Result<Vec<String>> {
    let mut conn = db.read().await?;
    Ok(sql("SELECT id FROM images WHERE status IN ('active', 'deactivated') AND hash_algo IS NOT NULL \
            AND hash_value IS NULL")
    .rows(&mut conn)
    .await?)
}

/// Images with staged data, or with an upload that stages it.
pub async fn staging(db: &Db) -> base::Result<Vec<Image>> {
    let mut conn = db.read().await?;
    Ok(sql("SELECT * FROM images WHERE status IN ('uploading', 'importing')").rows(&mut conn).await?)
}

/// Bytes that a project has in all stores together.
pub async fn stored_bytes(conn: &mut AnyConnection, project: &str) -> db::Result<i64> {
    let sizes: Vec<Image> = sql("SELECT * FROM images WHERE owner = $1 AND size IS NOT NULL")
        .bind(project.to_owned())
        .rows(conn)
        .await?;
    Ok(sizes
        .iter()
        .map(|i| i.size.unwrap_or(0).saturating_mul(i64::try_from(i.stores.len().max(1)).unwrap_or(1)))
        .fold(0, i64::saturating_add))
}
