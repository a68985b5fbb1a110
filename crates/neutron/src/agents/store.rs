use base::Result;
use db::{AnyConnection, Tx, sql};

use super::{Agent, KINDS};
use crate::fault;
use crate::rows::{self, Where};

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
