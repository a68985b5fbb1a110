//! From claims to a session: does what the token says still hold, and what does it mean now?

use std::sync::Arc;

use base::{Auth, DomainRef, Error, ProjectRef, Scope, UserRef};
use db::AnyConnection;
use jiff::Timestamp;

use super::{Claims, ScopeId, Session, revocation, view};
use crate::application_credentials::{self, ApplicationCredential};
use crate::assignments::{self, Place};
use crate::errors::unauthorized;
use crate::oauth;
use crate::trusts::{self, Trust};
use crate::{Keystone, domains, projects, users};

/// The caller learns nothing but that it failed; the reason goes to the log.
fn refused(reason: &'static str) -> Error {
    unauthorized().because(reason)
}

impl Keystone {
    pub(super) async fn load(&self, claims: Claims) -> Result<Session, Error> {
        let snapshot = self.snapshot().await?;
        let mut conn = self.db.read().await?;
        let user =
            users::store::get(&mut conn, &claims.user_id).await?.ok_or_else(|| refused("no such user"))?;
        if !user.enabled {
            return Err(refused("the user is disabled"));
        }
        let user_domain = enabled_domain(&mut conn, &user.domain_id).await?;
        let (scope, place) = resolve(&mut conn, &claims.scope).await?;
        let scope_domain = match &scope {
            Scope::Project(project) => project.domain.id.as_str(),
            Scope::Domain(domain) => domain.id.as_str(),
            Scope::System | Scope::Unscoped => "",
        };
        if revocation::is_revoked(&mut conn, &claims, [&user.domain_id, scope_domain]).await? {
            return Err(refused("the token was revoked"));
        }
        let delegation = match &claims.trust_id {
            Some(id) => Some(self.delegation(&mut conn, id, &claims).await?),
            None => None,
        };
        let mut roles = Vec::new();
        if let Some(delegation) = &delegation {
            let Some(place) = &place else { return Err(refused("the trust is for no project")) };
            let held = assignments::store::role_ids(&mut conn, &delegation.origin, place).await?;
            roles = trusts::rules::roles(&snapshot.roles, &delegation.trust, &held)?;
        } else if let Some(place) = place {
            let ids = assignments::store::role_ids(&mut conn, &user.id, &place).await?;
            roles = snapshot.roles.effective(ids.iter().map(String::as_str));
        }
        let mut credential = None;
        if let Some(id) = &claims.application_credential_id {
            let found = application_credential(&mut conn, id, &claims).await?;
            let granted = snapshot.roles.effective(found.role_ids.iter().map(String::as_str));
            roles.retain(|role| granted.contains(role));
            credential = Some(found);
        }
        let access_token = match &claims.access_token_id {
            Some(id) => Some(
                oauth::store::token(&mut conn, oauth::Kind::Access, id)
                    .await?
                    .ok_or_else(|| refused("no such access token"))?,
            ),
            None => None,
        };
        if let Some(token) = &access_token {
            let granted = snapshot.roles.effective(token.role_ids.iter().map(String::as_str));
            roles.retain(|role| granted.contains(role));
        }
        if roles.is_empty() && scope != Scope::Unscoped {
            return Err(refused("the user has no role there"));
        }
        let access_rules = match &credential {
            Some(found) if !found.access_rule_ids.is_empty() => {
                Some(application_credentials::store::rules(&mut conn, &found.access_rule_ids).await?)
            }
            _ => None,
        };
        let speaker = match delegation.as_ref().and_then(|d| d.speaker.clone()) {
            Some(trustor) => trustor,
            None => UserRef { id: user.id.clone(), name: user.name.clone(), domain: user_domain },
        };
        let auth = Auth {
            user: speaker,
            scope,
            is_admin: roles.iter().any(|r| r.name == "admin"),
            roles: roles.iter().map(|r| r.name.clone()).collect(),
            expires_at: Timestamp::from_microsecond(claims.expires_at).unwrap_or(Timestamp::MAX),
        };
        let proof = view::Proof {
            password_expires_at: user.password_expires_at,
            roles: &roles,
            credential: credential.as_ref(),
            access_rules: access_rules.as_deref(),
            trust: delegation.as_ref().map(|d| &d.trust),
            access_token: access_token.as_ref(),
        };
        let body = view::body(&auth, &claims, &proof);
        Ok(Session {
            auth: Arc::new(auth),
            claims,
            restricted: credential.is_some_and(|c| !c.unrestricted),
            access_rules,
            body,
        })
    }

    /// The trust that a token rests on, if all of its chain still holds.
    async fn delegation(
        &self,
        conn: &mut AnyConnection,
        id: &str,
        claims: &Claims,
    ) -> Result<Delegation, Error> {
        let chain = trusts::store::pedigree(conn, id).await?;
        let now = base::time::now();
        let Some(trust) = chain.first().filter(|t| t.expires_at.is_none_or(|end| now < end)) else {
            return Err(refused("no such trust"));
        };
        if trust.trustee_user_id != claims.user_id {
            return Err(Error::forbidden("User is not a trustee."));
        }
        for link in &chain[1..] {
            let agent = users::store::get(conn, &link.trustee_user_id).await?;
            if !agent.is_some_and(|u| u.enabled) {
                return Err(Error::forbidden("One of the trust agents is disabled or deleted"));
            }
        }
        let trustor = users::store::get(conn, &trust.trustor_user_id)
            .await?
            .ok_or_else(|| refused("the trustor is gone"))?;
        if !trustor.enabled {
            return Err(Error::forbidden("Trustor is disabled."));
        }
        let domain = enabled_domain(conn, &trustor.domain_id).await?;
        let speaker = trust.impersonation.then_some(UserRef { id: trustor.id, name: trustor.name, domain });
        let origin = chain.last().unwrap_or(trust).trustor_user_id.clone();
        Ok(Delegation { origin, speaker, trust: trust.clone() })
    }
}

struct Delegation {
    trust: Trust,
    /// Whose roles they are: the first trustor of the chain.
    origin: String,
    /// With impersonation the trustor, for whom the token then speaks.
    speaker: Option<UserRef>,
}

async fn enabled_domain(conn: &mut AnyConnection, id: &str) -> Result<DomainRef, Error> {
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

async fn application_credential(
    conn: &mut AnyConnection,
    id: &str,
    claims: &Claims,
) -> Result<ApplicationCredential, Error> {
    let found = application_credentials::store::get(conn, id)
        .await?
        .ok_or_else(|| refused("no such application credential"))?;
    if found.expires_at.is_some_and(|end| base::time::now() >= end) {
        return Err(refused("the application credential has expired"));
    }
    if found.user_id != claims.user_id || claims.scope != ScopeId::Project(found.project_id.clone()) {
        return Err(refused("the application credential is of another user or project"));
    }
    Ok(found)
}
