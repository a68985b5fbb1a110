use std::collections::BTreeSet;

use base::{Ctx, Result};
use db::{AnyConnection, Event, Tx, sql, sql_built};

use super::{ACTIVE, ERROR, Node, Noun, PENDING_DELETE, Tree};
use crate::{fault, policy};

/// `SERVICE` of events.
const SERVICE: &str = "load-balancer";

pub async fn find(conn: &mut AnyConnection, noun: Noun, id: &str) -> Result<Option<Node>> {
    Ok(sql("SELECT * FROM balancer_node WHERE id = $1 AND kind = $2")
        .bind(id)
        .bind(noun.member())
        .optional(conn)
        .await?)
}

/// 404 for what is not there; 403 for what is another project's, as the real service tells them apart.
pub async fn visible(conn: &mut AnyConnection, ctx: &Ctx, noun: Noun, id: &str) -> Result<Node> {
    let node = find(conn, noun, id).await?.ok_or_else(|| fault::not_found(noun.title(), id))?;
    match policy::sees_all(ctx) || policy::is_own(ctx, &node.project_id) {
        true => Ok(node),
        false => Err(fault::policy()),
    }
}

/// As [`visible`], for who is about to change it.
pub async fn owned(conn: &mut AnyConnection, ctx: &Ctx, noun: Noun, id: &str) -> Result<Node> {
    let node = visible(conn, ctx, noun, id).await?;
    match policy::governs(ctx) || policy::is_own(ctx, &node.project_id) {
        true => Ok(node),
        false => Err(fault::policy()),
    }
}

/// Empty when there is no such load balancer.
pub async fn tree(conn: &mut AnyConnection, balancer_id: &str) -> Result<Tree> {
    let nodes = sql("SELECT * FROM balancer_node WHERE balancer_id = $1 ORDER BY created_at, id")
        .bind(balancer_id)
        .rows(conn)
        .await?;
    Ok(Tree { nodes })
}

/// Nodes of one kind; `project_id` None: of all projects.
pub async fn of_kind(
    conn: &mut AnyConnection,
    noun: Noun,
    project_id: Option<&str>,
    parent_id: Option<&str>,
) -> Result<Vec<Node>> {
    let text = "SELECT * FROM balancer_node WHERE kind = $1";
    let order = "ORDER BY created_at, id";
    let (column, value) = match (parent_id, project_id) {
        (Some(parent), _) => ("parent_id", parent),
        (None, Some(project)) => ("project_id", project),
        (None, None) => {
            return Ok(sql_built(format!("{text} {order}")).bind(noun.member()).rows(conn).await?);
        }
    };
    let text = format!("{text} AND {column} = $2 {order}");
    Ok(sql_built(text).bind(noun.member()).bind(value).rows(conn).await?)
}

/// What views have of other nodes.
#[derive(Debug, Clone)]
pub struct Twig {
    pub id: String,
    pub noun: Option<Noun>,
    pub parent_id: String,
    pub pool_id: String,
}

impl db::FromRow for Twig {
    fn from_row(row: &db::Row<'_>) -> db::Result<Self> {
        Ok(Twig {
            id: row.text("id")?,
            noun: Noun::read(&row.text("kind")?),
            parent_id: row.text("parent_id")?,
            pool_id: row.text("pool_id")?,
        })
    }
}

/// Of a project or of all, in order of creation.
pub async fn twigs(conn: &mut AnyConnection, project_id: Option<&str>) -> Result<Vec<Twig>> {
    let text = "SELECT id, kind, parent_id, pool_id FROM balancer_node";
    let order = "ORDER BY created_at, id";
    Ok(match project_id {
        Some(project) => {
            sql_built(format!("{text} WHERE project_id = $1 {order}")).bind(project).rows(conn).await?
        }
        None => sql_built(format!("{text} {order}")).rows(conn).await?,
    })
}

pub async fn insert(tx: &mut Tx, ctx: &Ctx, node: &Node) -> Result<()> {
    let made =
        sql("INSERT INTO balancer_node (id, kind, project_id, balancer_id, parent_id, pool_id, unique_key, \
         provisioning_status, operating_status, created_at, updated_at, generation, body) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)")
        .bind(&node.id)
        .bind(node.noun.member())
        .bind(&node.project_id)
        .bind(&node.balancer_id)
        .bind(&node.parent_id)
        .bind(&node.pool_id)
        .bind(node.unique_key())
        .bind(&node.provisioning)
        .bind(&node.operating)
        .bind(node.created_at)
        .bind(node.updated_at)
        .bind(node.generation)
        .bind(db::json_text(&node.fields)?)
        .run(tx)
        .await;
    made.map_err(|error| if db::is_unique(&error) { taken(node) } else { error.into() })?;
    event(tx, ctx, node, node.noun.create_event()).await
}

fn taken(node: &Node) -> base::Error {
    use crate::request::Look;
    base::Error::conflict(match node.noun {
        Noun::HealthMonitor => "This pool already has a health monitor".to_owned(),
        _ => format!(
            "Another member on this pool is already using ip {} on protocol_port {}",
            node.text("address"),
            node.fields.number("protocol_port").unwrap_or_default()
        ),
    })
}

/// Writes the node's fields and statuses over what they were.
pub async fn update(tx: &mut Tx, ctx: &Ctx, node: &Node) -> Result<()> {
    let changed =
        sql("UPDATE balancer_node SET pool_id = $1, provisioning_status = $2, operating_status = $3, \
         body = $4, updated_at = $5, generation = generation + 1 WHERE id = $6 AND generation = $7")
        .bind(&node.pool_id)
        .bind(&node.provisioning)
        .bind(&node.operating)
        .bind(db::json_text(&node.fields)?)
        .bind(base::time::now())
        .bind(&node.id)
        .bind(node.generation)
        .run(tx)
        .await?;
    if changed == 0 {
        return Err(fault::immutable(node.noun.title(), &node.id));
    }
    event(tx, ctx, node, node.noun.update_event()).await
}

