//! Proofs: a password, a token, a credential, a signature, and who is behind them.

use base::Error;
use db::AnyConnection;
use secrecy::{ExposeSecret, SecretString};

use super::request::{CredentialSpec, DomainSpec, Proof, ScopeSpec, UserSpec};
use super::{Methods, ScopeId, totp};
use crate::errors::{expecting, forbidden_action, unauthorized};
use crate::oauth::{self, Signed};
use crate::users::User;
use crate::{Keystone, application_credentials, credentials, domains, users};

/// What one proof says of its bearer.
pub(super) struct Proven {
    pub user: User,
    pub methods: Methods,
    /// A rescoped token ends with the first of its chain, and an application credential's with the credential.
    pub expires_at: Option<i64>,
    pub chain: Option<[u8; 16]>,
    /// Set: the token is for this project and by this credential, whatever was asked.
    pub credential: Option<(String, String)>,
    pub trust_id: Option<String>,
    pub access_token_id: Option<String>,
}

impl Proven {
    pub fn by(user: User, methods: Methods) -> Self {
        Proven {
            user,
            methods,
            expires_at: None,
            chain: None,
            credential: None,
            trust_id: None,
            access_token_id: None,
        }
    }
}

impl Keystone {
    pub(super) async fn prove(&self, proof: Proof, scope: Option<&ScopeSpec>) -> Result<Proven, Error> {
        match proof {
            Proof::Password { user, password } => {
                let user = self.find_user(&user).await?;
                let user = self
                    .check_password(user, password)
                    .await?
                    .ok_or_else(|| unauthorized().because("wrong name or password"))?;
                if user.password_expires_at.is_some_and(|end| end <= base::time::now()) {
                    return Err(Error::unauthorized(format!(
                        "The password is expired and needs to be changed for user: {}.",
                        user.id
                    )));
                }
                Ok(Proven::by(user, Methods::PASSWORD))
            }
            Proof::Token(token) => self.prove_by_token(&token, scope).await,
            Proof::Passcode { user, passcode } => {
                let user = self.find_user(&user).await?.ok_or_else(unauthorized)?;
                self.refuse_locked(&user)?;
                if !self.is_passcode(&user, &passcode).await? {
                    // Six digits are soon guessed, so a wrong passcode counts as a wrong password does.
                    self.count_failure(&user).await?;
                    return Err(unauthorized().because("wrong name or passcode"));
                }
                Ok(Proven::by(user, Methods::TOTP))
            }
            Proof::OAuth => Err(unauthorized()),
            Proof::ApplicationCredential { credential, secret } => {
                let found = self.find_credential(credential).await?;
                let hash = found.as_ref().map(|(c, _)| c.secret_hash.clone());
                let right = self.passwords.verify(secret, hash).await?;
                let (credential, user) = found
                    .filter(|_| right)
                    .ok_or_else(|| unauthorized().because("wrong application credential or secret"))?;
                if scope.is_some() {
                    return Err(unauthorized().because("application credentials cannot request a scope"));
                }
                Ok(Proven {
                    expires_at: credential.expires_at,
                    credential: Some((credential.id, credential.project_id)),
                    ..Proven::by(user, Methods::APPLICATION_CREDENTIAL)
                })
            }
        }
    }

    /// The user, if that is their password; wrong ones are counted when the rules say so. Whoever is let in by it calls
    /// [`Keystone::forget_failures`]: more than the password may be asked of the user.
    pub(crate) async fn check_password(
        &self,
        user: Option<User>,
        password: SecretString,
    ) -> Result<Option<User>, Error> {
        if let Some(user) = &user {
            self.refuse_locked(user)?;
        }
        let hash = user.as_ref().and_then(|u| u.password_hash.clone());
        // Also without a user: the answer must take as long as for a wrong password.
        let right = self.passwords.verify(password, hash).await?;
        let Some(user) = user else { return Ok(None) };
        if !right {
            self.count_failure(&user).await?;
        }
        Ok(Some(user).filter(|_| right))
    }

    fn refuse_locked(&self, user: &User) -> Result<(), Error> {
        if self.security.is_locked(user, base::time::now()) {
            return Err(Error::unauthorized(format!("The account is locked for user: {}.", user.id)));
        }
        Ok(())
    }

    async fn count_failure(&self, user: &User) -> Result<(), Error> {
        if !self.security.counts_failures(user) {
            return Ok(());
        }
        let over = self.lockout_is_over(user);
        db::write!(self.db, |tx| Ok(users::store::count_failure(tx, &user.id, over).await?))
    }

    pub(crate) async fn forget_failures(&self, user: &User) -> Result<(), Error> {
        if !self.security.counts_failures(user) || user.failed_logins == 0 {
            return Ok(());
        }
        db::write!(self.db, |tx| Ok(users::store::forget_failures(tx, &user.id).await?))
    }

    /// Whether an authenticator app with one of the user's seeds shows it now.
    async fn is_passcode(&self, user: &User, passcode: &SecretString) -> Result<bool, Error> {
        let now = base::time::now() / 1_000_000;
        let credentials = credentials::store::of_user(&mut *self.db.read().await?, &user.id).await?;
        let seeds = credentials
            .iter()
            .filter(|credential| credential.kind == "totp")
            .filter_map(|credential| self.credential_keys.decrypt(&credential.encrypted_blob))
            .filter_map(|seed| String::from_utf8(seed).ok());
        Ok(seeds.fold(false, |found, seed| found | totp::accepts(&seed, passcode.expose_secret(), now)))
    }

