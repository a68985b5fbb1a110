//! The list of images: filters, sorting, pages.

use std::cmp::Ordering;

use base::page::Direction;
use base::{Ctx, Error, Page, Result};
use web::Params;

use super::{Image, Visibility, policy, rules, store};
use crate::Glance;

const MAX_PAGE: usize = 1000;
const DEFAULT_PAGE: usize = 25;

/// Exactly Glance's, which are fewer than an image's attributes.
const SORT_KEYS: [&str; 8] =
    ["name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at"];

/// A page of what `ctx` may list, and whether more may follow.
pub async fn page(glance: &Glance, ctx: &Ctx, params: &Params) -> Result<(Vec<Image>, bool)> {
    rules::in_a_project(ctx, &policy::LIST)?;
    let page = read_page(params)?;
    let filter = Filter::parse(params)?;
    let limit = page.limit.unwrap_or(DEFAULT_PAGE).min(MAX_PAGE);
    let project = if ctx.is_admin() { None } else { Some(ctx.require_project()?.to_owned()) };
    let own = ctx.project().map(|p| p.id.as_str());
    let mut conn = glance.db.read().await?;
    if params.keys().all(|key| key == "limit") {
        let images = store::first_page(&mut conn, project.as_deref(), limit).await?;
        let full = images.len() == limit && limit > 0;
        return Ok((images, full));
    }
    let rows = store::list(&mut conn, project.as_deref()).await?;
    drop(conn);
    let mut images: Vec<Image> = rows
        .into_iter()
        .filter(|(image, membership)| filter.keeps(image, membership.as_deref(), own, project.is_none()))
        .map(|(image, _)| image)
        .collect();
    images.sort_by(|a, b| {
        let keys = page.sort.iter().map(|(key, dir)| {
            let order = compare(a, b, key);
            if *dir == Direction::Descending { order.reverse() } else { order }
        });
        keys.fold(Ordering::Equal, Ordering::then)
            .then_with(|| b.created_at.cmp(&a.created_at))
            .then_with(|| b.id.cmp(&a.id))
    });
    let page = Page { limit: Some(limit), ..page };
    let unknown = || Error::bad_request(super::not_found(page.marker.as_deref().unwrap_or_default()).message);
    let (images, _) = page.cut(images, MAX_PAGE, |i| &i.id).ok_or_else(unknown)?;
    let full = images.len() == limit && limit > 0;
    Ok((images, full))
}

fn read_page(params: &Params) -> Result<Page> {
    let limit = match params.get("limit") {
        None => None,
        Some(text) => {
            let n: i64 = text.parse().map_err(|_| Error::bad_request("limit param must be an integer"))?;
            Some(usize::try_from(n).map_err(|_| Error::bad_request("limit param must be positive"))?)
        }
    };
    let mut sort = Vec::new();
    if let Some(text) = params.get("sort") {
        if params.has("sort_key") || params.has("sort_dir") {
            return Err(Error::bad_request("Old and new sorting syntax cannot be combined"));
        }
        for item in text.trim().split(',') {
            let (key, dir) = item.split_once(':').unwrap_or((item, ""));
            sort.push((sort_key(key)?, direction(if dir.trim().is_empty() { "desc" } else { dir })?));
        }
    } else {
        let keys: Vec<String> = params.all("sort_key").map(sort_key).collect::<Result<_>>()?;
        let dirs: Vec<Direction> = params.all("sort_dir").map(direction).collect::<Result<_>>()?;
        if dirs.len() > 1 && dirs.len() != keys.len() {
            return Err(Error::bad_request("Number of sort dirs does not match the number of sort keys"));
        }
        let keys = if keys.is_empty() { vec!["created_at".to_owned()] } else { keys };
        for (i, key) in keys.into_iter().enumerate() {
            let dir = dirs.get(i).or(dirs.first()).copied().unwrap_or(Direction::Descending);
            sort.push((key, dir));
        }
    }
    let marker = params.get("marker").filter(|m| !m.is_empty()).map(Into::into);
    Ok(Page { limit, marker, sort, reverse: false })
}

fn sort_key(key: &str) -> Result<String> {
    let key = key.trim();
    if SORT_KEYS.contains(&key) {
        return Ok(key.to_owned());
    }
    Err(Error::bad_request(format!(
        "Invalid sort key: {key}. It must be one of the following: {}.",
        SORT_KEYS.join(", ")
    )))
}

