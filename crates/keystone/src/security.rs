//! Rules for passwords and for logging in with them: Keystone's `[security_compliance]`, with its defaults, which demand
//! nothing.

use std::time::Duration;

use base::Error;
use fancy_regex::Regex;
use serde_json::{Map, Value, json};

use crate::users::User;

#[derive(Debug, Clone)]
pub struct Security {
    /// So many wrong passwords lock a user out. None: never.
    pub lockout_failure_attempts: Option<u32>,
    /// For how long.
    pub lockout_duration: Duration,
    /// How long a new password is good. None: for ever.
    pub password_expires_days: Option<u32>,
    /// A new password must differ from so many before it.
    pub unique_last_password_count: u32,
    /// How long a password is kept before its user may change it again.
    pub minimum_password_age_days: u32,
    /// What a password must look like; look-ahead may be used.
    pub password_regex: Option<String>,
    /// The same in words, for people.
    pub password_regex_description: Option<String>,
    /// A password that an admin set is good for choosing another, and for nothing else.
    pub change_password_upon_first_use: bool,
}

impl Default for Security {
    fn default() -> Self {
        Security {
            lockout_failure_attempts: None,
            lockout_duration: Duration::from_secs(1800),
            password_expires_days: None,
            unique_last_password_count: 0,
            minimum_password_age_days: 0,
            password_regex: None,
            password_regex_description: None,
            change_password_upon_first_use: false,
        }
    }
}

const DAY_MICROS: i64 = 86_400 * 1_000_000;

fn ignores(user: &User, option: &str) -> bool {
    user.options.get(option) == Some(&Value::Bool(true))
}

impl Security {
    /// Refuses a pattern that cannot be read, so that it is told at the start and not to a user.
    pub fn check(&self) -> Result<(), Error> {
        match &self.password_regex {
            None => Ok(()),
            Some(pattern) => Regex::new(pattern).map(|_| ()).map_err(Error::internal),
        }
    }

    /// `password_regex` and `password_regex_description`, which everybody may read.
    pub fn password_rule(&self) -> Map<String, Value> {
        Map::from_iter([
            ("password_regex".to_owned(), json!(self.password_regex)),
            ("password_regex_description".to_owned(), json!(self.password_regex_description)),
        ])
    }

    pub fn check_strength(&self, password: &str) -> Result<(), Error> {
        let Some(pattern) = &self.password_regex else { return Ok(()) };
        // A pattern that takes too long on this password counts as one that it does not fit.
        let fits = Regex::new(pattern).map_err(Error::internal)?.is_match(password).unwrap_or(false);
        if fits {
            return Ok(());
        }
        let detail = self.password_regex_description.as_deref().unwrap_or(pattern);
        Err(Error::bad_request(format!("The password does not match the requirements: {detail}.")))
    }

    /// How many passwords of each user are remembered.
    pub fn history(&self) -> u32 {
        self.unique_last_password_count
    }

    pub fn reused(&self) -> Error {
        Error::bad_request(format!(
            "The new password cannot be identical to a previous password. The total number which includes the new \
             password must be unique is {}.",
            self.unique_last_password_count
        ))
    }

    pub fn check_age(&self, changed_at: Option<i64>, now: i64) -> Result<(), Error> {
        let minimum = i64::from(self.minimum_password_age_days) * DAY_MICROS;
        let Some(left) = changed_at.map(|at| at + minimum - now).filter(|left| *left > 0 && minimum > 0)
        else {
            return Ok(());
        };
        Err(Error::bad_request(format!(
            "You cannot change your password at this time due to the minimum password age. Once you change your \
             password, it must be used for {} day(s) before it can be changed. Please try again in {} day(s) or \
             contact your administrator to reset your password.",
            self.minimum_password_age_days,
            left / DAY_MICROS
        )))
    }

    /// When a password set now ends.
    pub fn expiry(&self, user: &User, by_admin: bool, now: i64) -> Option<i64> {
        let first_use = by_admin
            && self.change_password_upon_first_use
            && !ignores(user, "ignore_change_password_upon_first_use");
        if first_use {
            return Some(now);
        }
        let days = self.password_expires_days.filter(|_| !ignores(user, "ignore_password_expiry"))?;
        Some(now + i64::from(days) * DAY_MICROS)
    }

    fn attempts(&self, user: &User) -> Option<i64> {
        self.lockout_failure_attempts
            .filter(|_| !ignores(user, "ignore_lockout_failure_attempts"))
            .map(i64::from)
    }

    /// Are this user's wrong passwords counted?
    pub fn counts_failures(&self, user: &User) -> bool {
        self.attempts(user).is_some()
    }

    pub fn is_locked(&self, user: &User, now: i64) -> bool {
        let Some(attempts) = self.attempts(user) else { return false };
        let duration = i64::try_from(self.lockout_duration.as_micros()).unwrap_or(i64::MAX / 4);
        user.failed_logins >= attempts
            && user.failed_login_at.is_some_and(|at| now < at.saturating_add(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(options: Value) -> User {
        User {
            id: "u".into(),
            name: "u".into(),
            domain_id: "d".into(),
            default_project_id: None,
            enabled: true,
            password_hash: None,
            password_changed_at: None,
            password_expires_at: None,
            failed_logins: 2,
            failed_login_at: Some(100),
            options: serde_json::from_value(options).unwrap(),
            extra: Map::new(),
        }
    }

    #[test]
    fn nothing_is_demanded_by_default() {
        let none = Security::default();
        assert!(
            none.check().is_ok() && none.check_strength("x").is_ok() && none.check_age(Some(0), 1).is_ok()
        );
        assert_eq!(none.expiry(&user(json!({})), true, 0), None);
        assert!(!none.is_locked(&user(json!({})), 0) && !none.counts_failures(&user(json!({}))));
    }

    #[test]
    fn strength_by_a_pattern_that_looks_ahead() {
        let pattern = r"^(?=.*\d)(?=.*[a-zA-Z]).{7,}$";
        let rule = Security { password_regex: Some(pattern.into()), ..Security::default() };
        assert!(rule.check().is_ok() && rule.check_strength("letters1").is_ok());
        assert!(rule.check_strength("letters").is_err() && rule.check_strength("a1").is_err());
        assert!(Security { password_regex: Some("(".into()), ..Security::default() }.check().is_err());
    }

    #[test]
    fn users_are_locked_out_for_a_while() {
        let strict = Security {
            lockout_failure_attempts: Some(2),
            lockout_duration: Duration::from_micros(50),
            ..Security::default()
        };
        assert!(strict.is_locked(&user(json!({})), 149));
        assert!(!strict.is_locked(&user(json!({})), 150));
        assert!(!strict.is_locked(&user(json!({"ignore_lockout_failure_attempts": true})), 149));
        assert!(!strict.is_locked(&User { failed_logins: 1, ..user(json!({})) }, 149));
    }

    #[test]
    fn passwords_end_and_have_an_age() {
        let strict = Security {
            password_expires_days: Some(2),
            minimum_password_age_days: 1,
            change_password_upon_first_use: true,
            ..Security::default()
        };
        assert_eq!(strict.expiry(&user(json!({})), false, 0), Some(2 * DAY_MICROS));
        assert_eq!(strict.expiry(&user(json!({})), true, 7), Some(7));
        let free = json!({"ignore_password_expiry": true, "ignore_change_password_upon_first_use": true});
        assert_eq!(strict.expiry(&user(free), true, 7), None);
        assert!(strict.check_age(Some(0), DAY_MICROS - 1).is_err());
        assert!(strict.check_age(Some(0), DAY_MICROS).is_ok());
    }
}
