//! Quotas: how much a project (or one user in it) may have. A limit is looked for from the narrowest scope to the
//! widest: user in project, project, the class `default`, Nova's own default. -1 is "any number".

pub(crate) mod api;
mod limits_api;
mod store;

use base::{Error, Policy, Result, Rule};

pub(crate) use limits_api::show as show_limits;
pub(crate) use store::{limits, limits_for_user, usage};

/// (resource, default, last microversion that shows it)
pub(crate) const RESOURCES: &[(&str, i64, u16)] = &[
    ("instances", 10, u16::MAX),
    ("cores", 20, u16::MAX),
    ("ram", 51200, u16::MAX),
    ("floating_ips", -1, 35),
    ("fixed_ips", -1, 35),
    ("metadata_items", 128, u16::MAX),
    ("injected_files", 5, 56),
    ("injected_file_content_bytes", 10240, 56),
    ("injected_file_path_bytes", 255, 56),
    ("security_groups", -1, 35),
    ("security_group_rules", -1, 35),
    ("key_pairs", 100, u16::MAX),
    ("server_groups", 10, u16::MAX),
    ("server_group_members", 10, u16::MAX),
];

/// One value for each of [`RESOURCES`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits(Vec<i64>);

impl Limits {
    pub fn of(&self, resource: &str) -> i64 {
        RESOURCES.iter().position(|r| r.0 == resource).map_or(-1, |i| self.0[i])
    }

    fn set(&mut self, resource: &str, limit: i64) {
        if let Some(i) = RESOURCES.iter().position(|r| r.0 == resource) {
            self.0[i] = limit;
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits(RESOURCES.iter().map(|r| r.1).collect())
    }
}

/// What living servers take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub instances: i64,
    pub cores: i64,
    pub ram: i64,
}

/// 403 in Nova's words when `more` does not fit on top of `used`.
pub(crate) fn check(limits: &Limits, used: Usage, more: Usage) -> Result<()> {
    let rows = [
        ("cores", used.cores, more.cores),
        ("instances", used.instances, more.instances),
        ("ram", used.ram, more.ram),
    ];
    let over: Vec<_> = rows
        .iter()
        .filter(|(name, used, more)| {
            let limit = limits.of(name);
            *more > 0 && limit >= 0 && used + more > limit
        })
        .collect();
    if over.is_empty() {
        return Ok(());
    }
    let join = |f: &dyn Fn(&(&str, i64, i64)) -> String| {
        over.iter().map(|row| f(row)).collect::<Vec<_>>().join(", ")
    };
    let names = join(&|r| r.0.to_owned());
    Err(Error::forbidden(format!(
        "Quota exceeded for {names}: Requested {}, but already used {} of {} {names}",
        join(&|r| r.2.to_string()),
        join(&|r| r.1.to_string()),
        join(&|r| limits.of(r.0).to_string()),
    )))
}

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const SHOW: Policy = Policy::new("os_compute_api:os-quota-sets:show", Rule::ProjectReader);
    pub const DETAIL: Policy = Policy::new("os_compute_api:os-quota-sets:detail", Rule::ProjectReader);
    pub const DEFAULTS: Policy = Policy::new("os_compute_api:os-quota-sets:defaults", Rule::Authenticated);
    pub const UPDATE: Policy = Policy::new("os_compute_api:os-quota-sets:update", Rule::Admin);
    pub const DELETE: Policy = Policy::new("os_compute_api:os-quota-sets:delete", Rule::Admin);
    pub const CLASS_SHOW: Policy = Policy::new("os_compute_api:os-quota-class-sets:show", Rule::Admin);
    pub const CLASS_UPDATE: Policy = Policy::new("os_compute_api:os-quota-class-sets:update", Rule::Admin);
    pub const LIMITS: Policy = Policy::new("os_compute_api:limits", Rule::Authenticated);
    pub const LIMITS_OTHER: Policy = Policy::new("os_compute_api:limits:other_project", Rule::Admin);
}
