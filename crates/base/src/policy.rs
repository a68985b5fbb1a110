//! Who may do what. A policy has OpenStack's own name for it, so that an operator can look it up.

use crate::{Auth, Error, Result, Scope};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// No token needed: version documents, token issue.
    Public,
    /// Any valid token, of any scope: the real service asks no policy here.
    Unchecked,
    /// Any valid token.
    Authenticated,
    /// `reader` (or more) of any project; admin.
    Reader,
    /// `reader` (or more) in the resource's project; admin.
    ProjectReader,
    /// `member` (or more) in the resource's project; admin.
    ProjectMember,
    /// As `ProjectReader`, and role `service`.
    ProjectReaderOrService,
    /// As `ProjectMember`, and role `service`.
    ProjectMemberOrService,
    /// `manager` (or more) in the resource's project; admin.
    ProjectManager,
    /// Role `admin`.
    Admin,
    /// Role `admin` or `reader` on the system.
    SystemReader,
    /// Role `service` or `admin`.
    Service,
    /// Role `service`; an admin's own does not do.
    ServiceAlone,
    /// As `ProjectReader`, by Octavia's own roles too: `load-balancer_observer`, `load-balancer_global_observer`.
    BalancerReader,
    /// As `ProjectMember`, by role `load-balancer_member` too.
    BalancerMember,
    /// Role `admin` or `load-balancer_admin`.
    BalancerAdmin,
    /// As `BalancerAdmin`, and role `load-balancer_quota_admin`.
    BalancerQuotaAdmin,
    /// As `BalancerReader`, and role `load-balancer_quota_admin`.
    BalancerQuotaReader,
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
        let balancer_admin = auth.is_admin || auth.has_role("load-balancer_admin");
        let balancer_reader = || {
            balancer_admin
                || auth.has_role("load-balancer_global_observer")
                || ["reader", "member", "load-balancer_observer", "load-balancer_member"]
                    .iter()
                    .any(|role| project_role(role))
        };
        let allowed = match self.rule {
            Rule::Public | Rule::Unchecked | Rule::Authenticated => true,
            Rule::Reader => auth.is_admin || auth.has_role("reader"),
            Rule::ProjectReaderOrService => {
                auth.is_admin || auth.has_role("service") || project_role("reader")
            }
            Rule::ProjectMemberOrService => {
                auth.is_admin || auth.has_role("service") || project_role("member")
            }
            Rule::ProjectReader => auth.is_admin || project_role("reader"),
            Rule::ProjectMember => auth.is_admin || project_role("member"),
            Rule::ProjectManager => auth.is_admin || project_role("manager"),
            Rule::Admin => auth.is_admin,
            Rule::SystemReader => auth.is_admin || (auth.scope == Scope::System && auth.has_role("reader")),
            Rule::Service => auth.is_admin || auth.has_role("service"),
            Rule::ServiceAlone => auth.has_role("service"),
            Rule::BalancerReader => balancer_reader(),
            Rule::BalancerMember => {
                balancer_admin || project_role("member") || project_role("load-balancer_member")
            }
            Rule::BalancerAdmin => balancer_admin,
            Rule::BalancerQuotaAdmin => balancer_admin || auth.has_role("load-balancer_quota_admin"),
            Rule::BalancerQuotaReader => balancer_reader() || auth.has_role("load-balancer_quota_admin"),
        };
        if allowed { Ok(()) } else { Err(self.refusal()) }
    }

    /// For policies of scope type `project`: a token for a domain or for the system is refused, an admin's too.
    pub fn check_is_for_project(&self, auth: &Auth) -> Result<()> {
        let asks_nobody = matches!(self.rule, Rule::Public | Rule::Unchecked);
        match &auth.scope {
            Scope::Domain(_) | Scope::System if !asks_nobody => Err(self.refusal()),
            _ => Ok(()),
        }
    }

    fn refusal(&self) -> Error {
        Error::forbidden(format!("Policy doesn't allow {} to be performed.", self.name))
    }
}
