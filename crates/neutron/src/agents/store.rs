use base::Result;
use db::{AnyConnection, FromRow, Tx, sql, sql_built};

use super::{Agent, KINDS};
use crate::fault;
use crate::rows::{self, Where};

/// What agents of one type host, and where it is written.
pub struct Hosting {
    pub agent_type: &'static str,
    /// Table of what is hosted.
    table: &'static str,
    /// Table of what was said of it, and its column.
    said: &'static str,
    object: &'static str,
    /// A condition on `t`, a row of the table: it needs an agent.
    needs: &'static str,
}

pub const DHCP: Hosting = Hosting {
    agent_type: "DHCP agent",
    table: "network",
    said: "network_hosting",
    object: "network_id",
    needs: "EXISTS (SELECT 1 FROM subnet s WHERE s.network_id = t.id AND s.enable_dhcp = 1)",
};

pub const L3: Hosting = Hosting {
    agent_type: "L3 agent",
    table: "router",
    said: "router_hosting",
    object: "router_id",
    needs: "EXISTS (SELECT 1 FROM port p WHERE p.device_id = t.id AND p.device_owner LIKE 'network:router_%')",
};

/// What an admin said goes before what is needed.
fn hosted_text(what: &Hosting) -> String {
    let Hosting { table, said, object, needs, .. } = what;
    format!(
        "SELECT t.* FROM {table} t LEFT JOIN {said} h ON h.{object} = t.id \
         WHERE (h.hosted = 1 OR (h.hosted IS NULL AND {needs}))"
    )
}

pub async fn hosted<R: FromRow>(conn: &mut AnyConnection, what: &Hosting) -> Result<Vec<R>> {
    Ok(sql_built(format!("{} ORDER BY t.created_at, t.id", hosted_text(what))).rows(conn).await?)
}

pub async fn is_hosted(conn: &mut AnyConnection, what: &Hosting, id: &str) -> Result<bool> {
    Ok(sql_built(format!("{} AND t.id = $1", hosted_text(what))).bind(id.to_owned()).exists(conn).await?)
}

/// Whether an admin took it from its agent.
pub async fn is_taken_away(conn: &mut AnyConnection, what: &Hosting, id: &str) -> Result<bool> {
    let text = format!("SELECT hosted FROM {} WHERE {} = $1 AND hosted = 0", what.said, what.object);
    Ok(sql_built(text).bind(id.to_owned()).exists(conn).await?)
}

pub async fn choose(tx: &mut Tx, what: &Hosting, id: &str, hosted: bool) -> Result<()> {
    let Hosting { said, object, .. } = what;
    let text = format!(
        "INSERT INTO {said} ({object}, hosted) VALUES ($1, $2) \
         ON CONFLICT ({object}) DO UPDATE SET hosted = excluded.hosted"
    );
    sql_built(text).bind(id.to_owned()).bind(i64::from(hosted)).run(tx).await?;
    Ok(())
}

/// The rows of this host's agents, made or marked as started now.
pub async fn register(tx: &mut Tx, host: &str) -> Result<()> {
    let now = base::time::now();
    for (kind, _) in KINDS {
        sql("INSERT INTO network_agent (id, agent_type, host, description, admin_state_up, created_at, started_at) \
             VALUES ($1, $2, $3, '', 1, $4, $4) \
             ON CONFLICT (agent_type, host) DO UPDATE SET started_at = excluded.started_at")
        .bind(base::id::uuid())
        .bind(*kind)
        .bind(host)
        .bind(now)
        .run(tx)
        .await?;
    }
    Ok(())
}

pub async fn list(conn: &mut AnyConnection, conditions: Where) -> Result<Vec<Agent>> {
    Ok(conditions.statement("SELECT * FROM network_agent", " ORDER BY agent_type, host").rows(conn).await?)
}

pub async fn find(conn: &mut AnyConnection, id: &str) -> Result<Agent> {
    rows::find(conn, "network_agent", id).await?.ok_or_else(|| fault::agent_not_found(id))
}

pub async fn update(tx: &mut Tx, agent: &Agent) -> Result<()> {
    sql("UPDATE network_agent SET description = $1, admin_state_up = $2 WHERE id = $3")
        .bind(&agent.description)
        .bind(i64::from(agent.admin_state_up))
        .bind(&agent.id)
        .run(tx)
        .await?;
    Ok(())
}

pub async fn delete(tx: &mut Tx, id: &str) -> Result<()> {
    rows::delete(tx, "network_agent", id).await?;
    Ok(())
}
