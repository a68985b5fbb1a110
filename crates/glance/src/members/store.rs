//! SQL of memberships.

use base::{Ctx, Error};
use db::{Conn, Db, Event, FromRow, Row, Tx, sql};

use super::Member;

impl FromRow for Member {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Member {
            image_id: row.text("image_id")?,
            member_id: row.text("member_id")?,
            status: row.text("status")?,
            created_at: row.int("created_at")?,
            updated_at: row.int("updated_at")?,
        })
    }
}

pub async fn list(conn: &mut Conn, image: &str) -> db::Result<Vec<Member>> {
    sql("SELECT * FROM image_members WHERE image_id = $1 ORDER BY created_at, member_id")
        .bind(image.to_owned())
        .rows(conn)
        .await
}

pub async fn create(db: &Db, ctx: &Ctx, member: &Member) -> base::Result<()> {
    db::write!(db, |tx| create_in(tx, ctx, member).await)
}

pub async fn create_in(tx: &mut Tx, ctx: &Ctx, member: &Member) -> base::Result<()> {
    let inserted = sql("INSERT INTO image_members (image_id, member_id, status, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)")
        .bind(member.image_id.clone())
        .bind(member.member_id.clone())
        .bind(member.status.clone())
        .bind(member.created_at)
        .run(tx)
        .await;
    match inserted {
        Err(e) if db::is_unique(&e) => Err(Error::conflict(format!(
            "Member {} is duplicated for image {}",
            member.member_id, member.image_id
        ))),
        Err(e) => Err(e.into()),
        Ok(_) => Ok(tx
            .event(Event::new("glance", "image_member.create", &member.image_id, &member.member_id, ctx))
            .await?),
    }
}

pub async fn set_status(db: &Db, ctx: &Ctx, member: &Member) -> base::Result<()> {
    db::write!(db, |tx| {
        sql("UPDATE image_members SET status = $1, updated_at = $2 WHERE image_id = $3 AND member_id = $4")
            .bind(member.status.clone())
            .bind(member.updated_at)
            .bind(member.image_id.clone())
            .bind(member.member_id.clone())
            .run(tx)
            .await?;
        Ok(tx
            .event(Event::new("glance", "image_member.update", &member.image_id, &member.member_id, ctx))
            .await?)
    })
}

pub async fn delete(db: &Db, ctx: &Ctx, image: &str, member: &str) -> base::Result<bool> {
    db::write!(db, |tx| {
        let gone = sql("DELETE FROM image_members WHERE image_id = $1 AND member_id = $2")
            .bind(image.to_owned())
            .bind(member.to_owned())
            .run(tx)
            .await?;
        if gone > 0 {
            tx.event(Event::new("glance", "image_member.delete", image, member, ctx)).await?;
        }
        Ok(gone > 0)
    })
}