    /// So many failures that the user was locked out, and is not any more.
    fn lockout_is_over(&self, user: &User) -> bool {
        let limit = self.security.lockout_failure_attempts.map_or(i64::MAX, i64::from);
        user.failed_logins >= limit
    }

    /// A consumer signed with an access token: the user who gave it, in the project that it is for.
    pub(super) async fn prove_by_signature(&self, signed: Option<&Signed>) -> Result<Proven, Error> {
        let signed = signed.ok_or_else(|| expecting("Authorization", "request"))?;
        let token_id = signed.require("oauth_token")?;
        let mut conn = self.db.read().await?;
        let token = oauth::store::token(&mut conn, oauth::Kind::Access, token_id)
            .await?
            .filter(|t| t.expires_at > base::time::now())
            .ok_or_else(|| unauthorized().because("no such access token"))?;
        let consumer =
            oauth::store::consumer(&mut conn, &token.consumer_id).await?.ok_or_else(unauthorized)?;
        let right = signed.get("oauth_consumer_key") == Some(consumer.id.as_str())
            && signed
                .verifies(&self.unseal(&consumer.encrypted_secret)?, &self.unseal(&token.encrypted_secret)?);
        if !right {
            return Err(unauthorized().because("the signature is wrong"));
        }
        let user_id = token.authorizing_user_id.ok_or_else(unauthorized)?;
        let user = users::store::get(&mut conn, &user_id).await?.ok_or_else(unauthorized)?;
        Ok(Proven {
            expires_at: Some(token.expires_at),
            // As with application credentials: the project is not the caller's to choose.
            credential: Some((token.id.clone(), token.project_id)),
            access_token_id: Some(token.id),
            ..Proven::by(user, Methods::OAUTH)
        })
    }

    async fn prove_by_token(&self, token: &str, scope: Option<&ScopeSpec>) -> Result<Proven, Error> {
        let claims = self.session(token).await?.claims.clone();
        if claims.trust_id.is_some() {
            return Err(forbidden_action(
                "Using trust-scoped token to create another token. Create a new trust-scoped token instead",
            ));
        }
        if claims.access_token_id.is_some() {
            return Err(forbidden_action(
                "Using OAuth-scoped token to create another token. Create a new OAuth-scoped token instead",
            ));
        }
        let narrower =
            matches!(scope, Some(ScopeSpec::Project(_) | ScopeSpec::ProjectName(..) | ScopeSpec::Domain(_)));
        if claims.scope == ScopeId::System && narrower {
            return Err(forbidden_action(
                "Using a system-scoped token to create a project-scoped or domain-scoped token is not allowed.",
            ));
        }
        if claims.application_credential_id.is_some() && scope.is_some() {
            return Err(forbidden_action(
                "Using an application credential token to create a scoped token is not allowed.",
            ));
        }
        let user = self.standing(&claims.user_id, &claims.scope).await?.user.clone();
        let credential = match (&claims.application_credential_id, &claims.scope) {
            (Some(id), ScopeId::Project(project)) => Some((id.clone(), project.clone())),
            _ => None,
        };
        Ok(Proven {
            expires_at: Some(claims.expires_at),
            chain: Some(claims.parent_audit_id.unwrap_or(claims.audit_id)),
            credential,
            ..Proven::by(user, claims.methods.and(Methods::TOKEN))
        })
    }

    async fn find_user(&self, spec: &UserSpec) -> Result<Option<User>, Error> {
        let mut conn = self.db.read().await?;
        match spec {
            UserSpec::Id(id) => Ok(users::store::get(&mut conn, id).await?),
            UserSpec::Name(name, domain) => match domain_id(&mut conn, domain).await? {
                Some(domain) => Ok(users::store::by_name(&mut conn, &domain, name).await?),
                None => Ok(None),
            },
        }
    }

    async fn find_credential(
        &self,
        spec: CredentialSpec,
    ) -> Result<Option<(application_credentials::ApplicationCredential, User)>, Error> {
        let credential = match spec {
            CredentialSpec::Id(id) => {
                application_credentials::store::get(&mut *self.db.read().await?, &id).await?
            }
            CredentialSpec::Name(name, user) => match self.find_user(&user).await? {
                Some(user) => {
                    let mut conn = self.db.read().await?;
                    application_credentials::store::by_name(&mut conn, &user.id, &name).await?
                }
                None => None,
            },
        };
        let Some(credential) = credential else { return Ok(None) };
        let user = users::store::get(&mut *self.db.read().await?, &credential.user_id).await?;
        Ok(user.map(|user| (credential, user)))
    }
}

pub(super) async fn domain_id(conn: &mut AnyConnection, spec: &DomainSpec) -> Result<Option<String>, Error> {
    match spec {
        DomainSpec::Id(id) => Ok(Some(id.clone())),
        DomainSpec::Name(name) => Ok(domains::store::by_name(conn, name).await?.map(|d| d.id)),
    }
}

/// Two proofs of one request must be of one user; the narrower limits win.
pub(super) fn combine(a: Proven, b: Proven) -> Result<Proven, Error> {
    if a.user.id != b.user.id {
        return Err(unauthorized().because("the methods name different users"));
    }
    Ok(Proven {
        user: b.user,
        methods: a.methods.and(b.methods),
        expires_at: match (a.expires_at, b.expires_at) {
            (Some(x), Some(y)) => Some(x.min(y)),
            (x, y) => x.or(y),
        },
        chain: a.chain.or(b.chain),
        credential: a.credential.or(b.credential),
        trust_id: None,
        access_token_id: a.access_token_id.or(b.access_token_id),
    })
}
