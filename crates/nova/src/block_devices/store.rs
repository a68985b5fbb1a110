//! Rows of block devices.

use std::collections::HashMap;

use base::Result;
use db::{AnyConnection, FromRow, Row, Tx, sql, sql_built};

use super::{BlockDevice, State};

impl FromRow for BlockDevice {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(BlockDevice {
            id: row.text("id")?,
            server_id: row.text("server_id")?,
            position: row.int("position")?,
            // A word that is not known can only come from a newer version, which `migrate` refuses to run beside.
            state: State::parse(&row.text("state")?).unwrap_or(State::Attached),
            source_type: row.text("source_type")?,
            source_id: row.opt_text("source_id")?,
            volume_id: row.text("volume_id")?,
            attachment_id: row.opt_text("attachment_id")?,
            size_gib: row.opt_int("size_gib")?,
            volume_type: row.opt_text("volume_type")?,
            boot_index: row.opt_int("boot_index")?,
            device_name: row.opt_text("device_name")?,
            disk_bus: row.opt_text("disk_bus")?,
            device_type: row.opt_text("device_type")?,
            guest_format: row.opt_text("guest_format")?,
            tag: row.opt_text("tag")?,
            delete_on_termination: row.bool("delete_on_termination")?,
            request_id: row.opt_text("request_id")?,
            attempts: row.int("attempts")?,
            created_at: row.int("created_at")?,
        })
    }
}

/// In device order.
pub(crate) async fn of_server(conn: &mut AnyConnection, server: &str) -> Result<Vec<BlockDevice>> {
    Ok(sql("SELECT * FROM server_block_devices WHERE server_id = $1 ORDER BY position, id")
        .bind(server)
        .rows(conn)
        .await?)
}

pub(crate) async fn of_volume(conn: &mut AnyConnection, volume: &str) -> Result<Vec<BlockDevice>> {
    Ok(sql("SELECT * FROM server_block_devices WHERE volume_id = $1 ORDER BY created_at, id")
        .bind(volume)
        .rows(conn)
        .await?)
}

pub(crate) async fn get(conn: &mut AnyConnection, id: &str) -> Result<Option<BlockDevice>> {
    Ok(sql("SELECT * FROM server_block_devices WHERE id = $1").bind(id).optional(conn).await?)
}

/// One that clients see.
pub(crate) async fn find(
    conn: &mut AnyConnection,
    server: &str,
    volume: &str,
) -> Result<Option<BlockDevice>> {
    let all = of_server(conn, server).await?;
    Ok(all.into_iter().find(|device| device.volume_id == volume && device.is_shown()))
}

/// Of a volume that a server shows: (server, volume, deleted with it).
struct Shown(String, String, bool);

impl FromRow for Shown {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Shown(row.text("server_id")?, row.text("volume_id")?, row.bool("delete_on_termination")?))
    }
}

/// Server -> its volumes, and whether they are deleted with it.
pub(crate) type Volumes = HashMap<String, Vec<(String, bool)>>;

pub(crate) async fn shown(conn: &mut AnyConnection, servers: &[&str]) -> Result<Volumes> {
    let mut found = Volumes::new();
    for chunk in servers.chunks(500) {
        let marks: Vec<String> = (1..=chunk.len()).map(|n| format!("${n}")).collect();
        let mut query = sql_built(format!(
            "SELECT server_id, volume_id, delete_on_termination FROM server_block_devices \
             WHERE state NOT IN ('wanted', 'leaving') AND server_id IN ({}) ORDER BY server_id, position, id",
            marks.join(", ")
        ));
        for id in chunk {
            query = query.bind((*id).to_owned());
        }
        for Shown(server, volume, deleted) in query.rows::<Shown>(conn).await? {
            found.entry(server).or_default().push((volume, deleted));
        }
    }
    Ok(found)
}

pub(crate) async fn insert(tx: &mut Tx, device: &BlockDevice) -> Result<()> {
    sql("INSERT INTO server_block_devices (id, server_id, position, state, source_type, source_id, volume_id, \
         attachment_id, size_gib, volume_type, boot_index, device_name, disk_bus, device_type, guest_format, tag, \
         delete_on_termination, request_id, attempts, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, \
         $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)")
    .bind(&*device.id)
    .bind(&*device.server_id)
    .bind(device.position)
    .bind(device.state.as_str())
    .bind(&*device.source_type)
    .bind(device.source_id.clone())
    .bind(&*device.volume_id)
    .bind(device.attachment_id.clone())
    .bind(device.size_gib)
    .bind(device.volume_type.clone())
    .bind(device.boot_index)
    .bind(device.device_name.clone())
    .bind(device.disk_bus.clone())
    .bind(device.device_type.clone())
    .bind(device.guest_format.clone())
    .bind(device.tag.clone())
    .bind(i64::from(device.delete_on_termination))
    .bind(device.request_id.clone())
    .bind(device.attempts)
    .bind(device.created_at)
    .run(tx)
    .await?;
    Ok(())
}

/// What changes of one.
pub(crate) async fn save(tx: &mut Tx, device: &BlockDevice) -> Result<()> {
    sql("UPDATE server_block_devices SET state = $1, attachment_id = $2, size_gib = $3, device_name = $4, \
         delete_on_termination = $5, request_id = $6, attempts = $7 WHERE id = $8")
    .bind(device.state.as_str())
    .bind(device.attachment_id.clone())
    .bind(device.size_gib)
    .bind(device.device_name.clone())
    .bind(i64::from(device.delete_on_termination))
    .bind(device.request_id.clone())
    .bind(device.attempts)
    .bind(&*device.id)
    .run(tx)
    .await?;
    Ok(())
}

pub(crate) async fn delete(tx: &mut Tx, id: &str) -> Result<()> {
    sql("DELETE FROM server_block_devices WHERE id = $1").bind(id).run(tx).await?;
    Ok(())
}

/// Servers with a device that is to come or to go.
pub(crate) async fn unsettled(conn: &mut AnyConnection) -> Result<Vec<String>> {
    Ok(sql("SELECT DISTINCT server_id FROM server_block_devices WHERE state IN ('attaching', 'detaching', 'leaving')")
        .rows(conn)
        .await?)
}
