//! Who may do what with a secret or a container: its project's members, unless it is private; its creator; the users
//! that its list names, for reading.

use base::{Ctx, Error, Policy, Result, Rule};
use db::AnyConnection;
use web::Origin;

use crate::acls::Acl;
use crate::{containers, refs, secrets};

/// Of tokens for a project, each with a role there; the thing itself decides the rest, here.
pub const ANY: Rule = Rule::Authenticated;

/// Policies whose check is in this file.
pub const fn policy(name: &'static str) -> Policy {
    Policy::new(name, ANY)
}

/// What access depends on.
#[derive(Debug, Clone)]
pub struct Owned {
    pub project_id: String,
    pub creator_id: String,
    pub acl: Option<Acl>,
}

/// What has access lists and consumers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    Secret,
    Container,
}

impl Thing {
    /// Also says that it is there: a change that belongs to it asks this in its transaction.
    pub async fn owned(self, conn: &mut AnyConnection, id: &str) -> Result<Owned> {
        match self {
            Thing::Secret => Ok(secrets::store::get(conn, id).await?.owned),
            Thing::Container => Ok(containers::store::get(conn, id).await?.owned),
        }
    }

    /// As in its URL.
    pub fn plural(self) -> &'static str {
        match self {
            Thing::Secret => "secrets",
            Thing::Container => "containers",
        }
    }

    pub fn href(self, origin: &Origin, id: &str) -> String {
        match self {
            Thing::Secret => refs::secret(origin, id),
            Thing::Container => refs::container(origin, id),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The list may allow it.
    Read,
    /// As `Read`; an admin of any project may, too.
    ReadOrAdmin,
    Change,
    /// As `Change`; an admin of any project may, too.
    ChangeOrAdmin,
}

/// `what`: as Barbican names the operation in its refusals, `Secret retrieval`.
pub fn check(ctx: &Ctx, thing: &Owned, need: Need, what: &str) -> Result<()> {
    let has = |role| ctx.auth.has_role(role);
    let at_home = ctx.project().is_some_and(|project| project.id == thing.project_id);
    let private = thing.acl.as_ref().is_some_and(|acl| !acl.project_access);
    let listed = thing.acl.as_ref().is_some_and(|acl| acl.users.iter().any(|user| user == ctx.user_id()));
    let member = at_home && has("member") && (thing.creator_id == ctx.user_id() || !private);
    let allowed = at_home && has("admin")
        || member
        || matches!(need, Need::Read | Need::ReadOrAdmin) && listed
        || matches!(need, Need::ReadOrAdmin | Need::ChangeOrAdmin) && has("admin");
    if allowed { Ok(()) } else { Err(refusal(what)) }
}

fn refusal(what: &str) -> Error {
    Error::forbidden(format!("{what} attempt not allowed - please review your user/project privileges"))
}
