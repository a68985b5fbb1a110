//! The query string of a list of servers.

use base::{Ctx, Error};
use regex::Regex;
use serde_json::json;
use web::Params;

use crate::servers::{TaskState, VmState, policy, rules};

/// Filters for everybody: (key, since).
const FOR_ALL: &[(&str, u16)] = &[
    ("reservation_id", 1),
    ("name", 1),
    ("status", 1),
    ("image", 1),
    ("flavor", 1),
    ("ip", 1),
    ("changes-since", 1),
    ("all_tenants", 1),
    ("ip6", 5),
    ("tags", 26),
    ("tags-any", 26),
    ("not-tags", 26),
    ("not-tags-any", 26),
    ("changes-before", 66),
    ("locked", 73),
    ("availability_zone", 83),
    ("config_drive", 83),
    ("key_name", 83),
    ("created_at", 83),
    ("launched_at", 83),
    ("terminated_at", 83),
    ("power_state", 83),
    ("task_state", 83),
    ("vm_state", 83),
    ("progress", 83),
    ("user_id", 83),
];

/// Further ones that only an admin's request has an effect with.
const FOR_ADMINS: &[&str] = &[
    "user_id",
    "project_id",
    "tenant_id",
    "launch_index",
    "image_ref",
    "kernel_id",
    "ramdisk_id",
    "hostname",
    "key_name",
    "power_state",
    "vm_state",
    "task_state",
    "host",
    "node",
    "launched_at",
    "terminated_at",
    "availability_zone",
    "display_name",
    "description",
    "display_description",
    "locked_by",
    "uuid",
    "root_device_name",
    "config_drive",
    "access_ip_v4",
    "access_ip_v6",
    "auto_disk_config",
    "progress",
    "soft_deleted",
    "deleted",
    "created_at",
    "ip6",
];

const PAGING: &[&str] = &["limit", "marker", "sort_key", "sort_dir", "page_size", "offset"];

/// Names of joined tables: never a filter.
const FORBIDDEN: &[&str] = &[
    "block_device_mapping",
    "services",
    "metadata",
    "system_metadata",
    "info_cache",
    "security_groups",
    "pci_devices",
];

const SORT_KEYS: &[&str] = &[
    "access_ip_v4",
    "access_ip_v6",
    "auto_disk_config",
    "availability_zone",
    "config_drive",
    "created_at",
    "display_description",
    "display_name",
    "host",
    "hostname",
    "image_ref",
    "instance_type_id",
    "kernel_id",
    "key_name",
    "launch_index",
    "launched_at",
    "locked_by",
    "node",
    "power_state",
    "progress",
    "project_id",
    "ramdisk_id",
    "root_device_name",
    "task_state",
    "terminated_at",
    "updated_at",
    "user_id",
    "uuid",
    "vm_state",
    "locked",
];

/// Sort keys of the first API: accepted and ignored until 2.75.
const IGNORED_SORT_KEYS: &[&str] = &[
    "architecture",
    "cell_name",
    "cleaned",
    "default_ephemeral_device",
    "default_swap_device",
    "deleted",
    "deleted_at",
    "disable_terminate",
    "ephemeral_gb",
    "ephemeral_key_uuid",
    "id",
    "key_data",
    "launched_on",
    "memory_mb",
    "os_type",
    "reservation_id",
    "root_gb",
    "shutdown_terminate",
    "user_data",
    "vcpus",
    "vm_mode",
];

/// What one request asks for.
#[derive(Default)]
pub(super) struct Query {
    /// SQL conditions and their values.
    pub conditions: Vec<String>,
    pub values: Vec<String>,
    pub patterns: Vec<(String, Regex)>,
    pub addresses: Vec<Regex>,
    pub tags: Vec<(TagFilter, Vec<String>)>,
    pub since: Option<i64>,
    pub until: Option<i64>,
    /// Other than by age.
    pub sort: Vec<(String, bool)>,
    pub oldest_first: bool,
}

#[derive(Clone, Copy)]
pub(super) enum TagFilter {
    All,
    Any,
    NotAll,
    NotAny,
}

impl Query {
    fn exact(&mut self, column: &str, value: &str) {
        self.values.push(value.into());
        self.conditions.push(format!("{column} = ${}", self.values.len()));
    }

    /// Nothing is left to do here: SQL may sort and cut.
    pub fn is_plain(&self) -> bool {
        self.patterns.is_empty() && self.addresses.is_empty() && self.tags.is_empty() && self.sort.is_empty()
    }
}

