//! Who may have application credentials, and what their access rules let through.

use base::Error;
use serde_json::Value;

use super::AccessRule;
use crate::access::{Policy, Who};
use crate::errors::forbidden_action;
use crate::roles::RoleRef;
use crate::schema::{Fields, invalid, wrong_type};
use crate::tokens::Session;

const READERS: &[Who] = &[Who::Admin, Who::SystemReader, Who::Owner];
const RULE_READERS: &[Who] = &[Who::SystemReader, Who::Owner];
const OWNERS: &[Who] = &[Who::Admin, Who::Owner];

pub static LIST: Policy = Policy::of_cloud("identity:list_application_credentials", READERS);
pub static GET: Policy = Policy::of_cloud("identity:get_application_credential", READERS);
/// Nobody makes one for somebody else: it would act in their name.
pub static CREATE: Policy = Policy::of_project("identity:create_application_credential", &[Who::Owner]);
pub static DELETE: Policy = Policy::of_cloud("identity:delete_application_credential", OWNERS);
pub static LIST_RULES: Policy = Policy::of_cloud("identity:list_access_rules", RULE_READERS);
pub static GET_RULE: Policy = Policy::of_cloud("identity:get_access_rule", RULE_READERS);
pub static DELETE_RULE: Policy =
    Policy::of_cloud("identity:delete_access_rule", &[Who::SystemAdmin, Who::Owner]);

const METHODS: [&str; 6] = ["POST", "GET", "HEAD", "PATCH", "PUT", "DELETE"];

/// Whoever came by a restricted application credential could otherwise make an unrestricted one.
pub fn check_unrestricted(session: &Session, policy: &Policy) -> Result<(), Error> {
    if session.restricted { Err(forbidden_action(policy.route.name)) } else { Ok(()) }
}

/// What a trustee or an OAuth consumer made would outlive what they were given.
pub fn check_not_delegated(session: &Session) -> Result<(), Error> {
    if session.claims.trust_id.is_some() || session.claims.access_token_id.is_some() {
        return Err(Error::forbidden(
            "Cannot manage application credentials with a token issued via delegation.",
        ));
    }
    Ok(())
}

/// The roles asked for, by id or name, must be among those that the caller has on the project.
pub fn pick_roles(asked: &[Value], held: &[RoleRef]) -> Result<Vec<String>, Error> {
    let mut ids = Vec::new();
    for role in asked {
        let (Some(map), key) = (role.as_object(), ["id", "name"]) else {
            return Err(wrong_type("roles", role, "'object'"));
        };
        let [id, name] = key.map(|k| map.get(k).and_then(Value::as_str));
        let found = held.iter().find(|h| match (id, name) {
            (Some(id), _) => h.id == id,
            (None, Some(name)) => h.name == name,
            (None, None) => false,
        });
        let Some(found) = found else {
            let asked = id.or(name).ok_or_else(|| invalid("roles", "each role needs an id or a name"))?;
            return Err(Error::bad_request(format!(
                "Invalid application credential: Could not find role assignment with role: {asked}"
            )));
        };
        if !ids.contains(&found.id) {
            ids.push(found.id.clone());
        }
    }
    Ok(ids)
}

/// `{"id": ..}` of an existing rule, or a new one.
pub enum RuleSpec {
    Existing(String),
    New { service: String, path: String, method: String },
}

pub fn parse_rule(value: Value) -> Result<RuleSpec, Error> {
    let Value::Object(map) = value else { return Err(wrong_type("access_rules", &value, "'object'")) };
    let mut fields = Fields::of(serde_json::json!({"access_rule": map}), "access_rule")?;
    if let Some(id) = fields.id("id")? {
        return Ok(RuleSpec::Existing(id));
    }
    let service = fields.name("service", 64)?.ok_or_else(|| Fields::required("service"))?;
    let path = fields.name("path", 128)?.ok_or_else(|| Fields::required("path"))?;
    let method = fields.text("method")?.ok_or_else(|| Fields::required("method"))?;
    fields.nothing_else()?;
    if !METHODS.contains(&method.as_str()) {
        return Err(invalid("method", format!("'{method}' is not one of {METHODS:?}")));
    }
    Ok(RuleSpec::New { service, path, method })
}

/// Block storage has several types in catalogs, and one more name in version headers.
fn names(given: &str, service: &str) -> bool {
    given == service || service == "volume" && ["block-storage", "volumev3"].contains(&given)
}

/// May a call be made with these rules?
pub fn permits(rules: &[AccessRule], service: &str, method: &str, path: &str) -> bool {
    rules
        .iter()
        .any(|rule| names(&rule.service, service) && rule.method == method && matches_path(&rule.path, path))
}

fn matches_path(pattern: &str, path: &str) -> bool {
    let segments =
        |text: &str| -> Vec<String> { text.trim_matches('/').split('/').map(Into::into).collect() };
    fn matches(pattern: &[String], path: &[String]) -> bool {
        match pattern.split_first() {
            None => path.is_empty(),
            Some((head, rest)) if head == "**" => (0..=path.len()).any(|n| matches(rest, &path[n..])),
            Some((head, rest)) => path.split_first().is_some_and(|(first, tail)| {
                let any = head == "*" || (head.starts_with('{') && head.ends_with('}'));
                (any || head == first) && matches(rest, tail)
            }),
        }
    }
    matches(&segments(pattern), &segments(path))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_match_as_in_the_middleware() {
        for (pattern, path, wanted) in [
            ("/v2.1/servers", "/v2.1/servers", true),
            ("/v2.1/servers", "/v2.1/servers/1", false),
            ("/v2.1/servers/*", "/v2.1/servers/1", true),
            ("/v2.1/servers/*", "/v2.1/servers/1/action", false),
            ("/v2.1/servers/{server_id}/action", "/v2.1/servers/1/action", true),
            ("/v2.1/**", "/v2.1/servers/1/action", true),
            ("/v2.1/**", "/v2/servers", false),
            ("**", "/anything/at/all", true),
        ] {
            assert_eq!(matches_path(pattern, path), wanted, "{pattern} {path}");
        }
    }

    #[test]
    fn roles_must_be_held() {
        let held = [RoleRef { id: "1".into(), name: "member".into() }];
        assert_eq!(pick_roles(&[json!({"name": "member"}), json!({"id": "1"})], &held).unwrap(), ["1"]);
        assert!(pick_roles(&[json!({"name": "admin"})], &held).is_err());
        assert!(pick_roles(&[json!({})], &held).is_err());
        assert!(pick_roles(&[json!("member")], &held).is_err());
    }
}
