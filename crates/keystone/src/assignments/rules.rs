//! Who may grant, and what a list of assignments amounts to.

use std::collections::{HashMap, HashSet};

use base::{Ctx, Error};

use super::{Actor, Assignment, Place};
use crate::access::{Policy, Target, Who};
use crate::errors::forbidden_action;
use crate::projects::Project;
use crate::roles::Role;
use crate::roles::rules::{MANAGED, RoleBook};

const READERS: &[Who] = &[Who::Admin, Who::SystemReader, Who::DomainReader];
const MANAGERS: &[Who] = &[Who::Admin, Who::DomainManager];
const SYSTEM_READERS: &[Who] = &[Who::Admin, Who::SystemReader];
const ADMIN: &[Who] = &[Who::Admin];

pub static CHECK: Policy = Policy::new("identity:check_grant", READERS);
pub static LIST_GRANTS: Policy = Policy::new("identity:list_grants", READERS);
pub static CREATE: Policy = Policy::new("identity:create_grant", MANAGERS);
pub static REVOKE: Policy = Policy::new("identity:revoke_grant", MANAGERS);
pub static CHECK_SYSTEM: Policy = Policy::of_cloud("identity:check_system_grant_for_user", SYSTEM_READERS);
pub static LIST_SYSTEM: Policy = Policy::of_cloud("identity:list_system_grants_for_user", SYSTEM_READERS);
pub static CREATE_SYSTEM: Policy = Policy::of_cloud("identity:create_system_grant_for_user", ADMIN);
pub static REVOKE_SYSTEM: Policy = Policy::of_cloud("identity:revoke_system_grant_for_user", ADMIN);
pub static LIST: Policy = Policy::new("identity:list_role_assignments", READERS);
pub static LIST_TREE: Policy = Policy::new(
    "identity:list_role_assignments_for_tree",
    &[Who::Admin, Who::SystemReader, Who::DomainReader],
);

/// A grant with what it is about, looked up.
pub struct Grant<'a> {
    pub actor_domain: &'a str,
    /// None for the system.
    pub place_domain: Option<&'a str>,
    pub role: Option<&'a Role>,
}

impl Grant<'_> {
    /// A domain's people deal with what is wholly in it.
    fn target(&self) -> Target<'_> {
        let role_fits = self
            .role
            .is_none_or(|r| r.domain_id.is_empty() || Some(r.domain_id.as_str()) == self.place_domain);
        let own = self.place_domain == Some(self.actor_domain) && role_fits;
        Target { domain: self.place_domain.filter(|_| own), ..Target::default() }
    }

    pub fn enforce(&self, ctx: &Ctx, policy: &Policy, changes: bool) -> Result<(), Error> {
        policy.enforce(ctx, &self.target())?;
        let managed = self.role.is_some_and(|r| MANAGED.contains(&r.name.as_str()));
        if changes && !ctx.is_admin() && !managed {
            return Err(forbidden_action(policy.route.name));
        }
        Ok(())
    }

    /// A role of a domain is for projects of that domain.
    pub fn check_role_domain(&self, place: &Place) -> Result<(), Error> {
        match (place, self.role) {
            (Place::Project(id), Some(role))
                if !role.domain_id.is_empty() && Some(role.domain_id.as_str()) != self.place_domain =>
            {
                Err(Error::forbidden(format!(
                    "Project {id} must be in the same domain as the role {} being assigned.",
                    role.id
                )))
            }
            _ => Ok(()),
        }
    }
}

/// The query of GET /v3/role_assignments.
#[derive(Debug, Default)]
pub struct Query {
    pub user: Option<String>,
    pub group: Option<String>,
    pub role: Option<String>,
    pub project: Option<String>,
    pub domain: Option<String>,
    pub system: bool,
    pub inherited_only: bool,
    pub effective: bool,
    pub subtree: bool,
}

