//! Who may do what. Keystone's own policy names; each lists the callers that it lets through, and one of them is enough.
//!
//! A web route of this service asks for no more than a valid token: whether the caller may do it depends on the domain,
//! the project or the user that is the target, which is known only after looking it up. Every handler therefore calls
//! [`Policy::enforce`].

use base::{Auth, Ctx, Error, Rule, Scope};

use crate::errors::forbidden_action;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Any valid token.
    Anyone,
    /// Role `admin`, in whatever scope.
    Admin,
    /// Role `reader` on the system.
    SystemReader,
    /// Role `admin` on the system.
    SystemAdmin,
    /// Role `service`.
    Service,
    /// Role `reader` on the target's domain.
    DomainReader,
    /// Role `manager` on the target's domain.
    DomainManager,
    /// Role `manager` on any domain.
    AnyDomainManager,
    /// Role `manager`, in whatever scope.
    Manager,
    /// A token for the target's domain, with any role.
    ForDomain,
    /// A token for the target's domain or for a project in it.
    InDomain,
    /// The user whom the target belongs to.
    Owner,
    /// The same, with role `member`.
    OwningMember,
    /// The user whom a trust is given to.
    Trustee,
    /// A token for the target project.
    InProject,
}

/// What a request is about, as far as policies care. Default: nothing known, which only unconditional callers pass.
#[derive(Debug, Clone, Copy, Default)]
pub struct Target<'a> {
    pub domain: Option<&'a str>,
    pub project: Option<&'a str>,
    pub user: Option<&'a str>,
    pub trustee: Option<&'a str>,
}

impl<'a> Target<'a> {
    pub fn domain(id: &'a str) -> Self {
        Target { domain: Some(id), ..Target::default() }
    }

    pub fn user(id: &'a str) -> Self {
        Target { user: Some(id), ..Target::default() }
    }
}

/// For which tokens a policy is meant at all. An unscoped token counts as one for a project, as in oslo.policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scopes {
    Any,
    /// Not a domain: whoever is an admin there is no admin of the cloud.
    SystemOrProject,
    Project,
}

#[derive(Debug)]
pub struct Policy {
    /// For the route table.
    pub route: base::Policy,
    who: &'static [Who],
    scopes: Scopes,
}

impl Policy {
    pub const fn new(name: &'static str, who: &'static [Who]) -> Self {
        Policy { route: base::Policy::new(name, Rule::Authenticated), who, scopes: Scopes::Any }
    }

    /// For what belongs to the whole cloud: tokens for a domain are refused, an admin's too.
    pub const fn of_cloud(name: &'static str, who: &'static [Who]) -> Self {
        Policy { scopes: Scopes::SystemOrProject, ..Policy::new(name, who) }
    }

    /// For what makes sense within one project only.
    pub const fn of_project(name: &'static str, who: &'static [Who]) -> Self {
        Policy { scopes: Scopes::Project, ..Policy::new(name, who) }
    }

    pub fn allows(&self, auth: &Auth, target: &Target<'_>) -> bool {
        let in_scope = match (self.scopes, &auth.scope) {
            (Scopes::Any, _) => true,
            (Scopes::SystemOrProject, scope) => !matches!(scope, Scope::Domain(_)),
            (Scopes::Project, scope) => matches!(scope, Scope::Project(_) | Scope::Unscoped),
        };
        in_scope && self.who.iter().any(|who| who.is(auth, target))
    }

    /// 403 naming the policy.
    pub fn enforce(&self, ctx: &Ctx, target: &Target<'_>) -> Result<(), Error> {
        if self.allows(&ctx.auth, target) { Ok(()) } else { Err(forbidden_action(self.route.name)) }
    }

    /// For things that may not exist: whoever would be refused must not learn that they are missing.
    pub fn find<T>(
        &self,
        ctx: &Ctx,
        found: Option<T>,
        target: impl FnOnce(&T) -> Target<'_>,
        missing: impl FnOnce() -> Error,
    ) -> Result<T, Error> {
        match found {
            Some(thing) => {
                self.enforce(ctx, &target(&thing))?;
                Ok(thing)
            }
            None => {
                self.enforce(ctx, &Target::default())?;
                Err(missing())
            }
        }
    }

    /// As [`Policy::find`] for calls in which Keystone looks first and asks then: whatever is missing is 404 to anyone.
    pub fn find_first<T>(
        &self,
        ctx: &Ctx,
        found: Option<T>,
        target: impl FnOnce(&T) -> Target<'_>,
        missing: impl FnOnce() -> Error,
    ) -> Result<T, Error> {
        let thing = found.ok_or_else(missing)?;
        self.enforce(ctx, &target(&thing))?;
        Ok(thing)
    }
}

impl Who {
    fn is(self, auth: &Auth, target: &Target<'_>) -> bool {
        let on_domain = |role: &str| match (&auth.scope, target.domain) {
            (Scope::Domain(d), Some(domain)) => d.id == domain && auth.has_role(role),
            _ => false,
        };
        match self {
            Who::Anyone => true,
            Who::Admin => auth.is_admin,
            Who::SystemAdmin => auth.scope == Scope::System && auth.has_role("admin"),
            Who::SystemReader => auth.scope == Scope::System && auth.has_role("reader"),
            Who::Service => auth.has_role("service"),
            Who::DomainReader => on_domain("reader"),
            Who::DomainManager => on_domain("manager"),
            Who::AnyDomainManager => matches!(auth.scope, Scope::Domain(_)) && auth.has_role("manager"),
            Who::ForDomain => match (&auth.scope, target.domain) {
                (Scope::Domain(d), Some(domain)) => d.id == domain,
                _ => false,
            },
            Who::InDomain => match (&auth.scope, target.domain) {
                (Scope::Domain(d), Some(domain)) => d.id == domain,
                (Scope::Project(p), Some(domain)) => p.domain.id == domain,
                _ => false,
            },
            Who::Manager => auth.has_role("manager"),
            Who::Owner => target.user == Some(auth.user.id.as_str()),
            Who::OwningMember => Who::Owner.is(auth, target) && auth.has_role("member"),
            Who::Trustee => target.trustee == Some(auth.user.id.as_str()),
            Who::InProject => match (&auth.scope, target.project) {
                (Scope::Project(p), Some(project)) => p.id == project,
                _ => false,
            },
        }
    }
}

/// The domain of a domain-scoped token.
pub fn token_domain(ctx: &Ctx) -> Option<&str> {
    match &ctx.auth.scope {
        Scope::Domain(domain) => Some(&domain.id),
        _ => None,
    }
}

/// Where a new user, group or project goes when its request names no domain.
pub fn default_domain(ctx: &Ctx) -> &str {
    match &ctx.auth.scope {
        Scope::Domain(domain) => &domain.id,
        Scope::Project(project) => &project.domain.id,
        Scope::System | Scope::Unscoped => crate::DEFAULT_DOMAIN,
    }
}

/// The domain that a list is limited to: that of a domain-scoped token, which sees no other, else the one asked for.
pub fn list_domain<'a>(ctx: &'a Ctx, asked: Option<&'a str>) -> Option<&'a str> {
    token_domain(ctx).or(asked)
}
