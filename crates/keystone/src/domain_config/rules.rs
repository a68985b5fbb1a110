//! Who may see and change a domain's settings, and what they may be.

use base::Error;
use serde_json::{Map, Value};

use super::DomainOption;
use super::options::{GROUPS, SENSITIVE, defaults};
use crate::access::{Policy, Who};

const READERS: &[Who] = &[Who::Admin, Who::SystemReader];
const ADMIN: &[Who] = &[Who::Admin];

pub static GET: Policy = Policy::of_cloud("identity:get_domain_config", READERS);
/// What passwords must be: whoever chooses one has to know.
pub static GET_SECURITY: Policy =
    Policy::new("identity:get_security_compliance_domain_config", &[Who::Anyone]);
pub static GET_DEFAULT: Policy = Policy::of_cloud("identity:get_domain_config_default", READERS);
pub static CREATE: Policy = Policy::of_cloud("identity:create_domain_config", ADMIN);
pub static UPDATE: Policy = Policy::of_cloud("identity:update_domain_config", ADMIN);
pub static DELETE: Policy = Policy::of_cloud("identity:delete_domain_config", ADMIN);

/// The settings that a request is about: all, a group, or an option in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    pub group: Option<&'a str>,
    pub option: Option<&'a str>,
}

impl Part<'_> {
    pub const ALL: Part<'static> = Part { group: None, option: None };

    pub fn holds(&self, option: &DomainOption) -> bool {
        self.group.is_none_or(|g| g == option.group) && self.option.is_none_or(|o| o == option.name)
    }

    /// 403 for what no domain may have.
    pub fn check(&self) -> Result<(), Error> {
        match (self.group, self.option) {
            (None, _) => Ok(()),
            (Some(group), None) => check_group(group),
            (Some(group), Some(option)) => check_option(group, option),
        }
    }

    pub fn missing(&self, domain_id: &str) -> Error {
        let what = match (self.group, self.option) {
            (Some(group), Some(option)) => format!("option {option} in group {group}"),
            (Some(group), None) => format!("group {group}"),
            _ => "any options".to_owned(),
        };
        Error::not_found(format!("Could not find {what} in domain configuration for domain {domain_id}."))
    }
}

pub fn invalid(reason: impl std::fmt::Display) -> Error {
    Error::forbidden(format!("Invalid domain specific configuration: {reason}."))
}

fn check_group(group: &str) -> Result<(), Error> {
    if GROUPS.contains(&group) {
        Ok(())
    } else {
        Err(invalid(format!("Group {group} is not supported for domain specific configurations")))
    }
}

fn check_option(group: &str, option: &str) -> Result<(), Error> {
    check_group(group)?;
    if defaults(group).contains_key(option) || (group, option) == SENSITIVE {
        Ok(())
    } else {
        Err(invalid(format!(
            "Option {option} in group {group} is not supported for domain specific configurations"
        )))
    }
}

/// The options in a request's `config`.
pub fn options(config: Map<String, Value>) -> Result<Vec<DomainOption>, Error> {
    if config.is_empty() {
        return Err(invalid("No options specified"));
    }
    let mut found = Vec::new();
    for (group, values) in config {
        let values = match values {
            Value::Object(map) if !map.is_empty() => map,
            _ => {
                return Err(invalid(format!(
                    "The value of group {group} specified in the config should be a dictionary of options"
                )));
            }
        };
        for (name, value) in values {
            check_option(&group, &name)?;
            let sensitive = (group.as_str(), name.as_str()) == SENSITIVE;
            found.push(DomainOption { group: group.clone(), name, sensitive, value });
        }
    }
    Ok(found)
}

/// A PATCH of a part must hold that part and nothing else.
pub fn check_patch(part: Part<'_>, options: &[DomainOption]) -> Result<(), Error> {
    part.check()?;
    if let Some(stranger) = options.iter().find(|o| !part.holds(o)) {
        return Err(invalid(match (part.group, part.option) {
            (Some(group), Some(option)) => format!(
                "Trying to update option {option} in group {group}, so that, and only that, option must be \
                 specified in the config"
            ),
            (group, _) => format!(
                "request to update group {}, but config provided contains group {} instead",
                group.unwrap_or_default(),
                stranger.group
            ),
        }));
    }
    Ok(())
}

/// Groups of options, or the one option that was asked for.
pub fn shown(options: &[DomainOption], part: Part<'_>) -> Map<String, Value> {
    let mut config = Map::new();
    for option in options.iter().filter(|o| !o.sensitive && part.holds(o)) {
        if part.option.is_some() {
            config.insert(option.name.clone(), option.value.clone());
        } else {
            let group = config.entry(option.group.clone()).or_insert_with(|| Value::Object(Map::new()));
            group[option.name.as_str()] = option.value.clone();
        }
    }
    config
}

/// What holds for domains without settings of their own.
pub fn default_options() -> Vec<DomainOption> {
    let of = |group: &str| {
        let group = group.to_owned();
        defaults(&group).into_iter().map(move |(name, value)| DomainOption {
            group: group.clone(),
            name,
            sensitive: false,
            value,
        })
    };
    GROUPS.iter().flat_map(|group| of(group)).collect()
}
