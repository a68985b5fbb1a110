//! Who somebody is at some place, as of now: the part of a token that is the same in all tokens of that user there.
//!
//! Kept for one generation of the identity data, as verified tokens are (cache.rs), so that a login costs no reading of what
//! the login before it has read.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use base::{DomainRef, Error, ProjectRef, Scope};
use db::AnyConnection;

use super::{ScopeId, refused};
use crate::assignments::{self, Place};
use crate::roles::RoleRef;
use crate::users::User;
use crate::{Keystone, domains, projects, users};

/// An entry is about a KiB.
const CAPACITY: usize = 1024;

/// An enabled user of an enabled domain, and an enabled scope.
pub(super) struct Standing {
    /// What of it changes with logins (failed ones) may be old.
    pub user: User,
    pub domain: DomainRef,
    pub scope: Scope,
    /// Where the scope's roles are assigned.
    pub place: Option<Place>,
    /// Those of the user's own, and what they imply; there may be none.
    pub roles: Vec<RoleRef>,
}

#[derive(Default)]
pub struct Standings(RwLock<Shelf>);

#[derive(Default)]
struct Shelf {
    generation: u64,
    kept: HashMap<(String, ScopeId), Arc<Standing>>,
}

impl Standings {
    fn get(&self, generation: u64, key: &(String, ScopeId)) -> Option<Arc<Standing>> {
        let shelf = self.0.read().unwrap_or_else(PoisonError::into_inner);
        shelf.kept.get(key).filter(|_| shelf.generation == generation).cloned()
    }

    /// `generation` as it was before anything was read.
    fn put(&self, generation: u64, key: (String, ScopeId), standing: Arc<Standing>) {
        let mut shelf = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if shelf.generation != generation || shelf.kept.len() >= CAPACITY {
            shelf.kept.clear();
            shelf.generation = generation;
        }
        shelf.kept.insert(key, standing);
    }
}

impl Keystone {
    /// 401 unless both the user and the scope are there and enabled.
    pub(super) async fn standing(&self, user: &str, scope: &ScopeId) -> Result<Arc<Standing>, Error> {
        let generation = self.generation();
        let key = (user.to_owned(), scope.clone());
        if let Some(standing) = self.standings.get(generation, &key) {
            return Ok(standing);
        }
        let snapshot = self.snapshot().await?;
        let mut conn = self.db.read().await?;
        let user = users::store::get(&mut conn, user).await?.ok_or_else(|| refused("no such user"))?;
        if !user.enabled {
            return Err(refused("the user is disabled"));
        }
        let domain = enabled_domain(&mut conn, &user.domain_id).await?;
        let (scope, place) = resolve(&mut conn, scope).await?;
        let roles = match &place {
            Some(place) => {
                let ids = assignments::store::role_ids(&mut conn, &user.id, place).await?;
                snapshot.roles.effective(ids.iter().map(String::as_str))
            }
            None => Vec::new(),
        };
        let standing = Arc::new(Standing { user, domain, scope, place, roles });
        self.standings.put(generation, key, standing.clone());
        Ok(standing)
    }
}

pub(super) async fn enabled_domain(conn: &mut AnyConnection, id: &str) -> Result<DomainRef, Error> {
    let domain = domains::store::get(conn, id).await?.ok_or_else(|| refused("no such domain"))?;
    if domain.enabled {
        Ok(DomainRef { id: domain.id, name: domain.name })
    } else {
        Err(refused("the domain is disabled"))
    }
}

/// The scope with names, and where its roles are assigned.
async fn resolve(conn: &mut AnyConnection, scope: &ScopeId) -> Result<(Scope, Option<Place>), Error> {
    match scope {
        ScopeId::Unscoped => Ok((Scope::Unscoped, None)),
        ScopeId::System => Ok((Scope::System, Some(Place::System))),
        ScopeId::Domain(id) => {
            let domain = enabled_domain(conn, id).await?;
            let place = Place::Domain(domain.id.clone());
            Ok((Scope::Domain(domain), Some(place)))
        }
        ScopeId::Project(id) => {
            let project = projects::store::get(conn, id)
                .await?
                .filter(|p| !p.is_domain)
                .ok_or_else(|| refused("no such project"))?;
            if !project.enabled {
                return Err(refused("the project is disabled"));
            }
            let domain = enabled_domain(conn, &project.domain_id).await?;
            let place = Place::Project(project.id.clone());
            Ok((Scope::Project(ProjectRef { id: project.id, name: project.name, domain }), Some(place)))
        }
    }
}
