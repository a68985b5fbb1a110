//! Tokens as JSON.

use base::{Auth, Scope};
use serde_json::{Value, json};

use super::{Claims, Session, revocation};
use crate::application_credentials::{self, AccessRule, ApplicationCredential};
use crate::catalog::Catalog;
use crate::oauth::OauthToken;
use crate::roles::RoleRef;
use crate::trusts::Trust;

/// What a token rests on, as far as it shows.
pub struct Proof<'a> {
    pub password_expires_at: Option<i64>,
    pub roles: &'a [RoleRef],
    pub credential: Option<&'a ApplicationCredential>,
    pub access_rules: Option<&'a [AccessRule]>,
    pub trust: Option<&'a Trust>,
    pub access_token: Option<&'a OauthToken>,
}

/// `{"token": {..` without the closing braces, so that a catalog may follow.
pub fn body(auth: &Auth, claims: &Claims, proof: &Proof<'_>) -> String {
    let mut token = json!({
        "methods": claims.methods.names(),
        "user": {
            "domain": {"id": auth.user.domain.id, "name": auth.user.domain.name},
            "id": auth.user.id,
            "name": auth.user.name,
            "password_expires_at": proof.password_expires_at.map(base::time::micros_naive),
        },
        "audit_ids": audit_ids(claims),
        "expires_at": base::time::micros_z(claims.expires_at),
        "issued_at": base::time::micros_z(claims.issued_at),
    });
    match &auth.scope {
        Scope::Unscoped => {}
        Scope::System => token["system"] = json!({"all": true}),
        Scope::Domain(domain) => token["domain"] = json!({"id": domain.id, "name": domain.name}),
        Scope::Project(project) => {
            token["project"] = json!({
                "domain": {"id": project.domain.id, "name": project.domain.name},
                "id": project.id,
                "name": project.name,
            });
            token["is_domain"] = Value::Bool(false);
        }
    }
    if auth.scope != Scope::Unscoped {
        token["roles"] = proof.roles.iter().map(|r| json!({"id": r.id, "name": r.name})).collect();
    }
    if let Some(credential) = proof.credential {
        token["application_credential"] = json!({
            "id": credential.id,
            "name": credential.name,
            "restricted": !credential.unrestricted,
        });
        if let Some(rules) = proof.access_rules {
            token["application_credential"]["access_rules"] =
                rules.iter().map(application_credentials::view::access_rule_brief).collect();
        }
    }
    if let Some(trust) = proof.trust {
        token["OS-TRUST:trust"] = json!({
            "id": trust.id,
            "trustor_user": {"id": trust.trustor_user_id},
            "trustee_user": {"id": trust.trustee_user_id},
            "impersonation": trust.impersonation,
        });
    }
    if let Some(access) = proof.access_token {
        token["OS-OAUTH1"] = json!({"access_token_id": access.id, "consumer_id": access.consumer_id});
    }
    let mut text = json!({"token": token}).to_string();
    text.truncate(text.len() - 2);
    text
}

fn audit_ids(claims: &Claims) -> Vec<String> {
    std::iter::once(&claims.audit_id).chain(&claims.parent_audit_id).map(revocation::audit_text).collect()
}

impl Session {
    /// The whole answer. Unscoped tokens have no catalog.
    pub(super) fn json(&self, catalog: Option<&Catalog>) -> String {
        let mut text = String::with_capacity(self.body.len() + 4096);
        text.push_str(&self.body);
        if let Some(catalog) = catalog.filter(|_| self.auth.scope != Scope::Unscoped) {
            text.push_str(",\"catalog\":");
            text.push_str(&catalog.text(&self.auth));
        }
        text.push_str("}}");
        text
    }
}
