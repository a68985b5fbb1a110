//! What a set of roles amounts to, and who may manage roles.

use std::collections::{HashMap, HashSet, VecDeque};

use base::Error;

use super::{Role, RoleRef};
use crate::access::{Policy, Who};
use crate::errors::conflict;

const READERS: &[Who] = &[Who::Admin, Who::SystemReader];
const ADMIN: &[Who] = &[Who::Admin];

pub static LIST: Policy =
    Policy::new("identity:list_roles", &[Who::Admin, Who::SystemReader, Who::AnyDomainManager]);
pub static GET: Policy = Policy::new("identity:get_role", READERS);
/// A role that a domain's manager may give, see [`MANAGED`].
pub static GET_MANAGED: Policy =
    Policy::new("identity:get_role", &[Who::Admin, Who::SystemReader, Who::Manager]);
pub static GET_OF_DOMAIN: Policy = Policy::of_cloud("identity:get_domain_role", READERS);
pub static LIST_OF_DOMAIN: Policy = Policy::of_cloud("identity:list_domain_roles", READERS);
pub static CREATE: Policy = Policy::of_cloud("identity:create_role", ADMIN);
pub static UPDATE: Policy = Policy::of_cloud("identity:update_role", ADMIN);
pub static DELETE: Policy = Policy::of_cloud("identity:delete_role", ADMIN);
pub static CREATE_OF_DOMAIN: Policy = Policy::of_cloud("identity:create_domain_role", ADMIN);
pub static UPDATE_OF_DOMAIN: Policy = Policy::of_cloud("identity:update_domain_role", ADMIN);
pub static DELETE_OF_DOMAIN: Policy = Policy::of_cloud("identity:delete_domain_role", ADMIN);
pub static LIST_IMPLIED: Policy = Policy::of_cloud("identity:list_implied_roles", READERS);
pub static GET_IMPLIED: Policy = Policy::of_cloud("identity:get_implied_role", READERS);
pub static CHECK_IMPLIED: Policy = Policy::of_cloud("identity:check_implied_role", READERS);
pub static CREATE_IMPLIED: Policy = Policy::of_cloud("identity:create_implied_role", ADMIN);
pub static DELETE_IMPLIED: Policy = Policy::of_cloud("identity:delete_implied_role", ADMIN);
pub static LIST_INFERENCES: Policy = Policy::of_cloud("identity:list_role_inference_rules", READERS);

/// What a domain's manager may give and take: nothing above their own role.
pub const MANAGED: &[&str] = &["manager", "member", "reader"];

/// All roles and implications.
#[derive(Debug, Default)]
pub struct RoleBook {
    roles: HashMap<String, Role>,
    implied: HashMap<String, Vec<String>>,
}

impl RoleBook {
    pub fn new(roles: Vec<Role>, implications: Vec<(String, String)>) -> Self {
        let mut implied: HashMap<String, Vec<String>> = HashMap::new();
        for (prior, role) in implications {
            implied.entry(prior).or_default().push(role);
        }
        RoleBook { roles: roles.into_iter().map(|r| (r.id.clone(), r)).collect(), implied }
    }

    pub fn get(&self, id: &str) -> Option<&Role> {
        self.roles.get(id)
    }

    pub fn all(&self) -> impl Iterator<Item = &Role> {
        self.roles.values()
    }

    /// The roles directly implied by one.
    pub fn implied_by(&self, id: &str) -> impl Iterator<Item = &Role> {
        self.implied.get(id).into_iter().flatten().filter_map(|id| self.roles.get(id))
    }

    /// Prior roles that imply something, in order of name.
    pub fn priors(&self) -> Vec<&Role> {
        let mut priors: Vec<&Role> = self.implied.keys().filter_map(|id| self.roles.get(id)).collect();
        priors.sort_by(|a, b| a.name.cmp(&b.name));
        priors
    }

    /// (role, the role it comes from or None) of everything that the given roles amount to, the given ones first.
    pub fn closure<'a>(&'a self, ids: impl IntoIterator<Item = &'a str>) -> Vec<(&'a Role, Option<&'a str>)> {
        let mut seen = HashSet::new();
        let mut queue: VecDeque<(&str, Option<&str>)> = ids.into_iter().map(|id| (id, None)).collect();
        let mut all = Vec::new();
        while let Some((id, prior)) = queue.pop_front() {
            let Some(role) = self.roles.get(id) else { continue };
            if seen.insert(id) {
                all.push((role, prior));
                queue.extend(self.implied.get(id).into_iter().flatten().map(|i| (i.as_str(), Some(id))));
            }
        }
        all
    }

    /// What a token shows.
    pub fn effective<'a>(&'a self, ids: impl IntoIterator<Item = &'a str>) -> Vec<RoleRef> {
        self.closure(ids)
            .into_iter()
            .filter(|(role, _)| role.domain_id.is_empty())
            .map(|(role, _)| RoleRef { id: role.id.clone(), name: role.name.clone() })
            .collect()
    }

    /// May `prior` come to imply `implied`? A cycle would be harmless here, but no one means one.
    pub fn check_implication(&self, prior: &Role, implied: &Role) -> Result<(), Error> {
        if implied.name == "admin" && implied.domain_id.is_empty() {
            return Err(Error::forbidden(format!("{} cannot be an implied roles.", implied.id)));
        }
        if prior.domain_id.is_empty() && !implied.domain_id.is_empty() {
            return Err(Error::forbidden("Global role cannot imply a domain-specific role"));
        }
        if self.closure([implied.id.as_str()]).iter().any(|(role, _)| role.id == prior.id) {
            return Err(conflict("implied_role", format!("{} already implies {}", implied.id, prior.id)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(id: &str, domain: &str) -> Role {
        Role {
            id: id.into(),
            name: id.into(),
            domain_id: domain.into(),
            description: None,
            options: Default::default(),
            extra: Default::default(),
        }
    }

    fn book() -> RoleBook {
        let roles = vec![
            role("admin", ""),
            role("manager", ""),
            role("member", ""),
            role("reader", ""),
            role("local", "d"),
        ];
        let pairs = [("admin", "manager"), ("manager", "member"), ("member", "reader"), ("local", "reader")];
        RoleBook::new(roles, pairs.map(|(a, b)| (a.into(), b.into())).to_vec())
    }

    fn names(book: &RoleBook, ids: &[&str]) -> Vec<String> {
        book.effective(ids.iter().copied()).into_iter().map(|r| r.name).collect()
    }

    #[test]
    fn implications_are_followed_to_the_end_and_once() {
        assert_eq!(names(&book(), &["admin"]), ["admin", "manager", "member", "reader"]);
        assert_eq!(names(&book(), &["reader", "member"]), ["reader", "member"]);
        assert_eq!(names(&book(), &["gone"]), [""; 0]);
    }

    #[test]
    fn a_role_of_a_domain_is_seen_only_by_what_it_implies() {
        assert_eq!(names(&book(), &["local"]), ["reader"]);
    }

    #[test]
    fn a_cycle_ends() {
        let roles = vec![role("a", ""), role("b", "")];
        let book = RoleBook::new(roles, vec![("a".into(), "b".into()), ("b".into(), "a".into())]);
        assert_eq!(names(&book, &["b"]), ["b", "a"]);
    }

    #[test]
    fn nothing_implies_admin_nor_itself() {
        let book = book();
        let check = |a: &str, b: &str| book.check_implication(book.get(a).unwrap(), book.get(b).unwrap());
        assert!(check("member", "admin").is_err());
        assert!(check("reader", "member").is_err());
        assert!(check("reader", "local").is_err());
        assert!(check("local", "member").is_ok());
    }
}
