//! Who asks. `Auth` is what a token says (shared, cached); `Ctx` adds what is true of this one request.

use std::sync::Arc;

use crate::{Error, Microversion, Policy, Result};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainRef {
    pub id: String,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectRef {
    pub id: String,
    pub name: String,
    pub domain: DomainRef,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRef {
    pub id: String,
    pub name: String,
    pub domain: DomainRef,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    Unscoped,
    Project(ProjectRef),
    Domain(DomainRef),
    System,
}

/// What a valid token says of its bearer.
#[derive(Debug, Clone)]
pub struct Auth {
    pub user: UserRef,
    pub scope: Scope,
    /// Names, implied roles included.
    pub roles: Vec<String>,
    pub expires_at: jiff::Timestamp,
    /// True for Keystone's usual admin: role `admin` on a project, a domain or the system.
    pub is_admin: bool,
}

impl Auth {
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|r| r == role)
    }
}

/// One request: its bearer, its id and the API version it asked for. Handlers and rules take `&Ctx`.
#[derive(Debug, Clone)]
pub struct Ctx {
    pub auth: Arc<Auth>,
    /// `req-<uuid>`
    pub request_id: Arc<str>,
    /// 0.0 for services without microversions.
    pub microversion: Microversion,
}

impl Ctx {
    /// A context for work that the cloud does for itself (first-start rows, reconcilers): an admin on the system.
    pub fn internal(reason: &str) -> Self {
        let domain = DomainRef { id: "default".into(), name: "Default".into() };
        Ctx {
            auth: Arc::new(Auth {
                user: UserRef { id: format!("internal-{reason}"), name: reason.into(), domain },
                scope: Scope::System,
                roles: vec![
                    "admin".into(),
                    "manager".into(),
                    "member".into(),
                    "reader".into(),
                    "service".into(),
                ],
                expires_at: jiff::Timestamp::MAX,
                is_admin: true,
            }),
            request_id: crate::id::request_id().into(),
            microversion: Microversion::default(),
        }
    }

    pub fn user_id(&self) -> &str {
        &self.auth.user.id
    }

    /// The project of a project-scoped token.
    pub fn project(&self) -> Option<&ProjectRef> {
        match &self.auth.scope {
            Scope::Project(project) => Some(project),
            _ => None,
        }
    }

    /// For calls that need a project to put things in: 403 for other scopes, as Keystone middleware's users see it.
    pub fn require_project(&self) -> Result<&str> {
        self.project()
            .map(|p| p.id.as_str())
            .ok_or_else(|| Error::forbidden("This call needs a project-scoped token."))
    }

    pub fn is_admin(&self) -> bool {
        self.auth.is_admin
    }

    /// May this bearer see or change something of that project as far as ownership goes?
    pub fn owns(&self, project_id: &str) -> bool {
        self.is_admin() || self.project().is_some_and(|p| p.id == project_id)
    }

    /// The project filter of a list: None means all projects (an admin who asked for all).
    pub fn list_scope(&self, all_projects: bool) -> Result<Option<&str>> {
        if all_projects && self.is_admin() { Ok(None) } else { self.require_project().map(Some) }
    }

    pub fn at_least(&self, major: u16, minor: u16) -> bool {
        self.microversion >= Microversion::new(major, minor)
    }

    /// 403 with the policy's name unless the rule holds for a resource of `project_id` (None: no resource yet).
    pub fn authorize(&self, policy: &Policy, project_id: Option<&str>) -> Result<()> {
        policy.check(&self.auth, project_id)
    }
}
