//! Application credentials as JSON.

use serde_json::{Value, json};
use web::Origin;

use super::{AccessRule, ApplicationCredential};
use crate::listing::url;
use crate::roles::rules::RoleBook;

/// Without links, as in a token and inside a credential.
pub fn access_rule_brief(rule: &AccessRule) -> Value {
    json!({"id": rule.id, "service": rule.service, "path": rule.path, "method": rule.method})
}

pub fn access_rule(rule: &AccessRule, user_id: &str, origin: &Origin) -> Value {
    let mut view = access_rule_brief(rule);
    view["links"] = json!({"self": url(origin, &format!("users/{user_id}/access_rules/{}", rule.id))});
    view
}

pub fn application_credential(
    credential: &ApplicationCredential,
    roles: &RoleBook,
    access_rules: &[AccessRule],
    origin: &Origin,
) -> Value {
    let roles: Vec<Value> = credential
        .role_ids
        .iter()
        .filter_map(|id| roles.get(id))
        .map(|r| {
            let domain = (!r.domain_id.is_empty()).then_some(&r.domain_id);
            json!({"id": r.id, "name": r.name, "domain_id": domain})
        })
        .collect();
    let path = format!("users/{}/application_credentials/{}", credential.user_id, credential.id);
    let mut view = json!({
        "id": credential.id,
        "name": credential.name,
        "description": credential.description,
        "user_id": credential.user_id,
        "project_id": credential.project_id,
        "system": null,
        "expires_at": credential.expires_at.map(base::time::micros_naive),
        "unrestricted": credential.unrestricted,
        "roles": roles,
        "links": {"self": url(origin, &path)},
    });
    if !credential.access_rule_ids.is_empty() {
        view["access_rules"] = credential
            .access_rule_ids
            .iter()
            .filter_map(|id| access_rules.iter().find(|r| r.id == *id))
            .map(access_rule_brief)
            .collect();
    }
    view
}
