//! From claims to a session: does what the token says still hold, and what does it mean now?

use std::sync::Arc;

use base::{Auth, Error, Scope, UserRef};
use db::AnyConnection;
use jiff::Timestamp;

use super::standing::enabled_domain;
use super::{Claims, ScopeId, Session, refused, revocation, view};
use crate::application_credentials::{self, ApplicationCredential};
use crate::oauth;
use crate::trusts::{self, Trust};
use crate::{Keystone, assignments, users};

impl Keystone {
    pub(super) async fn load(&self, claims: Claims) -> Result<Session, Error> {
        let snapshot = self.snapshot().await?;
        let standing = self.standing(&claims.user_id, &claims.scope).await?;
        let scope_domain = match &standing.scope {
            Scope::Project(project) => project.domain.id.as_str(),
            Scope::Domain(domain) => domain.id.as_str(),
            Scope::System | Scope::Unscoped => "",
        };
        let mut conn = self.db.read().await?;
        if claims.issued_at <= snapshot.last_revocation
            && revocation::is_revoked(&mut conn, &claims, [&standing.domain.id, scope_domain]).await?
        {
            return Err(refused("the token was revoked"));
        }
        let delegation = match &claims.trust_id {
            Some(id) => Some(self.delegation(&mut conn, id, &claims).await?),
            None => None,
        };
        let mut roles = match &delegation {
            None => standing.roles.clone(),
            Some(delegation) => {
                let Some(place) = &standing.place else { return Err(refused("the trust is for no project")) };
                let held = assignments::store::role_ids(&mut conn, &delegation.origin, place).await?;
                trusts::rules::roles(&snapshot.roles, &delegation.trust, &held)?
            }
        };
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
        if roles.is_empty() && standing.scope != Scope::Unscoped {
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
            None => UserRef {
                id: standing.user.id.clone(),
                name: standing.user.name.clone(),
                domain: standing.domain.clone(),
            },
        };
        let auth = Auth {
            user: speaker,
            scope: standing.scope.clone(),
            is_admin: roles.iter().any(|r| r.name == "admin"),
            roles: roles.iter().map(|r| r.name.clone()).collect(),
            expires_at: Timestamp::from_microsecond(claims.expires_at).unwrap_or(Timestamp::MAX),
        };
        let proof = view::Proof {
            password_expires_at: standing.user.password_expires_at,
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