fn pattern(key: &str, text: &str) -> base::Result<Regex> {
    Regex::new(text)
        .map_err(|_| crate::schema::invalid(key, &json!(text), &format!("'{text}' is not a 'regex'")))
}

fn instant(key: &str, text: &str) -> base::Result<i64> {
    base::time::parse(text)
        .ok_or_else(|| crate::schema::invalid(key, &json!(text), &format!("'{text}' is not a 'date-time'")))
}

fn truth(key: &str, text: &str) -> base::Result<bool> {
    match text.to_ascii_lowercase().as_str() {
        "" | "1" | "t" | "true" | "on" | "y" | "yes" => Ok(true),
        "0" | "f" | "false" | "off" | "n" | "no" => Ok(false),
        _ => Err(Error::bad_request(format!(
            "Invalid value for {key}: Unrecognized value '{text}', acceptable values are: '0', '1', 'f', 'false', \
             'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'"
        ))),
    }
}

fn known(ctx: &Ctx, key: &str) -> bool {
    FOR_ALL.iter().any(|(name, since)| *name == key && ctx.microversion.minor >= *since)
        || FOR_ADMINS.contains(&key)
        || PAGING.contains(&key)
}

pub(super) fn parse(ctx: &Ctx, params: &Params) -> base::Result<Query> {
    let mut query = Query::default();
    for key in params.keys() {
        if FORBIDDEN.contains(&key) || key.starts_with('_') {
            return Err(Error::bad_request(format!("Invalid filter field: {key}.")));
        }
    }
    if ctx.at_least(2, 75)
        && let Some(key) = params.keys().find(|k| !known(ctx, k))
    {
        return Err(Error::bad_request(format!(
            "Additional properties are not allowed ('{key}' was unexpected)"
        )));
    }
    let allowed = |key: &str| {
        ctx.is_admin() && FOR_ADMINS.contains(&key)
            || FOR_ALL.iter().any(|(name, since)| *name == key && ctx.microversion.minor >= *since)
    };
    let all_projects = match params.get("all_tenants") {
        None => false,
        Some(text) => truth("all_tenants", text)?,
    };
    if all_projects {
        ctx.authorize(&policy::LIST_ALL, None)?;
        if let Some(project) = params.get("project_id").or_else(|| params.get("tenant_id")) {
            query.exact("project_id", project);
        }
    } else {
        query.exact("project_id", ctx.require_project()?);
    }
    let statuses: Vec<String> = params.all("status").map(str::to_ascii_uppercase).collect();
    let (mut deleted, mut softly_deleted) = (None, None);
    for (key, text) in params.pairs() {
        if !allowed(key) {
            continue;
        }
        match key.as_str() {
            "name"
            | "display_name"
            | "description"
            | "display_description"
            | "hostname"
            | "key_name"
            | "flavor"
            | "launched_at"
            | "terminated_at"
            | "created_at"
            | "access_ip_v4"
            | "access_ip_v6"
            | "locked_by"
            | "availability_zone"
            | "power_state"
            | "progress"
            | "config_drive"
            | "root_device_name"
            | "auto_disk_config" => {
                // `flavor` is an id; everything else here is searched for as a pattern.
                let pattern = if key == "flavor" {
                    pattern(key, &format!("^{}$", regex::escape(text)))?
                } else if key == "config_drive" {
                    pattern(key, if truth(key, text)? { "^True$" } else { "^$" })?
                } else {
                    pattern(key, text)?
                };
                query.patterns.push((key.clone(), pattern));
            }
            "ip" | "ip6" => query.addresses.push(pattern(key, &format!("^(?:{text})"))?),
            "image" | "image_ref" => query.exact("image_id", text),
            "reservation_id" => query.exact("reservation_id", text),
            "host" | "node" => query.exact("host", text),
            "uuid" => query.exact("id", text),
            "user_id" => query.exact("user_id", text),
            "vm_state" => query.exact("vm_state", &text.to_ascii_lowercase()),
            "task_state" => query.exact("task_state", text),
            "launch_index" | "kernel_id" | "ramdisk_id" => {
                query.patterns.push((key.clone(), pattern(key, &format!("^{}$", regex::escape(text)))?));
            }
            "tags" | "tags-any" | "not-tags" | "not-tags-any" => {
                let filter = match key.as_str() {
                    "tags" => TagFilter::All,
                    "tags-any" => TagFilter::Any,
                    "not-tags" => TagFilter::NotAll,
                    _ => TagFilter::NotAny,
                };
                query.tags.push((filter, text.split(',').map(str::to_owned).collect()));
            }
            "locked" => {
                let word = if truth(key, text)? { "IS NOT" } else { "IS" };
                query.conditions.push(format!("locked_by {word} NULL"));
            }
            "changes-since" => query.since = Some(instant(key, text)?),
            "changes-before" => query.until = Some(instant(key, text)?),
            "deleted" => deleted = Some(truth(key, text).unwrap_or(false)),
            "soft_deleted" => softly_deleted = Some(truth(key, text).unwrap_or(false)),
            _ => {}
        }
    }
    if let (Some(since), Some(until)) = (query.since, query.until)
        && until < since
    {
        return Err(Error::bad_request(
            "The value of changes-since must be less than or equal to changes-before.",
        ));
    }
    if statuses == ["DELETED"] {
        if !ctx.is_admin() {
            return Err(Error::forbidden("Only administrators may list deleted instances"));
        }
        deleted = Some(true);
    }
    if !statuses.is_empty() {
        let valid = statuses.iter().any(|s| rules::STATUSES.contains(&s.as_str()));
        if !valid && ctx.at_least(2, 38) {
            return Err(Error::bad_request("Invalid status value"));
        }
        query.conditions.push(with_status(&statuses));
    }
    // Whoever asks for changes wants to hear of deletions too.
    match deleted {
        Some(true) if softly_deleted == Some(false) => query.conditions.push("deleted_at IS NOT NULL".into()),
        Some(true) => query.conditions.push("(deleted_at IS NOT NULL OR soft_deleted_at IS NOT NULL)".into()),
        None if query.since.is_some() || query.until.is_some() => {}
        _ => {
            query.conditions.push("deleted_at IS NULL".into());
            if softly_deleted != Some(true) {
                query.conditions.push("soft_deleted_at IS NULL".into());
            }
        }
    }
    if let Some(since) = query.since {
        query.conditions.push(format!("updated_at >= {since}"));
    }
    if let Some(until) = query.until {
        query.conditions.push(format!("updated_at <= {until}"));
    }
    query.sort = sorting(ctx, params)?;
    if let [(key, descending)] = &query.sort[..]
        && key == "created_at"
    {
        query.oldest_first = !descending;
        query.sort.clear();
    }
    Ok(query)
}

