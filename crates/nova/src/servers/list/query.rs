//! The query string of a list of servers.

use base::{Ctx, Error};
use regex::Regex;
use serde_json::json;
use web::Params;

use super::keys;
use crate::servers::{TaskState, VmState, policy, rules};

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

    fn matching(&mut self, key: &str, text: &str) -> base::Result<()> {
        self.patterns.push((key.to_owned(), pattern(key, text)?));
        Ok(())
    }

    /// Whose servers.
    fn scope(&mut self, ctx: &Ctx, params: &Params) -> base::Result<()> {
        let all_projects = match params.get("all_tenants") {
            None => false,
            Some(text) => truth("all_tenants", text)?,
        };
        if !all_projects {
            self.exact("project_id", ctx.require_project()?);
            return Ok(());
        }
        ctx.authorize(&policy::LIST_ALL, None)?;
        if let Some(project) = params.get("project_id").or_else(|| params.get("tenant_id")) {
            self.exact("project_id", project);
        }
        Ok(())
    }

    fn filter(&mut self, key: &str, text: &str) -> base::Result<()> {
        match key {
            "name"
            | "display_name"
            | "description"
            | "display_description"
            | "hostname"
            | "key_name"
            | "launched_at"
            | "terminated_at"
            | "created_at"
            | "access_ip_v4"
            | "access_ip_v6"
            | "locked_by"
            | "availability_zone"
            | "power_state"
            | "progress"
            | "root_device_name"
            | "auto_disk_config" => self.matching(key, text)?,
            "flavor" | "launch_index" | "kernel_id" | "ramdisk_id" => {
                self.matching(key, &format!("^{}$", regex::escape(text)))?;
            }
            "config_drive" => self.matching(key, if truth(key, text)? { "^True$" } else { "^$" })?,
            "ip" | "ip6" => self.addresses.push(pattern(key, &format!("^(?:{text})"))?),
            "image" | "image_ref" => self.exact("image_id", text),
            "reservation_id" => self.exact("reservation_id", text),
            "host" | "node" => self.exact("host", text),
            "uuid" => self.exact("id", text),
            "user_id" => self.exact("user_id", text),
            "vm_state" => self.exact("vm_state", &text.to_ascii_lowercase()),
            "task_state" => self.exact("task_state", text),
            "tags" | "tags-any" | "not-tags" | "not-tags-any" => {
                let filter = match key {
                    "tags" => TagFilter::All,
                    "tags-any" => TagFilter::Any,
                    "not-tags" => TagFilter::NotAll,
                    _ => TagFilter::NotAny,
                };
                self.tags.push((filter, text.split(',').map(str::to_owned).collect()));
            }
            "locked" => {
                let word = if truth(key, text)? { "IS NOT" } else { "IS" };
                self.conditions.push(format!("locked_by {word} NULL"));
            }
            "changes-since" => self.since = Some(instant(key, text)?),
            "changes-before" => self.until = Some(instant(key, text)?),
            _ => {}
        }
        Ok(())
    }

    /// Whoever asks for changes wants to hear of deletions too.
    fn living(&mut self, deleted: Option<bool>, softly_deleted: Option<bool>) {
        match deleted {
            Some(true) if softly_deleted == Some(false) => {
                self.conditions.push("deleted_at IS NOT NULL".into());
            }
            Some(true) => {
                self.conditions.push("(deleted_at IS NOT NULL OR soft_deleted_at IS NOT NULL)".into());
            }
            None if self.since.is_some() || self.until.is_some() => {}
            _ => {
                self.conditions.push("deleted_at IS NULL".into());
                if softly_deleted != Some(true) {
                    self.conditions.push("soft_deleted_at IS NULL".into());
                }
            }
        }
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

pub(super) fn parse(ctx: &Ctx, params: &Params) -> base::Result<Query> {
    keys::check(ctx, params)?;
    let mut query = Query::default();
    query.scope(ctx, params)?;
    let (mut deleted, mut softly_deleted) = (None, None);
    for (key, text) in params.pairs().iter().filter(|(key, _)| keys::is_filter(ctx, key)) {
        match key.as_str() {
            "deleted" => deleted = Some(truth(key, text).unwrap_or(false)),
            "soft_deleted" => softly_deleted = Some(truth(key, text).unwrap_or(false)),
            _ => query.filter(key, text)?,
        }
    }
    if let (Some(since), Some(until)) = (query.since, query.until)
        && until < since
    {
        return Err(Error::bad_request(
            "The value of changes-since must be less than or equal to changes-before.",
        ));
    }
    let statuses: Vec<String> = params.all("status").map(str::to_ascii_uppercase).collect();
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
    query.living(deleted, softly_deleted);
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
        let ignored = keys::IGNORED_SORT_KEYS.contains(&key) && !ctx.at_least(2, 75);
        if !ignored {
            crate::query::one_of("sort_key", key, keys::SORT_KEYS)?;
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
