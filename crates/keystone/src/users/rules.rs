//! Who may manage users.

use base::{Error, Policy as Route, Rule};
use serde_json::{Map, Value};

use super::User;
use crate::access::{Policy, Target, Who};
use crate::schema::wrong_type;

const READERS: &[Who] = &[Who::Admin, Who::SystemReader, Who::DomainReader];
const MANAGERS: &[Who] = &[Who::Admin, Who::DomainManager];

pub static LIST: Policy = Policy::new("identity:list_users", READERS);
pub static GET: Policy =
    Policy::new("identity:get_user", &[Who::Admin, Who::SystemReader, Who::DomainReader, Who::Owner]);
pub static CREATE: Policy = Policy::new("identity:create_user", MANAGERS);
pub static UPDATE: Policy = Policy::new("identity:update_user", MANAGERS);
pub static DELETE: Policy = Policy::new("identity:delete_user", MANAGERS);
/// The old password is the proof.
pub static CHANGE_PASSWORD: Route = Route::new("identity:change_password", Rule::Public);

pub fn target(user: &User) -> Target<'_> {
    Target { domain: Some(&user.domain_id), user: Some(&user.id), ..Target::default() }
}

const FLAGS: &[&str] = &[
    "ignore_change_password_upon_first_use",
    "ignore_password_expiry",
    "ignore_lockout_failure_attempts",
    "lock_password",
    "ignore_user_inactivity",
    "multi_factor_auth_enabled",
];

/// The options that users may have; null removes one.
pub fn check_options(options: &Map<String, Value>) -> Result<(), Error> {
    for (key, value) in options {
        match value {
            Value::Null => {}
            Value::Bool(_) if FLAGS.contains(&key.as_str()) => {}
            Value::Array(rules) if key == "multi_factor_auth_rules" => {
                for rule in rules {
                    let good =
                        rule.as_array().is_some_and(|r| !r.is_empty() && r.iter().all(Value::is_string));
                    if !good {
                        return Err(wrong_type("options/multi_factor_auth_rules", rule, "'array'"));
                    }
                }
            }
            other if FLAGS.contains(&key.as_str()) => {
                return Err(wrong_type(&format!("options/{key}"), other, "'boolean', 'null'"));
            }
            other if key == "multi_factor_auth_rules" => {
                return Err(wrong_type("options/multi_factor_auth_rules", other, "'array', 'null'"));
            }
            _ => {
                return Err(Error::bad_request(format!(
                    "Invalid input for field 'options': Additional properties are not allowed ('{key}' was unexpected)"
                )));
            }
        }
    }
    Ok(())
}

/// Lays a PATCH's options over the stored ones; null removes.
pub fn merge_options(stored: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, value) in patch {
        if value.is_null() {
            stored.shift_remove(key);
        } else {
            stored.insert(key.clone(), value.clone());
        }
    }
}

/// `password_expires_at=lt:2026-01-31T12:00:00Z` of a list request: None when it is not of that form.
pub fn expires_filter(text: &str) -> Option<Result<(Comparison, i64), Error>> {
    let (operator, instant) = text.split_once(':')?;
    let comparison: Comparison = match operator {
        "lt" => |o| o.is_lt(),
        "lte" => |o| o.is_le(),
        "gt" => |o| o.is_gt(),
        "gte" => |o| o.is_ge(),
        "eq" => |o| o.is_eq(),
        "neq" => |o| o.is_ne(),
        _ => {
            return Some(Err(Error::bad_request(format!(
                "The given operator {operator} is not valid. It must be one of the following: 'eq', 'neq', 'lt', \
                 'lte', 'gt', or 'gte'."
            ))));
        }
    };
    let instant = base::time::parse(instant).ok_or_else(|| {
        Error::bad_request(
            "Timestamp not in expected format. The server could not comply with the request since it is either \
             malformed or otherwise incorrect. The client is assumed to be in error.",
        )
    });
    Some(instant.map(|at| (comparison, at)))
}

pub type Comparison = fn(std::cmp::Ordering) -> bool;

/// Do these methods suffice for the user? Without rules any does; else all methods of one rule are needed.
pub fn methods_suffice(user: &User, methods: &[&str]) -> bool {
    if user.options.get("multi_factor_auth_enabled") == Some(&Value::Bool(false)) {
        return true;
    }
    let Some(Value::Array(rules)) = user.options.get("multi_factor_auth_rules") else { return true };
    rules.is_empty()
        || rules.iter().any(|rule| {
            rule.as_array()
                .is_some_and(|r| r.iter().all(|m| m.as_str().is_some_and(|m| methods.contains(&m))))
        })
}

pub fn check_own_password_change(user: &User) -> Result<(), Error> {
    if user.options.get("lock_password") == Some(&Value::Bool(true)) {
        return Err(Error::bad_request(
            "You cannot change your password at this time due to password policy \
             disallowing password changes. Please contact your administrator to reset your password.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn user(options: &Value) -> User {
        User {
            id: "u".into(),
            name: "u".into(),
            domain_id: "d".into(),
            default_project_id: None,
            enabled: true,
            password_hash: None,
            password_changed_at: None,
            password_expires_at: None,
            failed_logins: 0,
            failed_login_at: None,
            options: options.as_object().unwrap().clone(),
            extra: Map::new(),
        }
    }

    #[test]
    fn rules_of_several_factors() {
        let strict =
            user(&json!({"multi_factor_auth_rules": [["password", "totp"], ["application_credential"]]}));
        assert!(!methods_suffice(&strict, &["password"]));
        assert!(methods_suffice(&strict, &["application_credential"]));
        assert!(methods_suffice(&user(&json!({})), &["password"]));
        let off = user(&json!({"multi_factor_auth_rules": [["totp"]], "multi_factor_auth_enabled": false}));
        assert!(methods_suffice(&off, &["password"]));
    }

    #[test]
    fn options_are_known_and_typed() {
        let check = |v: Value| check_options(v.as_object().unwrap());
        assert!(check(json!({"lock_password": true, "ignore_password_expiry": null})).is_ok());
        assert!(check(json!({"lock_password": "yes"})).is_err());
        assert!(check(json!({"multi_factor_auth_rules": [[]]})).is_err());
        assert!(check(json!({"mystery": true})).is_err());
    }
}
