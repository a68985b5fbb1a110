use base::{Ctx, Error, Result};
use db::{AnyConnection, Event, FromRow, Row, Tx, sql, sql_built};

use super::{Container, Member, rules};
use crate::refs::Slice;
use crate::{acls, consumers, quotas, secrets};

struct MemberRow {
    container_id: String,
    member: Member,
}

impl FromRow for MemberRow {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(MemberRow {
            container_id: row.text("container_id")?,
            member: Member { name: row.text("name")?, secret_id: row.text("secret_id")? },
        })
    }
}

/// Gives each of them its secrets.
async fn filled(conn: &mut AnyConnection, mut containers: Vec<Container>) -> Result<Vec<Container>> {
    if containers.is_empty() {
        return Ok(containers);
    }
    let marks: Vec<String> = (1..=containers.len()).map(|n| format!("${n}")).collect();
    let text = format!(
        "SELECT container_id, name, secret_id FROM secret_container_secret WHERE container_id IN ({}) ORDER BY position",
        marks.join(", ")
    );
    let statement = containers.iter().fold(sql_built(text), |sql, container| sql.bind(container.id.clone()));
    for MemberRow { container_id, member } in statement.rows(conn).await? {
        if let Some(container) = containers.iter_mut().find(|container| container.id == container_id) {
            container.secrets.push(member);
        }
    }
    Ok(containers)
}

/// With its secrets and its access list. Whether the caller may see it is asked of that.
pub async fn get(conn: &mut AnyConnection, id: &str) -> Result<Container> {
    if !base::id::is_uuid(id) {
        return Err(rules::bad_id());
    }
    let found = sql("SELECT * FROM secret_container WHERE id = $1").bind(id).rows(conn).await?;
    let mut container = filled(conn, found).await?.pop().ok_or_else(rules::not_found)?;
    container.owned.acl = acls::store::find(conn, id).await?;
    Ok(container)
}

/// A page and how many there are. '' for any name or type.
pub async fn list(
    conn: &mut AnyConnection,
    project: &str,
    name: &str,
    kind: &str,
    slice: Slice,
) -> Result<(Vec<Container>, i64)> {
    const CONDITIONS: &str =
        "FROM secret_container WHERE project_id = $1 AND ($2 = '' OR name = $2) AND ($3 = '' OR type = $3)";
    let total = sql_built(format!("SELECT COUNT(*) {CONDITIONS}"))
        .bind(project)
        .bind(name)
        .bind(kind)
        .number(conn)
        .await?;
    let page = sql_built(format!("SELECT * {CONDITIONS} ORDER BY created_at, id LIMIT $4 OFFSET $5"))
        .bind(project)
        .bind(name)
        .bind(kind)
        .bind(slice.limit)
        .bind(slice.offset)
        .rows(conn)
        .await?;
    Ok((filled(conn, page).await?, total))
}

pub async fn create(tx: &mut Tx, ctx: &Ctx, container: &Container) -> Result<()> {
    let project = &container.owned.project_id;
    quotas::store::check(tx, project, "containers", "Container creation").await?;
    for member in &container.secrets {
        if !secrets::store::is_there(tx, project, &member.secret_id).await? {
            let message = format!("Secret provided for '{}' doesn't exist.", member.name);
            return Err(Error::not_found(message));
        }
    }
    sql("INSERT INTO secret_container (id, project_id, creator_id, name, type, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)")
    .bind(&container.id)
    .bind(project)
    .bind(&container.owned.creator_id)
    .bind(container.name.clone())
    .bind(&container.kind)
    .bind(container.created_at)
    .bind(container.updated_at)
    .run(tx)
    .await?;
    for member in &container.secrets {
        put(tx, &container.id, member).await?;
    }
    told(tx, ctx, "container.create", container).await
}

async fn put(tx: &mut Tx, container: &str, member: &Member) -> Result<()> {
    sql("INSERT INTO secret_container_secret (container_id, secret_id, name, position) \
         SELECT $1, $2, $3, COALESCE(MAX(position), 0) + 1 FROM secret_container_secret WHERE container_id = $1")
    .bind(container)
    .bind(&member.secret_id)
    .bind(&member.name)
    .run(tx)
    .await?;
    Ok(())
}

/// The container is looked at again: of two who add the same, one is late.
pub async fn add(tx: &mut Tx, ctx: &Ctx, id: &str, member: &Member) -> Result<()> {
    let container = &get(tx, id).await?;
    if !secrets::store::is_there(tx, &container.owned.project_id, &member.secret_id).await? {
        return Err(Error::not_found("Secret provided doesn't exist."));
    }
    if container.secrets.contains(member) {
        return Err(Error::conflict(
            "Conflict. A secret with that name and ID is already stored in this container. The same secret can exist \
             in a container as long as the name is unique.",
        ));
    }
    put(tx, &container.id, member).await?;
    told(tx, ctx, "container.update", container).await
}

pub async fn remove(tx: &mut Tx, ctx: &Ctx, container: &Container, member: &Member) -> Result<()> {
    let gone =
        sql("DELETE FROM secret_container_secret WHERE container_id = $1 AND secret_id = $2 AND name = $3")
            .bind(&container.id)
            .bind(&member.secret_id)
            .bind(&member.name)
            .run(tx)
            .await?;
    if gone == 0 {
        return Err(Error::not_found("Secret provided is not in the container"));
    }
    told(tx, ctx, "container.update", container).await
}

/// Its secrets stay.
pub async fn delete(tx: &mut Tx, ctx: &Ctx, container: &Container) -> Result<()> {
    acls::store::remove(tx, &container.id).await?;
    consumers::store::remove_all(tx, &container.id).await?;
    sql("DELETE FROM secret_container WHERE id = $1").bind(&container.id).run(tx).await?;
    told(tx, ctx, "container.delete", container).await
}

async fn told(tx: &mut Tx, ctx: &Ctx, kind: &'static str, container: &Container) -> Result<()> {
    Ok(tx.event(Event::new("key-manager", kind, &container.id, &container.owned.project_id, ctx)).await?)
}