impl Query {
    pub fn check(&self) -> Result<(), Error> {
        let bad = |text: &str| Err(Error::bad_request(text));
        if self.project.is_some() && (self.domain.is_some() || self.system)
            || self.domain.is_some() && self.system
        {
            return bad("Specify a domain or project or system, not more than one of them");
        }
        if self.user.is_some() && self.group.is_some() {
            return bad("Specify a user or group, not both");
        }
        if self.effective && self.group.is_some() {
            return bad("Combining effective and group filter will always result in an empty list.");
        }
        if self.effective && self.inherited_only && self.domain.is_some() {
            return bad(
                "Combining effective, domain and inherited filters will always result in an empty list.",
            );
        }
        if self.subtree && self.project.is_none() {
            return bad("scope.project.id must be specified if include_subtree is also specified");
        }
        Ok(())
    }
}

/// An entry of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub shown: Assignment,
    /// The row that it comes from.
    pub source: Assignment,
    pub prior_role: Option<String>,
}

/// What the rows amount to.
pub struct World<'a> {
    pub assignments: Vec<Assignment>,
    /// (group, user)
    pub memberships: Vec<(String, String)>,
    pub projects: &'a [Project],
    pub roles: &'a RoleBook,
}

impl World<'_> {
    pub fn answer(&self, query: &Query) -> Vec<Entry> {
        let mut entries: Vec<Entry> = if query.effective {
            self.assignments.iter().flat_map(|a| self.effective(a)).collect()
        } else {
            let plain = |a: &Assignment| Entry { shown: a.clone(), source: a.clone(), prior_role: None };
            self.assignments.iter().map(plain).collect()
        };
        let scope = query.project.as_ref().map(|id| self.with_subtree(id, query.subtree));
        entries.retain(|e| self.matches(e, query, scope.as_ref()));
        entries
    }

    fn matches(&self, entry: &Entry, query: &Query, projects: Option<&HashSet<String>>) -> bool {
        let shown = &entry.shown;
        let actor = match &shown.actor {
            Actor::User(id) => query.group.is_none() && query.user.as_ref().is_none_or(|u| u == id),
            Actor::Group(id) => query.user.is_none() && query.group.as_ref().is_none_or(|g| g == id),
        };
        let place = match &shown.place {
            Place::Project(id) => {
                query.domain.is_none() && !query.system && projects.is_none_or(|p| p.contains(id))
            }
            Place::Domain(id) => {
                projects.is_none() && !query.system && query.domain.as_ref().is_none_or(|d| d == id)
            }
            Place::System => projects.is_none() && query.domain.is_none(),
        };
        let role = query.role.as_ref().is_none_or(|r| *r == shown.role_id);
        actor && place && role && (!query.inherited_only || entry.source.inherited)
    }

    fn with_subtree(&self, id: &str, subtree: bool) -> HashSet<String> {
        let below = if subtree { self.below(id) } else { Vec::new() };
        std::iter::once(id).chain(below).map(str::to_owned).collect()
    }

    /// Ids of the projects below a project or domain.
    fn below<'a>(&'a self, id: &'a str) -> Vec<&'a str> {
        let mut children: HashMap<&str, Vec<&str>> = HashMap::new();
        for project in self.projects {
            if let Some(parent) = &project.parent_id {
                children.entry(parent).or_default().push(&project.id);
            }
        }
        let mut found = Vec::new();
        let mut queue = vec![id];
        while let Some(next) = queue.pop() {
            for child in children.get(next).into_iter().flatten() {
                found.push(*child);
                queue.push(child);
            }
        }
        found.sort_unstable();
        found
    }

    fn effective(&self, row: &Assignment) -> Vec<Entry> {
        let users: Vec<&str> = match &row.actor {
            Actor::User(id) => vec![id],
            Actor::Group(id) => {
                self.memberships.iter().filter(|(g, _)| g == id).map(|(_, user)| user.as_str()).collect()
            }
        };
        let places: Vec<Place> = if row.inherited {
            self.below(row.place.id()).into_iter().map(|id| Place::Project(id.into())).collect()
        } else {
            vec![row.place.clone()]
        };
        let roles = self.roles.closure([row.role_id.as_str()]);
        let mut entries = Vec::new();
        for user in users {
            for place in &places {
                for (role, prior) in roles.iter().filter(|(role, _)| role.domain_id.is_empty()) {
                    entries.push(Entry {
                        shown: Assignment {
                            actor: Actor::User(user.to_owned()),
                            place: place.clone(),
                            role_id: role.id.clone(),
                            inherited: false,
                        },
                        source: row.clone(),
                        prior_role: prior.map(str::to_owned),
                    });
                }
            }
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(id: &str, parent: &str) -> Project {
        Project {
            id: id.into(),
            name: id.into(),
            domain_id: "d".into(),
            parent_id: Some(parent.into()),
            description: String::new(),
            enabled: true,
            is_domain: false,
            tags: vec![],
            options: Default::default(),
            extra: Default::default(),
            generation: 0,
        }
    }

    fn role(id: &str) -> Role {
        Role {
            id: id.into(),
            name: id.into(),
            domain_id: String::new(),
            description: None,
            options: Default::default(),
            extra: Default::default(),
        }
    }

    fn answer(query: &Query) -> Vec<(String, String, String)> {
        let projects = [project("top", "d"), project("leaf", "top"), project("other", "d")];
        let roles =
            RoleBook::new(vec![role("member"), role("reader")], vec![("member".into(), "reader".into())]);
        let world = World {
            assignments: vec![
                Assignment {
                    actor: Actor::Group("staff".into()),
                    place: Place::Project("other".into()),
                    role_id: "reader".into(),
                    inherited: false,
                },
                Assignment {
                    actor: Actor::User("alice".into()),
                    place: Place::Project("top".into()),
                    role_id: "member".into(),
                    inherited: true,
                },
            ],
            memberships: vec![("staff".into(), "bob".into())],
            projects: &projects,
            roles: &roles,
        };
        let entries = world.answer(query);
        entries
            .into_iter()
            .map(|e| (e.shown.actor.id().to_owned(), e.shown.place.id().to_owned(), e.shown.role_id))
            .collect()
    }

    fn row(actor: &str, place: &str, role: &str) -> (String, String, String) {
        (actor.into(), place.into(), role.into())
    }

    #[test]
    fn effective_lists_follow_groups_inheritance_and_implication() {
        let all = answer(&Query { effective: true, ..Query::default() });
        let wanted =
            [row("bob", "other", "reader"), row("alice", "leaf", "member"), row("alice", "leaf", "reader")];
        assert_eq!(all, wanted);
        let one = answer(&Query {
            effective: true,
            role: Some("reader".into()),
            user: Some("alice".into()),
            ..Query::default()
        });
        assert_eq!(one, [row("alice", "leaf", "reader")]);
    }

    #[test]
    fn plain_lists_are_the_rows() {
        assert_eq!(answer(&Query::default()).len(), 2);
        let tree = Query { project: Some("top".into()), subtree: true, ..Query::default() };
        assert_eq!(answer(&tree), [row("alice", "top", "member")]);
        assert_eq!(answer(&Query { group: Some("staff".into()), ..Query::default() }).len(), 1);
        assert_eq!(
            answer(&Query { inherited_only: true, ..Query::default() }),
            [row("alice", "top", "member")]
        );
        assert!(answer(&Query { system: true, ..Query::default() }).is_empty());
    }

    #[test]
    fn senseless_queries_are_refused() {
        let both = Query { user: Some("u".into()), group: Some("g".into()), ..Query::default() };
        assert!(both.check().is_err());
        assert!(Query { subtree: true, ..Query::default() }.check().is_err());
        assert!(Query { effective: true, group: Some("g".into()), ..Query::default() }.check().is_err());
    }
}
