//! SQL of attachments, and the transactions that change a volume with them.

use std::collections::HashMap;

use base::{Ctx, Result};
use db::{AnyConnection, Db, FromRow, Row, Tx, sql};
use serde_json::Value;

use super::{Attachment, check_mode, follow, may_connect, may_reserve};
use crate::volumes::{self, Status, Volume};
use crate::words::{invalid_volume, no_attachment, no_volume};

impl FromRow for Attachment {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Attachment {
            id: row.text("id")?,
            volume_id: row.text("volume_id")?,
            project_id: row.text("project_id")?,
            server_id: row.opt_text("server_id")?,
            host: row.opt_text("host")?,
            mountpoint: row.opt_text("mountpoint")?,
            status: row.text("status")?,
            mode: row.opt_text("mode")?,
            connector: row.opt_text("connector")?,
            attached_at: row.opt_int("attached_at")?,
            created_at: row.int("created_at")?,
        })
    }
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Attachment>> {
    sql("SELECT * FROM volume_attachments WHERE id = $1").bind(id.to_owned()).optional(conn).await
}

pub async fn of_volume(conn: &mut AnyConnection, volume: &str) -> db::Result<Vec<Attachment>> {
    sql("SELECT * FROM volume_attachments WHERE volume_id = $1 ORDER BY created_at, id")
        .bind(volume.to_owned())
        .rows(conn)
        .await
}

pub async fn of_server(conn: &mut AnyConnection, server: &str) -> db::Result<Vec<Attachment>> {
    sql("SELECT * FROM volume_attachments WHERE server_id = $1 ORDER BY created_at, id")
        .bind(server.to_owned())
        .rows(conn)
        .await
}

/// Servers that were told where a volume is.
pub async fn servers(conn: &mut AnyConnection) -> db::Result<Vec<String>> {
    sql("SELECT DISTINCT server_id FROM volume_attachments WHERE server_id IS NOT NULL \
         AND (connector IS NOT NULL OR status = 'attached')")
    .rows(conn)
    .await
}

/// None: of all projects.
pub async fn list(conn: &mut AnyConnection, project: Option<&str>) -> db::Result<Vec<Attachment>> {
    match project {
        None => sql("SELECT * FROM volume_attachments").rows(conn).await,
        Some(project) => {
            sql("SELECT * FROM volume_attachments WHERE project_id = $1")
                .bind(project.to_owned())
                .rows(conn)
                .await
        }
    }
}

/// By volume.
pub async fn by_volume(
    conn: &mut AnyConnection,
    project: Option<&str>,
) -> db::Result<HashMap<String, Vec<Attachment>>> {
    let mut map: HashMap<String, Vec<Attachment>> = HashMap::new();
    for one in list(conn, project).await? {
        map.entry(one.volume_id.clone()).or_default().push(one);
    }
    Ok(map)
}

