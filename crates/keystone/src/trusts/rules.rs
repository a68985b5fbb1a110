//! Who may make and see trusts, and how far one may be handed on.

use base::Error;

use super::Trust;
use crate::access::{Policy, Target, Who};
use crate::errors::forbidden_action;
use crate::roles::RoleRef;
use crate::roles::rules::RoleBook;
use crate::tokens::{Methods, Session};

const READERS: &[Who] = &[Who::Admin, Who::SystemReader];
const PARTIES: &[Who] = &[Who::Admin, Who::SystemReader, Who::Owner, Who::Trustee];

/// Nobody gives away what is somebody else's, not even an admin.
pub static CREATE: Policy = Policy::of_project("identity:create_trust", &[Who::Owner]);
pub static LIST: Policy = Policy::of_cloud("identity:list_trusts", READERS);
pub static LIST_OF_TRUSTOR: Policy =
    Policy::of_cloud("identity:list_trusts_for_trustor", &[Who::Admin, Who::SystemReader, Who::Owner]);
pub static LIST_OF_TRUSTEE: Policy =
    Policy::of_cloud("identity:list_trusts_for_trustee", &[Who::Admin, Who::SystemReader, Who::Trustee]);
pub static GET: Policy = Policy::of_cloud("identity:get_trust", PARTIES);
pub static LIST_ROLES: Policy = Policy::of_cloud("identity:list_roles_for_trust", PARTIES);
pub static GET_ROLE: Policy = Policy::of_cloud("identity:get_role_for_trust", PARTIES);
pub static DELETE: Policy = Policy::of_cloud("identity:delete_trust", &[Who::Admin, Who::Owner]);

/// Keystone's max_redelegation_count.
pub const MAX_REDELEGATIONS: i64 = 3;

pub fn target(trust: &Trust) -> Target<'_> {
    Target { user: Some(&trust.trustor_user_id), trustee: Some(&trust.trustee_user_id), ..Target::default() }
}

/// An application credential is good for one project; trusts would lead out of it.
pub fn check_own_login(session: &Session) -> Result<(), Error> {
    let by_credential = session.claims.application_credential_id.is_some()
        || session.claims.methods.includes(Methods::APPLICATION_CREDENTIAL);
    if by_credential {
        return Err(forbidden_action(
            "Using method 'application_credential' is not allowed for managing trusts.",
        ));
    }
    if session.claims.access_token_id.is_some() {
        return Err(forbidden_action("Redelegation allowed for delegated by trust only"));
    }
    Ok(())
}

/// The roles of a token: those of the trust and all they imply. The first trustor must still have each (`held`).
pub fn roles(book: &RoleBook, trust: &Trust, held: &[String]) -> Result<Vec<RoleRef>, Error> {
    let held: Vec<&str> =
        book.closure(held.iter().map(String::as_str)).into_iter().map(|(r, _)| r.id.as_str()).collect();
    let delegated = book.closure(trust.role_ids.iter().map(String::as_str));
    if delegated.len() < trust.role_ids.len()
        || delegated.iter().any(|(role, _)| !held.contains(&role.id.as_str()))
    {
        return Err(Error::forbidden("Trustee has no delegated roles."));
    }
    Ok(delegated
        .into_iter()
        .filter(|(role, _)| role.domain_id.is_empty())
        .map(|(role, _)| RoleRef { id: role.id.clone(), name: role.name.clone() })
        .collect())
}

/// What a request says about handing on.
#[derive(Debug, Clone, Copy)]
pub struct Redelegation {
    pub allow: bool,
    pub count: Option<i64>,
}

/// The new trust's depth, without a parent.
pub fn first_count(asked: Redelegation, remaining_uses: Option<i64>) -> Result<i64, Error> {
    if !asked.allow || asked.count == Some(0) {
        return Ok(0);
    }
    if let Some(count) = asked.count.filter(|c| *c > MAX_REDELEGATIONS) {
        return Err(Error::forbidden(format!(
            "Requested redelegation depth of {count} is greater than allowed {MAX_REDELEGATIONS}"
        )));
    }
    if remaining_uses.is_some() {
        return Err(Error::bad_request("remaining_uses must not be set if redelegation is allowed"));
    }
    Ok(asked.count.unwrap_or(MAX_REDELEGATIONS))
}

/// Fits `trust` below `chain`, the trust that it comes from and that one's own parents.
pub fn redelegate(trust: &mut Trust, asked: Redelegation, chain: &[Trust]) -> Result<(), Error> {
    let Some(parent) = chain.first() else { return Ok(()) };
    let left = parent.redelegation_count - 1;
    let redelegatable = asked.allow && asked.count != Some(0);
    if redelegatable && asked.count.is_some_and(|count| count != left) {
        return Err(Error::forbidden(
            "Modifying \"redelegation_count\" upon redelegation is forbidden. Omitting this parameter is advised.",
        ));
    }
    trust.redelegation_count = if redelegatable { left } else { 0 };
    trust.redelegated_trust_id = Some(parent.id.clone());
    for link in chain {
        check_link(link, trust)?;
        trust.expires_at = trust.expires_at.or(link.expires_at);
    }
    Ok(())
}

