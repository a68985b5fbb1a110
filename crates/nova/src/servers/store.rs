//! Rows of servers.

use base::{Ctx, Error, Result};
use db::{AnyConnection, Event, FromRow, Row, Tx, json_text, sql, sql_built};

use super::{PowerState, Server, Spec, TaskState, VmState, Work};

pub(crate) const COLUMNS: &str = "id, project_id, user_id, name, description, hostname, reservation_id, \
    launch_index, flavor, image_id, image_properties, scheduler_hints, key_name, config_drive, metadata, tags, pinned_zone, host, group_id, locked_by, \
    locked_reason, access_ipv4, access_ipv6, disk_config, vm_state, task_state, power_state, attempts, fault, resume, \
    boot_id, created_at, updated_at, launched_at, terminated_at, deleted_at, soft_deleted_at, trusted_certificates, \
    generation";

impl FromRow for Server {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Server {
            id: row.text("id")?,
            project_id: row.text("project_id")?,
            user_id: row.text("user_id")?,
            name: row.text("name")?,
            description: row.opt_text("description")?,
            hostname: row.text("hostname")?,
            reservation_id: row.text("reservation_id")?,
            launch_index: row.int("launch_index")?,
            flavor: row.json("flavor")?,
            image_id: row.opt_text("image_id")?,
            image_properties: row.text("image_properties")?,
            scheduler_hints: row.text("scheduler_hints")?,
            key_name: row.opt_text("key_name")?,
            config_drive: row.bool("config_drive")?,
            metadata: row.json("metadata")?,
            tags: row.json("tags")?,
            pinned_zone: row.opt_text("pinned_zone")?,
            host: row.opt_text("host")?,
            group_id: row.opt_text("group_id")?,
            locked_by: row.opt_text("locked_by")?,
            locked_reason: row.opt_text("locked_reason")?,
            access_ipv4: row.opt_text("access_ipv4")?,
            access_ipv6: row.opt_text("access_ipv6")?,
            disk_config: row.text("disk_config")?,
            // A word that is not known can only come from a newer version, which `migrate` refuses to run beside.
            vm_state: VmState::parse(&row.text("vm_state")?).unwrap_or(VmState::Error),
            task_state: row.opt_text("task_state")?.as_deref().and_then(TaskState::parse),
            power_state: PowerState::from_number(row.int("power_state")?),
            attempts: row.int("attempts")?,
            fault: row.opt_text("fault")?.and_then(|text| serde_json::from_str(&text).ok()),
            resume: row.bool("resume")?,
            boot_id: row.opt_text("boot_id")?,
            created_at: row.int("created_at")?,
            updated_at: row.int("updated_at")?,
            launched_at: row.opt_int("launched_at")?,
            terminated_at: row.opt_int("terminated_at")?,
            deleted_at: row.opt_int("deleted_at")?,
            soft_deleted_at: row.opt_int("soft_deleted_at")?,
            trusted_certificates: match row.opt_text("trusted_certificates")? {
                Some(_) => row.json("trusted_certificates")?,
                None => None,
            },
            generation: row.int("generation")?,
        })
    }
}

pub(crate) fn not_found(id: &str) -> Error {
    Error::not_found(format!("Instance {id} could not be found."))
}

/// Also deleted ones.
pub(crate) async fn get(conn: &mut AnyConnection, id: &str) -> Result<Option<Server>> {
    Ok(sql_built(format!("SELECT {COLUMNS} FROM servers WHERE id = $1")).bind(id).optional(conn).await?)
}