pub async fn event(tx: &mut Tx, ctx: &Ctx, node: &Node, kind: &'static str) -> Result<()> {
    Ok(tx.event(Event::new(SERVICE, kind, &node.id, &node.project_id, ctx)).await?)
}

/// Takes the load balancer for a change: from one of `from` to `to`. False: it is in another state.
pub async fn lock(tx: &mut Tx, balancer_id: &str, from: &[&str], to: &str) -> Result<bool> {
    for state in from {
        let changed = sql("UPDATE balancer_node SET provisioning_status = $1, updated_at = $2, \
             generation = generation + 1 WHERE id = $3 AND provisioning_status = $4")
        .bind(to)
        .bind(base::time::now())
        .bind(balancer_id)
        .bind(*state)
        .run(tx)
        .await?;
        if changed == 1 {
            return Ok(true);
        }
    }
    Ok(false)
}

pub async fn set_provisioning(tx: &mut Tx, ids: &[String], status: &str) -> Result<()> {
    for id in ids {
        sql(
            "UPDATE balancer_node SET provisioning_status = $1, updated_at = $2, generation = generation + 1 \
             WHERE id = $3",
        )
        .bind(status)
        .bind(base::time::now())
        .bind(id)
        .run(tx)
        .await?;
    }
    Ok(())
}

/// What is observed is nobody's change: `updated_at` stays.
pub async fn set_operating(tx: &mut Tx, id: &str, status: &str) -> Result<()> {
    sql("UPDATE balancer_node SET operating_status = $1 WHERE id = $2").bind(status).bind(id).run(tx).await?;
    Ok(())
}

/// Nothing leads to the pool any more.
pub async fn forget_pool(tx: &mut Tx, balancer_id: &str, pool_id: &str) -> Result<()> {
    sql("UPDATE balancer_node SET pool_id = '', generation = generation + 1 \
         WHERE balancer_id = $1 AND pool_id = $2")
    .bind(balancer_id)
    .bind(pool_id)
    .run(tx)
    .await?;
    Ok(())
}

pub async fn remove(tx: &mut Tx, ids: &[String]) -> Result<()> {
    for id in ids {
        sql("DELETE FROM balancer_node WHERE id = $1").bind(id).run(tx).await?;
    }
    Ok(())
}

/// The end of an activation that began with `tree`: what was pending is there, and what was to go is gone. `status`: the
/// load balancer's; `refused`: what the host would not have. False: the load balancer has changed since.
pub async fn settle(tx: &mut Tx, tree: &Tree, status: &str, refused: &BTreeSet<String>) -> Result<bool> {
    let Some(root) = tree.root() else { return Ok(true) };
    let settled = sql(
        "UPDATE balancer_node SET provisioning_status = $1, updated_at = $2, generation = generation + 1 \
         WHERE id = $3 AND generation = $4",
    )
    .bind(status)
    .bind(base::time::now())
    .bind(&root.id)
    .bind(root.generation)
    .run(tx)
    .await?;
    if settled == 0 {
        return Ok(false);
    }
    for node in tree.nodes.iter().filter(|node| !refused.contains(&node.id)) {
        if status == ACTIVE && node.provisioning == PENDING_DELETE && node.noun != Noun::LoadBalancer {
            remove(tx, &tree.whole(&node.id)).await?;
            if node.noun == Noun::Pool {
                forget_pool(tx, &node.balancer_id, &node.id).await?;
            }
        } else if status == ACTIVE {
            let mut node = node.clone();
            if node.settle() {
                set_fields(tx, &node).await?;
            }
        }
    }
    settle_children(tx, tree, refused).await?;
    Ok(true)
}

/// What shall go still shall when the host has failed, and what had failed is well when it has not.
async fn settle_children(tx: &mut Tx, tree: &Tree, refused: &BTreeSet<String>) -> Result<()> {
    let children = tree.nodes.iter().filter(|node| node.noun != Noun::LoadBalancer);
    let (mut well, mut ill) = (Vec::new(), Vec::new());
    for node in children.filter(|node| node.provisioning != PENDING_DELETE) {
        let (status, ids) = if refused.contains(&node.id) { (ERROR, &mut ill) } else { (ACTIVE, &mut well) };
        if node.provisioning != status {
            ids.push(node.id.clone());
        }
    }
    set_provisioning(tx, &well, ACTIVE).await?;
    set_provisioning(tx, &ill, ERROR).await
}

pub async fn balancer_ids(conn: &mut AnyConnection) -> Result<Vec<String>> {
    Ok(sql("SELECT id FROM balancer_node WHERE kind = 'loadbalancer'").rows(conn).await?)
}

/// Nothing came of a change that was begun: all is as it was.
pub async fn release(tx: &mut Tx, tree: &Tree) -> Result<()> {
    for node in &tree.nodes {
        sql(
            "UPDATE balancer_node SET provisioning_status = $1, updated_at = $2, generation = generation + 1 \
             WHERE id = $3 AND provisioning_status <> $1",
        )
        .bind(&node.provisioning)
        .bind(node.updated_at)
        .bind(&node.id)
        .run(tx)
        .await?;
    }
    Ok(())
}

/// Fields that follow another node's change: no status, no event.
pub async fn set_fields(tx: &mut Tx, node: &Node) -> Result<()> {
    sql("UPDATE balancer_node SET body = $1, generation = generation + 1 WHERE id = $2")
        .bind(db::json_text(&node.fields)?)
        .bind(&node.id)
        .run(tx)
        .await?;
    Ok(())
}