fn check_link(parent: &Trust, trust: &Trust) -> Result<(), Error> {
    let depth = parent.redelegation_count;
    if !(1..=MAX_REDELEGATIONS).contains(&depth) {
        return Err(Error::forbidden(format!(
            "Remaining redelegation depth of {depth} out of allowed range of [0..{MAX_REDELEGATIONS}]"
        )));
    }
    if let Some(uses) = trust.remaining_uses {
        return Err(Error::forbidden(format!(
            "Field \"remaining_uses\" is set to {uses} while it must not be set in order to redelegate a trust"
        )));
    }
    if let (Some(end), Some(limit)) = (trust.expires_at, parent.expires_at)
        && limit < end
    {
        return Err(Error::forbidden("Requested expiration time is more than redelegated trust can provide"));
    }
    if trust.role_ids.iter().any(|id| !parent.role_ids.contains(id)) {
        return Err(Error::forbidden("Some of requested roles are not in redelegated trust"));
    }
    if trust.impersonation && !parent.impersonation {
        return Err(Error::forbidden(format!(
            "Impersonation is not allowed because redelegated trust does not specify impersonation. Redelegated \
             trust id: {}",
            parent.id
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles::Role;

    fn trust(role_ids: &[&str]) -> Trust {
        Trust {
            id: "t".into(),
            trustor_user_id: "alice".into(),
            trustee_user_id: "bob".into(),
            project_id: Some("p".into()),
            impersonation: true,
            role_ids: role_ids.iter().map(|r| (*r).to_owned()).collect(),
            expires_at: None,
            remaining_uses: None,
            redelegated_trust_id: None,
            redelegation_count: 2,
            extra: Default::default(),
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

    #[test]
    fn roles_are_those_of_the_trust_while_the_trustor_has_them() {
        let book =
            RoleBook::new(vec![role("member"), role("reader")], vec![("member".into(), "reader".into())]);
        let names = |trust: &Trust, held: &str| -> Option<Vec<String>> {
            Some(roles(&book, trust, &[held.to_owned()]).ok()?.into_iter().map(|r| r.name).collect())
        };
        assert_eq!(names(&trust(&["member"]), "member").unwrap(), ["member", "reader"]);
        assert_eq!(names(&trust(&["reader"]), "member").unwrap(), ["reader"]);
        assert_eq!(names(&trust(&["member"]), "reader"), None);
        assert_eq!(names(&trust(&["gone"]), "member"), None);
    }

    #[test]
    fn counts_without_a_parent() {
        let count = |allow, count, uses| first_count(Redelegation { allow, count }, uses).ok();
        assert_eq!(count(false, Some(2), Some(1)), Some(0));
        assert_eq!(count(true, Some(0), Some(1)), Some(0));
        assert_eq!(count(true, None, None), Some(3));
        assert_eq!(count(true, Some(2), None), Some(2));
        assert_eq!(count(true, Some(4), None), None);
        assert_eq!(count(true, None, Some(1)), None);
    }

    #[test]
    fn what_is_handed_on_is_never_more() {
        let omitted = Redelegation { allow: true, count: None };
        let parent = Trust { expires_at: Some(100), ..trust(&["member"]) };
        let fit = |child: Trust, asked| {
            let mut child = child;
            redelegate(&mut child, asked, std::slice::from_ref(&parent)).map(|()| child)
        };
        let child = fit(trust(&["member"]), omitted).unwrap();
        assert_eq!((child.redelegation_count, child.expires_at), (1, Some(100)));
        assert_eq!(
            fit(trust(&[]), Redelegation { allow: false, count: None }).unwrap().redelegation_count,
            0
        );
        assert!(fit(trust(&["admin"]), omitted).is_err());
        assert!(fit(Trust { expires_at: Some(101), ..trust(&[]) }, omitted).is_err());
        assert!(fit(Trust { remaining_uses: Some(1), ..trust(&[]) }, omitted).is_err());
        assert!(fit(trust(&[]), Redelegation { allow: true, count: Some(3) }).is_err());
        let shy = Trust { impersonation: false, ..trust(&["member"]) };
        assert!(redelegate(&mut trust(&[]), omitted, &[shy]).is_err());
        let last = Trust { redelegation_count: 0, ..trust(&["member"]) };
        assert!(redelegate(&mut trust(&[]), omitted, &[last]).is_err());
    }
}