/// A living one that the caller may see.
pub(crate) async fn find(conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<Server> {
    get(conn, id)
        .await?
        .filter(|s| s.deleted_at.is_none() && ctx.owns(&s.project_id))
        .ok_or_else(|| not_found(id))
}

pub(crate) async fn insert(tx: &mut Tx, ctx: &Ctx, server: &Server, spec: &Spec) -> Result<()> {
    sql("INSERT INTO servers (id, project_id, user_id, name, description, hostname, reservation_id, launch_index, \
         flavor_id, flavor, vcpus, memory_mib, image_id, key_name, config_drive, metadata, tags, pinned_zone, host, \
         group_id, access_ipv4, access_ipv6, disk_config, vm_state, task_state, power_state, attempts, resume, \
         created_at, updated_at, image_properties, scheduler_hints, trusted_certificates, generation) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
         $22, $23, $24, $25, $26, 0, 0, $27, $28, $29, $30, $31, 0)")
    .bind(&*server.id)
    .bind(&*server.project_id)
    .bind(&*server.user_id)
    .bind(&*server.name)
    .bind(server.description.clone())
    .bind(&*server.hostname)
    .bind(&*server.reservation_id)
    .bind(server.launch_index)
    .bind(&*server.flavor.id)
    .bind(json_text(&server.flavor)?)
    .bind(server.flavor.vcpus)
    .bind(server.flavor.memory_mib)
    .bind(server.image_id.clone())
    .bind(server.key_name.clone())
    .bind(i64::from(server.config_drive))
    .bind(json_text(&server.metadata)?)
    .bind(json_text(&server.tags)?)
    .bind(server.pinned_zone.clone())
    .bind(server.host.clone())
    .bind(server.group_id.clone())
    .bind(server.access_ipv4.clone())
    .bind(server.access_ipv6.clone())
    .bind(&*server.disk_config)
    .bind(server.vm_state.as_str())
    .bind(server.task_state.map(TaskState::as_str))
    .bind(server.power_state as i64)
    .bind(server.created_at)
    .bind(server.updated_at)
    .bind(&*server.image_properties)
    .bind(&*server.scheduler_hints)
    .bind(server.trusted_certificates.as_ref().map(json_text).transpose()?)
    .run(tx)
    .await?;
    sql("INSERT INTO server_specs (server_id, user_data, files, networks, security_groups, key_type, public_key, \
         admin_pass) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
    .bind(&*server.id)
    .bind(spec.user_data.clone())
    .bind(json_text(&spec.files)?)
    .bind(json_text(&spec.nics)?)
    .bind(json_text(&spec.security_groups)?)
    .bind(spec.key_type.clone())
    .bind(spec.public_key.clone())
    .bind(spec.admin_pass.clone())
    .run(tx)
    .await?;
    tx.event(Event::new("nova", "server.create", &server.id, &server.project_id, ctx)).await?;
    Ok(())
}

/// Writes what may change, unless somebody was faster: then 409, and the caller reads again.
pub(crate) async fn save(tx: &mut Tx, ctx: &Ctx, kind: &'static str, server: &Server) -> Result<()> {
    let fault = server.fault.as_ref().map(json_text).transpose()?;
    let now = base::time::now();
    let soft = (server.vm_state == VmState::SoftDeleted).then(|| server.soft_deleted_at.unwrap_or(now));
    let changed = sql("UPDATE servers SET name = $1, description = $2, hostname = $3, metadata = $4, tags = $5, \
         host = $6, locked_by = $7, locked_reason = $8, access_ipv4 = $9, access_ipv6 = $10, disk_config = $11, \
         vm_state = $12, task_state = $13, power_state = $14, attempts = $15, fault = $16, resume = $17, \
         boot_id = $18, updated_at = $19, launched_at = $20, terminated_at = $21, deleted_at = $22, \
         flavor_id = $23, flavor = $24, image_id = $25, key_name = $26, pinned_zone = $27, \
         image_properties = $28, trusted_certificates = $29, soft_deleted_at = $30, generation = generation + 1 \
         WHERE id = $31 AND generation = $32")
    .bind(&*server.name)
    .bind(server.description.clone())
    .bind(&*server.hostname)
    .bind(json_text(&server.metadata)?)
    .bind(json_text(&server.tags)?)
    .bind(server.host.clone())
    .bind(server.locked_by.clone())
    .bind(server.locked_reason.clone())
    .bind(server.access_ipv4.clone())
    .bind(server.access_ipv6.clone())
    .bind(&*server.disk_config)
    .bind(server.vm_state.as_str())
    .bind(server.task_state.map(TaskState::as_str))
    .bind(server.power_state as i64)
    .bind(server.attempts)
    .bind(fault)
    .bind(i64::from(server.resume))
    .bind(server.boot_id.clone())
    .bind(now)
    .bind(server.launched_at)
    .bind(server.terminated_at)
    .bind(server.deleted_at)
    .bind(&*server.flavor.id)
    .bind(json_text(&server.flavor)?)
    .bind(server.image_id.clone())
    .bind(server.key_name.clone())
    .bind(server.pinned_zone.clone())
    .bind(&*server.image_properties)
    .bind(server.trusted_certificates.as_ref().map(json_text).transpose()?)
    .bind(soft)
    .bind(&*server.id)
    .bind(server.generation)
    .run(tx)
    .await?;
    if changed == 0 {
        return Err(Error::conflict(format!(
            "Instance {} was changed by another request meanwhile; try again.",
            server.id
        )));
    }
    tx.event(Event::new("nova", kind, &server.id, &server.project_id, ctx)).await?;
    Ok(())
}

impl FromRow for Spec {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Spec {
            user_data: row.opt_text("user_data")?,
            files: row.json("files")?,
            nics: row.json("networks")?,
            security_groups: row.json("security_groups")?,
            key_type: row.opt_text("key_type")?,
            public_key: row.opt_text("public_key")?,
            admin_pass: row.opt_text("admin_pass")?,
            image_file: row.opt_text("image_file")?,
            image_format: row.opt_text("image_format")?,
            guest_password: row.opt_text("guest_password")?,
            work: match row.opt_text("work")? {
                Some(_) => row.json("work")?,
                None => Work::default(),
            },
        })
    }
}

