//! Security groups as Nova showed them before Neutron did: incoming rules only, until 2.35; and those of one server.

pub(crate) mod api;
pub(crate) mod rules;
pub(crate) mod rules_api;
pub(crate) mod view;

use base::{Policy, Result, Rule};
use neutron::GroupView;
use serde_json::Value;

use crate::Nova;

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const LIST: Policy = Policy::new("os_compute_api:os-security-groups:get", Rule::ProjectReader);
    pub const SHOW: Policy = Policy::new("os_compute_api:os-security-groups:show", Rule::ProjectReader);
    pub const CREATE: Policy = Policy::new("os_compute_api:os-security-groups:create", Rule::ProjectMember);
    pub const UPDATE: Policy = Policy::new("os_compute_api:os-security-groups:update", Rule::ProjectMember);
    pub const DELETE: Policy = Policy::new("os_compute_api:os-security-groups:delete", Rule::ProjectMember);
    pub const RULE_CREATE: Policy =
        Policy::new("os_compute_api:os-security-groups:rule:create", Rule::ProjectMember);
    pub const RULE_DELETE: Policy =
        Policy::new("os_compute_api:os-security-groups:rule:delete", Rule::ProjectMember);
}

impl Nova {
    /// These groups with their rules, by project and name: two questions, however many groups.
    pub(crate) async fn group_views(&self, ids: &[String]) -> Result<Vec<Value>> {
        let mut groups = self.neutron.security_groups(ids).await?;
        groups.sort_by(|a, b| (&a.project_id, &a.name).cmp(&(&b.project_id, &b.name)));
        let remote =
            |g: &GroupView| g.rules.iter().filter_map(|r| r.remote_group.clone()).collect::<Vec<_>>();
        let remotes: Vec<String> = groups.iter().flat_map(remote).filter(|id| !ids.contains(id)).collect();
        let mut known = self.neutron.security_groups(&remotes).await?;
        known.extend(groups.iter().cloned());
        Ok(groups.iter().map(|g| view::group(g, &known)).collect())
    }
}