async fn write(tx: &mut Tx, one: &Attachment) -> Result<()> {
    sql("INSERT INTO volume_attachments (id, volume_id, project_id, server_id, host, mountpoint, status, mode, connector, \
         attached_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
         ON CONFLICT (id) DO UPDATE SET host = excluded.host, mountpoint = excluded.mountpoint, \
         status = excluded.status, mode = excluded.mode, connector = excluded.connector, \
         attached_at = excluded.attached_at")
    .bind(one.id.clone())
    .bind(one.volume_id.clone())
    .bind(one.project_id.clone())
    .bind(one.server_id.clone())
    .bind(one.host.clone())
    .bind(one.mountpoint.clone())
    .bind(one.status.clone())
    .bind(one.mode.clone())
    .bind(one.connector.clone())
    .bind(one.attached_at)
    .bind(one.created_at)
    .run(tx)
    .await?;
    Ok(())
}

/// What changes in one transaction: an attachment, its volume and the other attachments.
async fn settle(tx: &mut Tx, ctx: &Ctx, kind: &'static str, volume: &mut Volume) -> Result<()> {
    let all = of_volume(tx, &volume.id).await?;
    follow(volume, &all);
    volumes::store::update(tx, ctx, kind, volume).await
}

/// What a connector says that is kept beside it.
pub struct Connector {
    pub text: String,
    pub host: Option<String>,
    pub mountpoint: Option<String>,
    pub mode: Option<String>,
}

impl Connector {
    pub fn read(value: &Value) -> Connector {
        let text = |key: &str| value[key].as_str().map(Into::into);
        Connector {
            text: value.to_string(),
            host: text("host"),
            mountpoint: text("mountpoint"),
            mode: value["mode"].as_str().filter(|mode| ["rw", "ro"].contains(mode)).map(Into::into),
        }
    }
}

async fn connect_in(tx: &mut Tx, volume: &Volume, one: &mut Attachment, connector: &Connector) -> Result<()> {
    let mut others = of_volume(tx, &volume.id).await?;
    others.retain(|other| other.id != one.id);
    let mode = connector.mode.clone().or_else(|| one.mode.clone());
    let mode = mode.unwrap_or_else(|| if volume.readonly == Some(true) { "ro".into() } else { "rw".into() });
    may_connect(volume, &others, &mode)?;
    let connected: Vec<Attachment> = others.iter().filter(|other| other.is_connected()).cloned().collect();
    crate::flatten::may_share(tx, volume, one.server_id.as_deref(), &connected).await?;
    one.mode = Some(mode);
    one.connector = Some(connector.text.clone());
    one.host.clone_from(&connector.host);
    if connector.mountpoint.is_some() {
        one.mountpoint.clone_from(&connector.mountpoint);
    }
    if !one.is_attached() {
        one.status = "attaching".into();
    }
    write(tx, one).await
}

/// A new attachment: reserved, or with a connector told at once where the volume is.
pub async fn create(
    db: &Db,
    ctx: &Ctx,
    volume_id: &str,
    server: Option<&str>,
    connector: Option<&Connector>,
    mode: Option<&str>,
) -> Result<Attachment> {
    let id = base::id::uuid();
    db::write!(db, |tx| {
        let volume = volumes::load(tx, ctx, volume_id).await?;
        ctx.authorize(&crate::policy::ATTACHMENT_CREATE, Some(&volume.project_id))?;
        create_in(tx, ctx, volume, &id, server, connector, mode).await
    })
}

/// The same in the caller's transaction, of a volume that was read there.
pub async fn create_in(
    tx: &mut Tx,
    ctx: &Ctx,
    mut volume: Volume,
    id: &str,
    server: Option<&str>,
    connector: Option<&Connector>,
    mode: Option<&str>,
) -> Result<Attachment> {
    let others = of_volume(tx, &volume.id).await?;
    may_reserve(&volume, &others, server)?;
    crate::flatten::may_share(tx, &volume, server, &others).await?;
    let mut one = Attachment::new(&volume, server, "reserved");
    one.id = id.to_owned();
    one.mode = mode.map(Into::into);
    write(tx, &one).await?;
    if let Some(connector) = connector {
        connect_in(tx, &volume, &mut one, connector).await?;
    }
    let before = volume.status;
    settle(tx, ctx, "volume.reserve", &mut volume).await?;
    if one.status == "reserved" && before == Status::InUse {
        // Others of a multiattach volume go on; until this one is complete nobody else may begin.
        volume.status = Status::Reserved;
        volumes::store::update(tx, ctx, "volume.reserve", &mut volume).await?;
    }
    Ok(one)
}

async fn both(tx: &mut Tx, id: &str) -> Result<(Attachment, Volume)> {
    let one = get(tx, id).await?.ok_or_else(|| no_attachment(id))?;
    let volume = volumes::store::get(tx, &one.volume_id).await?.ok_or_else(|| no_volume(&one.volume_id))?;
    Ok((one, volume))
}

pub async fn connect(db: &Db, ctx: &Ctx, id: &str, connector: &Connector) -> Result<Attachment> {
    db::write!(db, |tx| {
        let (mut one, mut volume) = both(tx, id).await?;
        connect_in(tx, &volume, &mut one, connector).await?;
        settle(tx, ctx, "volume.connect", &mut volume).await?;
        Ok(one)
    })
}

pub async fn complete(db: &Db, ctx: &Ctx, id: &str) -> Result<Attachment> {
    db::write!(db, |tx| complete_in(tx, ctx, id).await)
}

pub async fn complete_in(tx: &mut Tx, ctx: &Ctx, id: &str) -> Result<Attachment> {
    let (mut one, mut volume) = both(tx, id).await?;
    if !one.is_attached() {
        one.status = "attached".into();
        one.attached_at = Some(base::time::now());
        write(tx, &one).await?;
        settle(tx, ctx, "volume.attach", &mut volume).await?;
    }
    Ok(one)
}

/// Answers the attachments that are left.
pub async fn delete(db: &Db, ctx: &Ctx, id: &str) -> Result<Vec<Attachment>> {
    db::write!(db, |tx| delete_in(tx, ctx, id).await)
}

pub async fn delete_in(tx: &mut Tx, ctx: &Ctx, id: &str) -> Result<Vec<Attachment>> {
    let (_, mut volume) = both(tx, id).await?;
    sql("DELETE FROM volume_attachments WHERE id = $1").bind(id.to_owned()).run(tx).await?;
    settle(tx, ctx, "volume.detach", &mut volume).await?;
    Ok(of_volume(tx, &volume.id).await?)
}

/// A reservation for the same server in the attachment's place.
pub async fn park_in(tx: &mut Tx, ctx: &Ctx, id: &str, new_id: &str) -> Result<()> {
    let (old, mut volume) = both(tx, id).await?;
    sql("DELETE FROM volume_attachments WHERE id = $1").bind(id.to_owned()).run(tx).await?;
    let mut one = Attachment::new(&volume, old.server_id.as_deref(), "reserved");
    one.id = new_id.to_owned();
    one.mode = old.mode;
    write(tx, &one).await?;
    settle(tx, ctx, "volume.park", &mut volume).await
}

/// The older `os-attach`: reserved by `os-reserve`, or not at all.
pub async fn attach(
    db: &Db,
    ctx: &Ctx,
    volume_id: &str,
    server: Option<&str>,
    host: Option<&str>,
    mountpoint: &str,
    mode: &str,
) -> Result<()> {
    let id = base::id::uuid();
    db::write!(db, |tx| {
        let mut volume = volumes::store::get(tx, volume_id).await?.ok_or_else(|| no_volume(volume_id))?;
        check_mode(&volume, mode)?;
        let others = of_volume(tx, volume_id).await?;
        let same = |other: &&Attachment| {
            other.is_attached() && (server.is_some() && other.server_id.as_deref() == server)
        };
        if others.iter().find(same).is_some() {
            settle(tx, ctx, "volume.attach", &mut volume).await?;
            return Ok(());
        }
        match volume.status {
            Status::Maintenance => {
                return Err(invalid_volume("The volume cannot be attached in maintenance mode."));
            }
            _ if !volume.multiattach && others.iter().any(Attachment::is_connected) => {
                return Err(invalid_volume("volume is already attached"));
            }
            Status::Available | Status::Attaching => {}
            Status::InUse if volume.multiattach => {}
            other => {
                return Err(invalid_volume(format!(
                    "Volume status must be available or attaching to attach, but the status is {}.",
                    other.as_str()
                )));
            }
        }
        crate::flatten::may_share(tx, &volume, server, &others).await?;
        let mut one = Attachment::new(&volume, server, "attached");
        one.id.clone_from(&id);
        one.host = host.map(Into::into);
        one.mountpoint = Some(mountpoint.into());
        one.mode = Some(mode.into());
        one.attached_at = Some(one.created_at);
        write(tx, &one).await?;
        settle(tx, ctx, "volume.attach", &mut volume).await
    })
}

/// The older `os-detach`. None: the only attachment.
pub async fn detach(db: &Db, ctx: &Ctx, volume_id: &str, id: Option<&str>) -> Result<()> {
    db::write!(db, |tx| {
        let mut volume = volumes::store::get(tx, volume_id).await?.ok_or_else(|| no_volume(volume_id))?;
        if volume.status == Status::Maintenance {
            return Err(invalid_volume("The volume cannot be detached in maintenance mode."));
        }
        let all = of_volume(tx, volume_id).await?;
        let gone = match (id, all.as_slice()) {
            (Some(id), _) => Some(id.to_owned()),
            (None, []) => None,
            (None, [one]) => Some(one.id.clone()),
            (None, _) => {
                return Err(invalid_volume(
                    "Detach volume failed: More than one attachment, but no attachment_id provided.",
                ));
            }
        };
        sql("DELETE FROM volume_attachments WHERE id = $1 AND volume_id = $2")
            .bind(gone)
            .bind(volume_id)
            .run(tx)
            .await?;
        if volume.status == Status::Error && of_volume(tx, volume_id).await?.is_empty() {
            // An admin's word about one that was attached: with the last attachment that is over.
            volume.status = Status::Available;
        }
        settle(tx, ctx, "volume.detach", &mut volume).await
    })
}

/// `os-reserve`, `os-unreserve`, `os-begin_detaching`, `os-roll_detaching`: the volume's status and no more.
pub async fn mark(db: &Db, ctx: &Ctx, volume_id: &str, what: &str) -> Result<()> {
    db::write!(db, |tx| mark_in(tx, ctx, volume_id, what).await)
}

pub async fn mark_in(tx: &mut Tx, ctx: &Ctx, volume_id: &str, what: &str) -> Result<()> {
    let mut volume = volumes::store::get(tx, volume_id).await?.ok_or_else(|| no_volume(volume_id))?;
    let all = of_volume(tx, volume_id).await?;
    let attached = all.iter().any(Attachment::is_attached);
    let kind = match (what, volume.status) {
        ("os-reserve", Status::Available) => "volume.reserve",
        ("os-reserve", Status::InUse) if volume.multiattach => "volume.reserve",
        ("os-reserve", other) => {
            let wanted = if volume.multiattach { "available or in-use" } else { "available" };
            return Err(invalid_volume(format!(
                "Volume status must be {wanted} to reserve, but the status is {}.",
                other.as_str()
            )));
        }
        ("os-unreserve", Status::Attaching) => "volume.unreserve",
        ("os-begin_detaching", Status::InUse) if attached => "volume.begin_detaching",
        ("os-begin_detaching", _) => {
            return Err(invalid_volume(
                "Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to \
                 detach.",
            ));
        }
        ("os-roll_detaching", Status::Detaching) => "volume.roll_detaching",
        _ => return Ok(()),
    };
    volume.status = match what {
        "os-reserve" => Status::Attaching,
        "os-begin_detaching" => Status::Detaching,
        _ if attached => Status::InUse,
        _ => Status::Available,
    };
    volumes::store::update(tx, ctx, kind, &mut volume).await
}

/// An admin's word that nobody uses the volume by these, as long as they are as they were looked at. What is left says what
/// the volume's status is, whichever was told.
pub async fn forget(tx: &mut Tx, volume: &mut Volume, unused: &[Attachment]) -> Result<()> {
    let all = of_volume(tx, &volume.id).await?;
    if all.is_empty() {
        return Ok(());
    }
    let (gone, left): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| unused.contains(one));
    for one in gone {
        sql("DELETE FROM volume_attachments WHERE id = $1").bind(one.id).run(tx).await?;
    }
    if volume.status != Status::Uploading {
        volume.status = Status::Available;
    }
    follow(volume, &left);
    Ok(())
}