pub(crate) async fn spec(conn: &mut AnyConnection, id: &str) -> Result<Spec> {
    sql("SELECT user_data, files, networks, security_groups, key_type, public_key, admin_pass, image_file, \
         image_format, guest_password, work FROM server_specs WHERE server_id = $1")
    .bind(id)
    .optional(conn)
    .await?
    .ok_or_else(|| Error::internal(format!("server {id} has no row in server_specs")))
}

pub(crate) async fn save_spec(tx: &mut Tx, id: &str, spec: &Spec) -> Result<()> {
    let work = if spec.work == Work::default() { None } else { Some(json_text(&spec.work)?) };
    sql("UPDATE server_specs SET networks = $1, admin_pass = $2, image_file = $3, image_format = $4, work = $5, \
         user_data = $6, files = $7, key_type = $8, public_key = $9 WHERE server_id = $10")
    .bind(json_text(&spec.nics)?)
    .bind(spec.admin_pass.clone())
    .bind(spec.image_file.clone())
    .bind(spec.image_format.clone())
    .bind(work)
    .bind(spec.user_data.clone())
    .bind(json_text(&spec.files)?)
    .bind(spec.key_type.clone())
    .bind(spec.public_key.clone())
    .bind(id)
    .run(tx)
    .await?;
    Ok(())
}

/// Secrets and scripts of a deleted server are of no more use.
pub(crate) async fn forget_spec(tx: &mut Tx, id: &str) -> Result<()> {
    sql("UPDATE server_specs SET user_data = NULL, files = '[]', public_key = NULL, admin_pass = NULL, \
         guest_password = NULL WHERE server_id = $1")
    .bind(id)
    .run(tx)
    .await?;
    Ok(())
}

/// Keeps what the guest posted, unless there is something already: then false.
pub(crate) async fn keep_guest_password(tx: &mut Tx, id: &str, password: &str) -> Result<bool> {
    let kept =
        sql("UPDATE server_specs SET guest_password = $1 WHERE server_id = $2 AND guest_password IS NULL")
            .bind(password)
            .bind(id)
            .run(tx)
            .await?;
    Ok(kept > 0)
}

pub(crate) async fn clear_guest_password(tx: &mut Tx, id: &str) -> Result<()> {
    sql("UPDATE server_specs SET guest_password = NULL WHERE server_id = $1").bind(id).run(tx).await?;
    Ok(())
}

