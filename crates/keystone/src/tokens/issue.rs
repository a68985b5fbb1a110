//! Authentication: from proofs to a new token.

use std::sync::Arc;

use base::{Ctx, Error};

use super::prove::{Proven, combine, domain_id};
use super::request::{AuthRequest, Proof, ScopeSpec};
use super::signed_api::KeyLogin;
use super::{Claims, Methods, ScopeId, Session, revocation};
use crate::errors::{is_unauthorized, unauthorized};
use crate::oauth::Signed;
use crate::{Keystone, change, projects, trusts, users};

impl Keystone {
    /// `signed`: the request's OAuth signature, if it has one.
    pub(super) async fn authenticate(
        &self,
        request: AuthRequest,
        signed: Option<&Signed>,
    ) -> Result<(String, Arc<Session>), Error> {
        let knows = |proof: &Proof| matches!(proof, Proof::Password { .. } | Proof::Passcode { .. });
        let is_login = request.proofs.iter().any(knows);
        let mut proven: Option<Proven> = None;
        for proof in request.proofs {
            let next = match proof {
                Proof::OAuth => self.prove_by_signature(signed).await?,
                proof => self.prove(proof, request.scope.as_ref()).await?,
            };
            proven = Some(match proven {
                None => next,
                Some(before) => combine(before, next)?,
            });
        }
        let proven = proven.ok_or_else(unauthorized)?;
        if !users::rules::methods_suffice(&proven.user, &proven.methods.names()) {
            return Err(unauthorized().because("the user needs more authentication methods"));
        }
        if is_login {
            self.forget_failures(&proven.user).await?;
        }
        if let (Some(ScopeSpec::Trust(id)), None) = (&request.scope, &proven.credential) {
            return self.issue_by_trust(proven, id).await;
        }
        let scope = match (&proven.credential, &request.scope) {
            (Some((_, project)), _) => ScopeId::Project(project.clone()),
            (None, Some(spec)) => self.resolve_scope(spec).await?,
            (None, None) => match &proven.user.default_project_id {
                Some(project) => match self.issue(&proven, ScopeId::Project(project.clone())).await {
                    // A default project is a convenience: without a role there the token is unscoped.
                    Err(e) if is_unauthorized(&e) => ScopeId::Unscoped,
                    issued => return issued,
                },
                None => ScopeId::Unscoped,
            },
        };
        self.issue(&proven, scope).await
    }

    async fn issue(&self, proven: &Proven, scope: ScopeId) -> Result<(String, Arc<Session>), Error> {
        // The machine's clock may have been ahead when somebody's tokens were ended: a new one is newer all the same.
        let now = base::time::now();
        let now = if self.snapshot().await?.last_revocation < now {
            now
        } else {
            let ended = revocation::last_since(&mut *self.db.read().await?, now).await?;
            ended.map_or(now, |last| now.max(last + 1))
        };
        let end = now.saturating_add(self.token_ttl);
        let mut audit_id = [0u8; 16];
        rand::fill(&mut audit_id[..]);
        let claims = Claims {
            methods: proven.methods,
            user_id: proven.user.id.clone(),
            scope,
            expires_at: proven.expires_at.map_or(end, |limit| limit.min(end)),
            issued_at: now,
            audit_id,
            parent_audit_id: proven.chain,
            application_credential_id: proven
                .credential
                .as_ref()
                .filter(|_| proven.access_token_id.is_none())
                .map(|(id, _)| id.clone()),
            trust_id: proven.trust_id.clone(),
            access_token_id: proven.access_token_id.clone(),
        };
        let token = self.token_keys.encrypt(&claims.encode());
        let generation = self.generation();
        let session = Arc::new(self.load(claims).await?);
        self.cache.put(&token, generation, session.clone());
        Ok((token, session))
    }

    /// A use is counted when the token has come about.
    async fn issue_by_trust(
        &self,
        mut proven: Proven,
        trust_id: &str,
    ) -> Result<(String, Arc<Session>), Error> {
        let missing = || unauthorized().because("no such trust");
        let trust = trusts::store::get(&mut *self.db.read().await?, trust_id)
            .await?
            .filter(|t| t.holds(base::time::now()))
            .ok_or_else(missing)?;
        let project = trust.project_id.clone().ok_or_else(missing)?;
        proven.expires_at = match (proven.expires_at, trust.expires_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        proven.trust_id = Some(trust.id.clone());
        let issued = self.issue(&proven, ScopeId::Project(project)).await?;
        if trust.remaining_uses.is_some() {
            let ctx = Ctx { auth: issued.1.auth.clone(), ..Ctx::internal("trust") };
            change!(self, &ctx, "trust.use", &trust.id, |tx| {
                if trusts::store::consume(tx, &trust.id).await? {
                    Ok(())
                } else {
                    Err(Error::forbidden(format!("No remaining uses for trust: {}.", trust.id)))
                }
            })?;
        }
        Ok(issued)
    }

    /// A signature was right: the token is for the key's project, by the key's delegation if there is one.
    pub(super) async fn issue_by_key(&self, login: KeyLogin) -> Result<(String, Arc<Session>), Error> {
        let bearer = match &login.trust_id {
            // The key of a trustee who speaks for the trustor is the trustor's; the token is had by the trustee.
            Some(id) => trusts::store::get(&mut *self.db.read().await?, id)
                .await?
                .map(|t| t.trustee_user_id)
                .ok_or_else(unauthorized)?,
            None => login.user_id,
        };
        let user = users::store::get(&mut *self.db.read().await?, &bearer).await?.ok_or_else(unauthorized)?;
        let mut proven = Proven::by(user, Methods::EC2);
        if let Some(id) = &login.trust_id {
            return self.issue_by_trust(proven, id).await;
        }
        proven.credential = login.application_credential_id.map(|id| (id, login.project_id.clone()));
        proven.access_token_id = login.access_token_id;
        self.issue(&proven, ScopeId::Project(login.project_id)).await
    }

    async fn resolve_scope(&self, spec: &ScopeSpec) -> Result<ScopeId, Error> {
        let mut conn = self.db.read().await?;
        let missing = || unauthorized().because("the scope asked for does not exist");
        match spec {
            ScopeSpec::Unscoped => Ok(ScopeId::Unscoped),
            ScopeSpec::System => Ok(ScopeId::System),
            // Trusts have their own way, which counts their uses.
            ScopeSpec::Trust(_) => Err(missing()),
            ScopeSpec::Project(id) => Ok(ScopeId::Project(id.clone())),
            ScopeSpec::ProjectName(name, domain) => {
                let domain = domain_id(&mut conn, domain).await?.ok_or_else(missing)?;
                let project =
                    projects::store::by_name(&mut conn, &domain, name).await?.ok_or_else(missing)?;
                Ok(ScopeId::Project(project.id))
            }
            ScopeSpec::Domain(domain) => {
                Ok(ScopeId::Domain(domain_id(&mut conn, domain).await?.ok_or_else(missing)?))
            }
        }
    }
}