fn direction(text: &str) -> Result<Direction> {
    match text.trim() {
        "asc" => Ok(Direction::Ascending),
        "desc" => Ok(Direction::Descending),
        other => Err(Error::bad_request(format!("Invalid sort direction: {other}"))),
    }
}

fn compare(a: &Image, b: &Image, key: &str) -> Ordering {
    match key {
        "name" => a.name.cmp(&b.name),
        "status" => a.status.as_str().cmp(b.status.as_str()),
        "container_format" => a.container_format.cmp(&b.container_format),
        "disk_format" => a.disk_format.cmp(&b.disk_format),
        "size" => a.size.cmp(&b.size),
        "created_at" => a.created_at.cmp(&b.created_at),
        "updated_at" => a.updated_at.cmp(&b.updated_at),
        _ => a.id.cmp(&b.id),
    }
}

/// The filters of a list, parsed once.
struct Filter {
    equal: Vec<(String, Vec<String>)>,
    tags: Vec<String>,
    visibility: Option<Visibility>,
    /// `visibility=all`: other projects' community images too.
    everyone: bool,
    hidden: bool,
    protected: Option<bool>,
    size_min: Option<i64>,
    size_max: Option<i64>,
    times: Vec<Time>,
    member_status: String,
}

struct Time {
    created: bool,
    order: Ordering,
    or_equal: bool,
    not: bool,
    at: i64,
}

fn flag(name: &str, value: &str) -> Result<bool> {
    match (name, value) {
        ("os_hidden", v) if v.eq_ignore_ascii_case("true") => Ok(true),
        ("os_hidden", v) if v.eq_ignore_ascii_case("false") => Ok(false),
        (_, "true") => Ok(true),
        (_, "false") => Ok(false),
        _ => Err(Error::bad_request(format!(
            "Invalid value '{value}' for '{name}' filter. Valid values are 'true' or 'false'."
        ))),
    }
}

impl Filter {
    fn parse(params: &Params) -> Result<Self> {
        let mut filter = Filter {
            equal: Vec::new(),
            tags: params.all("tag").map(|t| t.trim().to_owned()).collect(),
            visibility: None,
            everyone: false,
            hidden: false,
            protected: None,
            size_min: None,
            size_max: None,
            times: Vec::new(),
            member_status: "accepted".into(),
        };
        for (key, value) in params.pairs() {
            match key.as_str() {
                "limit" | "marker" | "sort" | "sort_key" | "sort_dir" | "tag" => {}
                "visibility" if value == "all" => filter.everyone = true,
                "visibility" => {
                    let asked = Visibility::parse(value)
                        .ok_or_else(|| Error::bad_request(format!("Invalid visibility value: {value}")))?;
                    filter.visibility = Some(asked);
                }
                "changes-since" => {
                    return Err(Error::bad_request(
                        "The \"changes-since\" filter is no longer available on v2.",
                    ));
                }
                "os_hidden" => filter.hidden = flag(key, value)?,
                "protected" => filter.protected = Some(flag(key, value)?),
                "size_min" | "size_max" => {
                    let n = value.parse::<i64>().ok().filter(|n| *n >= 0).ok_or_else(|| {
                        Error::bad_request(format!(
                            "Invalid filter value '{value}'. The filter value is not in range specification."
                        ))
                    })?;
                    if key == "size_min" { filter.size_min = Some(n) } else { filter.size_max = Some(n) }
                }
                "member_status" => {
                    if !["pending", "accepted", "rejected", "all"].contains(&value.as_str()) {
                        return Err(Error::bad_request(format!("Invalid status: {value}")));
                    }
                    filter.member_status = value.clone();
                }
                "created_at" | "updated_at" => filter.times.push(parse_time(key == "created_at", value)?),
                "id" | "name" | "status" | "container_format" | "disk_format" => {
                    filter.equal.push((key.clone(), one_or_many(value)?));
                }
                _ => filter.equal.push((key.clone(), vec![value.clone()])),
            }
        }
        Ok(filter)
    }

