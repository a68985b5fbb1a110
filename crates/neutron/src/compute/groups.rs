//! Security groups of a server's ports.

use base::{Ctx, Result};

use crate::plane::Wakes;
use crate::rows::{Where, texts};
use crate::security_groups::SecurityGroup;
use crate::{Neutron, ports, security_groups};

/// A security group as Nova's own old API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupView {
    pub id: String,
    pub name: String,
    pub description: String,
    pub project_id: String,
    pub rules: Vec<GroupRule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRule {
    pub id: String,
    /// `ingress` or `egress`
    pub direction: String,
    /// `IPv4` or `IPv6`
    pub ethertype: String,
    /// Empty: any.
    pub protocol: String,
    pub ports: (Option<i64>, Option<i64>),
    /// Empty: none.
    pub remote_prefix: String,
    /// Id of the remote group.
    pub remote_group: Option<String>,
}

impl Neutron {
    /// The port has these groups (ids) afterwards and no others.
    pub async fn set_port_security_groups(&self, ctx: &Ctx, port_id: &str, groups: &[String]) -> Result<()> {
        let done: Result<Wakes> = db::write!(self.db, |tx| {
            let (before, _) = ports::store::visible(tx, ctx, port_id).await?;
            let mut after = before.clone();
            after.groups = security_groups::store::check(tx, ctx, groups).await?;
            after.port.standard.touch();
            ports::store::update(tx, ctx, &before, &after).await
        });
        self.wake(&done?);
        Ok(())
    }

    /// Those of these groups (ids) that are there, with their rules.
    pub async fn security_groups(&self, ids: &[String]) -> Result<Vec<GroupView>> {
        let mut conn = self.db.read().await?;
        let mut conditions = Where::default();
        conditions.among("id", texts(ids));
        let groups: Vec<SecurityGroup> = conditions.rows(&mut conn, security_groups::SPEC.table).await?;
        let mut rules = security_groups::store::rules_of(&mut conn, &groups).await?;
        let view = |group: SecurityGroup| {
            let rules = rules.remove(&group.standard.id).unwrap_or_default();
            GroupView {
                id: group.standard.id,
                name: group.standard.name,
                description: group.standard.description,
                project_id: group.standard.project_id,
                rules: rules
                    .into_iter()
                    .map(|r| GroupRule {
                        id: r.id,
                        direction: r.direction,
                        ethertype: r.ethertype,
                        protocol: r.protocol,
                        ports: (r.port_min, r.port_max),
                        remote_prefix: r.remote_prefix,
                        remote_group: r.remote_group,
                    })
                    .collect(),
            }
        };
        Ok(groups.into_iter().map(view).collect())
    }
}
