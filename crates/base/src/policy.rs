//! Who may do what. A policy has OpenStack's own name for it, so that an operator can look it up.

use crate::{Auth, Error, Result, Scope};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// No token needed: version documents, token issue.
    Public,
    /// Any valid token.
    Authenticated,
    /// `reader` (or more) in the resource's project; admin.
    ProjectReader,
    /// `member` (or more) in the resource's project; admin.
    ProjectMember,
    /// `manager` (or more) in the resource's project; admin.
    ProjectManager,
    /// Role `admin`.
    Admin,
    /// Role `admin` or `reader` on the system.
    SystemReader,
    /// Role `service` or `admin`.
    Service,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// As in the service's own policy file: `os_compute_api:servers:create`.
    pub name: &'static str,
    pub rule: Rule,
}

impl Policy {
    pub const fn new(name: &'static str, rule: Rule) -> Self {
        Policy { name, rule }
    }

    /// `project_id`: the owner of the resource, or None when there is none yet (then the token's own project).
    pub fn check(&self, auth: &Auth, project_id: Option<&str>) -> Result<()> {
        let project_role = |role: &str| match &auth.scope {
            Scope::Project(p) => auth.has_role(role) && project_id.is_none_or(|owner| owner == p.id),
            _ => false,
        };
        let allowed = match self.rule {
            Rule::Public | Rule::Authenticated => true,
            Rule::ProjectReader => auth.is_admin || project_role("reader"),
            Rule::ProjectMember => auth.is_admin || project_role("member"),
            Rule::ProjectManager => auth.is_admin || project_role("manager"),
            Rule::Admin => auth.is_admin,
            Rule::SystemReader => auth.is_admin || (auth.scope == Scope::System && auth.has_role("reader")),
            Rule::Service => auth.is_admin || auth.has_role("service"),
        };
        if allowed {
            Ok(())
        } else {
            Err(Error::forbidden(format!("Policy doesn't allow {} to be performed.", self.name)))
        }
    }
}