    fn keeps(&self, image: &Image, membership: Option<&str>, own: Option<&str>, admin: bool) -> bool {
        let owned = own.is_some() && image.owner.as_deref() == own;
        let visible = match (self.visibility, image.visibility) {
            (Some(asked), v) if asked != v => false,
            _ if admin => true,
            (None, Visibility::Community) => owned || self.everyone,
            (_, Visibility::Shared) if !owned && membership.is_some() => {
                self.member_status == "all" || membership == Some(&self.member_status)
            }
            _ => true,
        };
        visible
            && image.hidden == self.hidden
            && self.protected.is_none_or(|p| p == image.protected)
            && self.tags.iter().all(|t| image.tags.contains(t))
            && self.size_min.is_none_or(|n| image.size.unwrap_or(0) >= n)
            && self.size_max.is_none_or(|n| image.size.unwrap_or(0) <= n)
            && self.times.iter().all(|time| time.admits(image))
            && self
                .equal
                .iter()
                .all(|(key, wanted)| attribute(image, key).is_some_and(|v| wanted.contains(&v)))
    }
}

impl Time {
    fn admits(&self, image: &Image) -> bool {
        let actual = if self.created { image.created_at } else { image.updated_at } / 1_000_000;
        let found = actual.cmp(&(self.at / 1_000_000));
        (found == self.order || (self.or_equal && found == Ordering::Equal)) != self.not
    }
}

/// `in:a,b,"c d"` is a list; a value with a comma or quotes is written in quotes.
fn one_or_many(value: &str) -> Result<Vec<String>> {
    let (list, text) = match value.strip_prefix("in:") {
        Some(text) => (true, text),
        None => (false, value.strip_prefix("eq:").unwrap_or(value)),
    };
    if !list {
        return Ok(vec![text.to_owned()]);
    }
    let malformed = || Error::bad_request(format!("Invalid filter value {value}."));
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        let (item, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let end = quoted.find('"').ok_or_else(malformed)?;
                let after = quoted.get(end + 1..).unwrap_or_default();
                (quoted.get(..end).unwrap_or_default(), after)
            }
            None => rest.split_at(rest.find(',').unwrap_or(rest.len())),
        };
        if item.contains('"') {
            return Err(malformed());
        }
        found.push(item.to_owned());
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None if after.is_empty() => return Ok(found),
            None => return Err(malformed()),
        }
    }
}

fn attribute(image: &Image, key: &str) -> Option<String> {
    match key {
        "id" => Some(image.id.clone()),
        "name" => image.name.clone(),
        "status" => Some(image.status.as_str().into()),
        "owner" => image.owner.clone(),
        "disk_format" => image.disk_format.clone(),
        "container_format" => image.container_format.clone(),
        "checksum" => image.checksum.clone(),
        "os_hash_algo" => image.hash_algo.clone(),
        "os_hash_value" => image.hash_value.clone(),
        "min_disk" => Some(image.min_disk.to_string()),
        "min_ram" => Some(image.min_ram.to_string()),
        "size" => image.size.map(|n| n.to_string()),
        other => image.properties.get(other).cloned(),
    }
}

/// `gte:2026-01-01T00:00:00Z`; without an operator it means equal.
fn parse_time(created: bool, value: &str) -> Result<Time> {
    use Ordering::{Equal, Greater, Less};
    let table = [
        ("gte:", Greater, true, false),
        ("gt:", Greater, false, false),
        ("lte:", Less, true, false),
        ("lt:", Less, false, false),
        ("eq:", Equal, true, false),
        ("neq:", Equal, true, true),
    ];
    let (order, or_equal, not, text) = table
        .into_iter()
        .find_map(|(prefix, order, or_equal, not)| Some((order, or_equal, not, value.strip_prefix(prefix)?)))
        .unwrap_or((Equal, true, false, value));
    let at = base::time::parse(text).ok_or_else(|| {
        Error::bad_request(format!("Invalid filter value {value}. Invalid time format: {text}."))
    })?;
    Ok(Time { created, order, or_equal, not, at })
}

#[cfg(test)]
mod tests {
    use super::one_or_many;

    #[test]
    fn lists_of_values() {
        assert_eq!(one_or_many("a,b").unwrap(), ["a,b"]);
        assert_eq!(one_or_many("in:a,b").unwrap(), ["a", "b"]);
        assert_eq!(one_or_many("in:\"a,b\",c").unwrap(), ["a,b", "c"]);
        for bad in ["in:\"a", "in:a\"b", "in:\"a\"b"] {
            assert!(one_or_many(bad).is_err(), "{bad}");
        }
    }
}