/// What the quotas count of a server, which is the larger one while it is resized.
pub(crate) async fn hold(tx: &mut Tx, id: &str, vcpus: i64, memory_mib: i64) -> Result<()> {
    sql("UPDATE servers SET vcpus = $1, memory_mib = $2 WHERE id = $3")
        .bind(vcpus)
        .bind(memory_mib)
        .bind(id)
        .run(tx)
        .await?;
    Ok(())
}

/// (server id, user data), for admins' detailed lists.
pub(crate) async fn user_data(conn: &mut AnyConnection, ids: &[String]) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for chunk in ids.chunks(500) {
        let marks: Vec<String> = (1..=chunk.len()).map(|n| format!("${n}")).collect();
        let mut query = sql_built(format!(
            "SELECT server_id, user_data FROM server_specs WHERE user_data IS NOT NULL AND server_id IN ({})",
            marks.join(", ")
        ));
        for id in chunk {
            query = query.bind(&**id);
        }
        found.extend(query.rows::<(String, String)>(conn).await?);
    }
    Ok(found)
}

/// Living members of a group that have a place on a host, apart from this one.
pub(crate) async fn placed_members(conn: &mut AnyConnection, group: &str, but: &str) -> Result<i64> {
    Ok(sql("SELECT COUNT(*) FROM servers WHERE group_id = $1 AND id <> $2 AND deleted_at IS NULL \
            AND host IS NOT NULL")
    .bind(group)
    .bind(but)
    .number(conn)
    .await?)
}

pub(crate) async fn members(conn: &mut AnyConnection, group: &str) -> Result<i64> {
    Ok(sql("SELECT COUNT(*) FROM servers WHERE group_id = $1 AND deleted_at IS NULL")
        .bind(group)
        .number(conn)
        .await?)
}

/// What a resync needs to know of every living server.
pub(crate) struct Brief {
    pub id: String,
    pub vm_state: Option<VmState>,
    pub has_task: bool,
}

impl FromRow for Brief {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Brief {
            id: row.text("id")?,
            vm_state: VmState::parse(&row.text("vm_state")?),
            has_task: row.opt_text("task_state")?.is_some(),
        })
    }
}

pub(crate) async fn living(conn: &mut AnyConnection) -> Result<Vec<Brief>> {
    Ok(sql("SELECT id, vm_state, task_state FROM servers WHERE deleted_at IS NULL").rows(conn).await?)
}

/// Marks the running ones, so that the next start of the daemon starts them again; the answer is who they are.
pub(crate) async fn mark_resume(tx: &mut Tx) -> Result<Vec<String>> {
    sql("UPDATE servers SET resume = 1, generation = generation + 1 \
         WHERE deleted_at IS NULL AND task_state IS NULL \
           AND (vm_state = 'active' OR (vm_state IN ('rescued', 'resized') AND power_state = 1))")
    .run(tx)
    .await?;
    Ok(sql("SELECT id FROM servers WHERE deleted_at IS NULL AND resume = 1").rows(tx).await?)
}

/// Whole paths of a data directory become those of another one.
pub(crate) async fn rename_files(tx: &mut Tx, from: &str, to: &str) -> Result<()> {
    let (from, to) = (format!("{from}/"), format!("{to}/"));
    sql("UPDATE server_specs SET image_file = replace(image_file, $1, $2), work = replace(work, $1, $2)")
        .bind(from)
        .bind(to)
        .run(tx)
        .await?;
    Ok(())
}

/// Deleted before this instant; not more at once than one transaction should take.
pub(crate) async fn deleted_before(conn: &mut AnyConnection, at: i64) -> Result<Vec<String>> {
    Ok(sql("SELECT id FROM servers WHERE deleted_at < $1 LIMIT 500").bind(at).rows(conn).await?)
}

/// Removes all that is known of them.
pub(crate) async fn purge(tx: &mut Tx, ids: &[String]) -> Result<()> {
    for id in ids {
        for text in [
            "DELETE FROM server_actions WHERE server_id = $1",
            "DELETE FROM server_specs WHERE server_id = $1",
            "DELETE FROM server_migrations WHERE server_id = $1",
            "DELETE FROM servers WHERE id = $1",
        ] {
            sql(text).bind(&**id).run(tx).await?;
        }
    }
    Ok(())
}