/// The rows that are shown with one of these statuses, from the same table that shows them.
fn with_status(statuses: &[String]) -> String {
    let wanted = |state, task| statuses.iter().any(|s| s == rules::shown_status(state, task));
    let mut alternatives = Vec::new();
    if statuses.iter().any(|s| s == "DELETED") {
        alternatives.push("deleted_at IS NOT NULL".to_owned());
    }
    for state in VmState::ALL {
        let tasks: Vec<String> = TaskState::ALL
            .iter()
            .filter(|task| wanted(*state, Some(**task)))
            .map(|task| format!("'{}'", task.as_str()))
            .collect();
        let resting = wanted(*state, None);
        let of_task = match (resting, tasks.len()) {
            (false, 0) => continue,
            (true, n) if n == TaskState::ALL.len() => String::new(),
            (true, 0) => " AND task_state IS NULL".into(),
            (true, _) => format!(" AND (task_state IS NULL OR task_state IN ({}))", tasks.join(", ")),
            (false, _) => format!(" AND task_state IN ({})", tasks.join(", ")),
        };
        alternatives.push(format!("(deleted_at IS NULL AND vm_state = '{}'{of_task})", state.as_str()));
    }
    if alternatives.is_empty() { "1 = 0".into() } else { format!("({})", alternatives.join(" OR ")) }
}

/// (key, descending)
fn sorting(ctx: &Ctx, params: &Params) -> base::Result<Vec<(String, bool)>> {
    let directions: Vec<&str> = params.all("sort_dir").collect();
    for direction in &directions {
        crate::query::one_of("sort_dir", direction, &["asc", "desc"])?;
    }
    let mut keys = Vec::new();
    for (i, key) in params.all("sort_key").map(str::trim).enumerate() {
        let ignored = IGNORED_SORT_KEYS.contains(&key) && !ctx.at_least(2, 75);
        if !ignored {
            crate::query::one_of("sort_key", key, SORT_KEYS)?;
            if matches!(key, "host" | "node") && !ctx.is_admin() {
                return Err(Error::forbidden(format!("Only administrators can sort servers by {key}")));
            }
            // Fewer directions than keys: the first goes for the rest.
            let direction = directions.get(i).or(directions.first()).copied().unwrap_or("desc");
            keys.push((key.to_owned(), direction == "desc"));
        }
    }
    if keys.is_empty() && directions.first() == Some(&"asc") {
        keys.push(("created_at".into(), false));
    }
    Ok(keys)
}
