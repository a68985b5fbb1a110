//! Lists: filters, tags, order, pages, fields.

use std::cmp::Ordering;

use base::{Ctx, Error, Kind, Result};
use db::AnyConnection;
use serde_json::{Map, Value, json};
use web::Params;

use super::resource::Resource;
use super::sort::compare;
use super::{Filter, Spec};
use crate::fault;
use crate::rows::{Bind, Where, texts};

type View = Map<String, Value>;

const CONTROLS: &[&str] =
    &["fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse", "changed_since"];
const TAG_FILTERS: &[&str] = &["tags", "tags-any", "not-tags", "not-tags-any"];

/// What a list request asks for, apart from what the room itself reads.
#[derive(Debug, Default)]
pub struct Listing {
    /// The conditions that SQL can decide.
    pub conditions: Where,
    in_view: Vec<(&'static str, Vec<String>)>,
    /// (filter, its groups of tags)
    tags: Vec<(&'static str, Vec<Vec<String>>)>,
    sort: Vec<(String, bool)>,
    limit: usize,
    marker: Option<String>,
    reverse: bool,
    fields: Vec<String>,
    /// SQL has sorted the rows already.
    is_sorted: bool,
    /// And cut them.
    is_cut: bool,
    /// See [`Resource::ANY_MARKER`].
    any_marker: bool,
}

impl Listing {
    pub fn read(spec: &Spec, params: &Params) -> Result<Listing> {
        let mut listing = Listing { fields: fields(params), ..Listing::default() };
        listing.filters(spec, params)?;
        listing.order(spec, params)?;
        listing.page(params)?;
        Ok(listing)
    }

    fn filters(&mut self, spec: &Spec, params: &Params) -> Result<()> {
        let mut done: Vec<&str> = Vec::new();
        let mut invalid = Vec::new();
        for key in params.keys() {
            if CONTROLS.contains(&key) || done.contains(&key) {
                continue;
            }
            done.push(key);
            let values: Vec<String> = params.all(key).map(Into::into).collect();
            if spec.has_tags()
                && let Some(name) = TAG_FILTERS.iter().find(|t| **t == key)
            {
                let groups = values.iter().map(|v| v.split(',').map(Into::into).collect()).collect();
                self.tags.push((name, groups));
                continue;
            }
            match spec.attr(key).map(|a| (a.name, a.filter)) {
                None | Some((_, Filter::No)) => invalid.push(format!("'{key}'")),
                Some((_, Filter::Text(column))) => {
                    self.conditions.among(column, texts(&values));
                }
                Some((_, Filter::Number(column))) => {
                    let numbers = values.iter().filter_map(|v| v.parse().ok()).map(Bind::Int).collect();
                    self.conditions.among(column, numbers);
                }
                Some((name, Filter::Flag(column))) => {
                    let flags = values.iter().map(|v| flag(name, v)).collect::<Result<_>>()?;
                    self.conditions.among(column, flags);
                }
                Some((name, Filter::View)) => self.in_view.push((name, values)),
                Some((_, Filter::Room)) => {}
            }
        }
        if !invalid.is_empty() {
            return Err(fault::http_bad_request(format!(
                "[{}] is invalid attribute for filtering",
                invalid.join(", ")
            )));
        }
        if let Some(since) = params.get("changed_since") {
            let at = base::time::parse(since).ok_or_else(|| {
                fault::invalid_input(format!(
                    "Invalid changed_since. Reason: {since} is not a valid date-time string"
                ))
            })?;
            self.conditions.and("updated_at >= ?", [Bind::Int(at)]);
        }
        Ok(())
    }

    fn order(&mut self, spec: &Spec, params: &Params) -> Result<()> {
        let keys: Vec<&str> = params.all("sort_key").filter(|v| !v.is_empty()).collect();
        let dirs: Vec<&str> = params.all("sort_dir").filter(|v| !v.is_empty()).collect();
        if keys.len() != dirs.len() {
            return Err(fault::http_bad_request("The number of sort_keys and sort_dirs must be same"));
        }
        if let Some(key) = keys.iter().find(|k| spec.attr(k).is_none_or(|a| !a.sort)) {
            return Err(fault::http_bad_request(format!("['{key}'] is invalid attribute for sort_keys")));
        }
        if let Some(dir) = dirs.iter().find(|d| !matches!(**d, "asc" | "desc")) {
            return Err(fault::http_bad_request(format!(
                "['{dir}'] is invalid value for sort_dirs, valid value is 'asc' and 'desc'"
            )));
        }
        self.sort = keys.into_iter().zip(dirs).map(|(k, d)| (k.to_owned(), d == "desc")).collect();
        Ok(())
    }

    fn page(&mut self, params: &Params) -> Result<()> {
        let limit = params.get("limit").unwrap_or("0");
        self.limit = limit.parse().map_err(|_| {
            fault::bad("limit", format!("Limit must be an integer 0 or greater and not '{limit}'"))
        })?;
        if self.limit > 0 {
            self.marker = params.get("marker").filter(|m| !m.is_empty()).map(Into::into);
        }
        self.reverse = params.get("page_reverse").is_some_and(|v| v.eq_ignore_ascii_case("true"));
        Ok(())
    }

    /// The rows that the caller may see and the conditions hold for: only the page's, when SQL can tell which.
    pub async fn rows<R: Resource>(&mut self, conn: &mut AnyConnection, ctx: &Ctx) -> Result<Vec<R>> {
        let mut conditions = std::mem::take(&mut self.conditions);
        R::scope(ctx, &mut conditions);
        let columns: Option<Vec<(&'static str, bool)>> =
            self.sort.iter().map(|(key, descending)| Some((R::SPEC.column(key)?, *descending))).collect();
        let Some(mut columns) = columns else {
            return Ok(conditions.rows(conn, R::SPEC.table).await?);
        };
        self.is_sorted = true;
        self.any_marker = R::ANY_MARKER;
        for last in ["created_at", "id"] {
            if !columns.iter().any(|(c, _)| *c == last) {
                columns.push((last, false));
            }
        }
        let head = format!("SELECT * FROM {}", R::SPEC.table);
        if self.limit == 0 || !self.in_view.is_empty() || !self.tags.is_empty() {
            return Ok(conditions.statement(&head, &order_by(&columns, false)).rows(conn).await?);
        }
        if let Some(marker) = &self.marker {
            let mut of_marker = conditions.clone();
            of_marker.and("id = ?", [marker.into()]);
            let select = format!("SELECT id FROM {}", R::SPEC.table);
            if of_marker.statement(&select, "").exists(conn).await? {
                behind(&mut conditions, R::SPEC.table, &columns, marker, self.reverse);
            } else if !R::ANY_MARKER {
                return Err((R::SPEC.not_found)(marker));
            }
        }
        let tail = format!("{} LIMIT {}", order_by(&columns, self.reverse), self.limit);
        let mut rows = conditions.statement(&head, &tail).rows(conn).await?;
        if self.reverse {
            rows.reverse();
        }
        self.is_cut = true;
        Ok(rows)
    }

    /// The answer's body.
    pub fn finish(self, spec: &Spec, params: &Params, origin: &str, mut views: Vec<View>) -> Result<Value> {
        views.retain(|v| self.in_view.iter().all(|(name, wanted)| matches(v.get(*name), wanted)));
        views.retain(|v| self.tags.iter().all(|(kind, groups)| has_tags(v, kind, groups)));
        if !self.is_sorted && !self.sort.is_empty() {
            // Stable: rows of equal keys keep the order they were made in.
            views.sort_by(|a, b| {
                self.sort.iter().fold(Ordering::Equal, |order, (key, descending)| {
                    order.then_with(|| {
                        let null = Value::Null;
                        let o = compare(a.get(key).unwrap_or(&null), b.get(key).unwrap_or(&null));
                        if *descending { o.reverse() } else { o }
                    })
                })
            });
        }
        let mut body = Map::new();
        let mut links = Vec::new();
        if self.limit > 0 {
            if !self.is_cut {
                views = self.cut(spec, views)?;
            }
            let id =
                |v: Option<&View>| v.and_then(|v| v.get("id")).and_then(Value::as_str).map(str::to_owned);
            let full = views.len() >= self.limit;
            // From an empty page one turns back to the end, or to the beginning: then there is no marker.
            let page = |marker: Option<String>| {
                let href =
                    without_reverse(&params.with_marker(origin, marker.as_deref().unwrap_or_default()));
                if marker.is_none() {
                    href.trim_end_matches("marker=").to_owned()
                } else {
                    format!("{href}&")
                }
            };
            if full || self.reverse {
                let href = page(id(views.last()));
                links.push(json!({"rel": "next", "href": href.trim_end_matches('&')}));
            }
            if full || !self.reverse {
                let href = page(id(views.first()));
                links.push(json!({"rel": "previous", "href": format!("{href}page_reverse=True")}));
            }
        }
        let items = views.into_iter().map(|v| Value::Object(project(v, &self.fields))).collect();
        body.insert(spec.collection.into(), Value::Array(items));
        if !links.is_empty() {
            body.insert(format!("{}_links", spec.collection), Value::Array(links));
        }
        Ok(Value::Object(body))
    }

    fn cut(&self, spec: &Spec, views: Vec<View>) -> Result<Vec<View>> {
        let at = match &self.marker {
            None => None,
            Some(marker) => {
                let at = views.iter().position(|v| v.get("id").and_then(Value::as_str) == Some(marker));
                if at.is_none() && !self.any_marker {
                    return Err((spec.not_found)(marker));
                }
                at
            }
        };
        let range = if self.reverse {
            let end = at.unwrap_or(views.len());
            end.saturating_sub(self.limit)..end
        } else {
            let start = at.map_or(0, |at| at + 1);
            start..views.len().min(start + self.limit)
        };
        Ok(views.into_iter().skip(range.start).take(range.len()).collect())
    }
}

/// `columns`: (name, descending).
fn order_by(columns: &[(&str, bool)], reverse: bool) -> String {
    let order: Vec<String> = columns
        .iter()
        .map(|(column, descending)| format!("{column}{}", if *descending == reverse { "" } else { " DESC" }))
        .collect();
    format!(" ORDER BY {}", order.join(", "))
}

/// Rows that come after the marker's in the order of `columns` (name, descending); before it when the page is asked for
/// in reverse. Each term: equal in the columns so far, beyond in the next.
fn behind(conditions: &mut Where, table: &str, columns: &[(&str, bool)], marker: &str, reverse: bool) {
    let of_marker = |column: &str| format!("(SELECT m.{column} FROM {table} m WHERE m.id = ?)");
    let terms: Vec<String> = (0..columns.len())
        .map(|n| {
            let equal = columns[..n].iter().map(|(c, _)| format!("{c} = {}", of_marker(c)));
            let (column, descending) = columns[n];
            let beyond = if descending == reverse { ">" } else { "<" };
            let last = format!("{column} {beyond} {}", of_marker(column));
            equal.chain([last]).collect::<Vec<_>>().join(" AND ")
        })
        .collect();
    let condition = terms.join(" OR ");
    let marks = condition.matches('?').count();
    conditions.and(&condition, std::iter::repeat_n(Bind::from(marker), marks));
}

fn without_reverse(href: &str) -> String {
    ["True", "true", "False", "false"]
        .iter()
        .fold(href.to_owned(), |h, v| h.replace(&format!("page_reverse={v}&"), ""))
}

fn flag(name: &str, value: &str) -> Result<Bind> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(Bind::Int(1)),
        "false" | "0" => Ok(Bind::Int(0)),
        _ => Err(Error::new(
            Kind::BadRequest,
            format!("Invalid input for operation: '{value}' cannot be converted to boolean."),
        )
        .code("InvalidInput")
        .because(format!("filter {name}"))),
    }
}

fn matches(value: Option<&Value>, wanted: &[String]) -> bool {
    let is = |text: &str| wanted.iter().any(|w| w == text);
    match value {
        None | Some(Value::Null) => is(""),
        Some(Value::String(text)) => is(text),
        Some(Value::Bool(flag)) => wanted.iter().any(|w| {
            matches!((w.to_ascii_lowercase().as_str(), flag), ("true" | "1", true) | ("false" | "0", false))
        }),
        Some(Value::Array(items)) => items.iter().any(|i| matches(Some(i), wanted)),
        Some(other) => is(&other.to_string()),
    }
}

/// `tags` and `not-tags`: all of a group; the `-any` ones: one of a group. Repeated filters must all hold.
fn has_tags(view: &View, kind: &str, groups: &[Vec<String>]) -> bool {
    let empty = Vec::new();
    let tags = view.get("tags").and_then(Value::as_array).unwrap_or(&empty);
    let has = |tag: &String| tags.iter().any(|t| t.as_str() == Some(tag));
    groups.iter().all(|group| match kind {
        "tags" => group.iter().all(has),
        "tags-any" => group.iter().any(has),
        "not-tags" => !group.iter().all(has),
        _ => !group.iter().any(has),
    })
}

fn fields(params: &Params) -> Vec<String> {
    params.all("fields").filter(|f| !f.is_empty()).map(Into::into).collect()
}

fn project(mut view: View, fields: &[String]) -> View {
    if !fields.is_empty() {
        view.retain(|key, _| fields.iter().any(|f| f == key));
    }
    view
}

/// The `fields` of a show request.
pub fn only_fields(params: &Params, view: View) -> Value {
    Value::Object(project(view, &fields(params)))
}
