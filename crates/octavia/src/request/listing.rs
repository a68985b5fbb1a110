//! Filters, sorting, pages and fields of lists, over views that are made already.

use std::cmp::Ordering;

use base::{Error, Result};
use serde_json::{Map, Value, json};
use web::Params;

use super::shown;

/// One item of a list: what is shown, and what one may ask for besides.
pub struct Item {
    pub view: Map<String, Value>,
    pub hidden: Vec<(&'static str, Value)>,
}

const AUXILIARY: &[&str] =
    &["limit", "marker", "sort", "sort_key", "sort_dir", "fields", "page_reverse", "project_id", "tenant_id"];
const TAGS: [&str; 4] = ["tags", "tags-any", "not-tags", "not-tags-any"];

/// `names`: the attributes that the items have, so that an empty list refuses what a full one would.
pub fn page(
    collection: &str,
    names: &[&str],
    mut items: Vec<Item>,
    params: &Params,
    origin: &str,
) -> Result<Value> {
    for (key, wanted) in params.pairs() {
        if TAGS.contains(&key.as_str()) {
            let wanted: Vec<&str> = wanted.split(',').collect();
            items.retain(|item| tags_fit(item, key, &wanted));
        } else if !AUXILIARY.contains(&key.as_str()) {
            if !names.contains(&key.as_str()) {
                return Err(Error::bad_request("One or more arguments are either duplicate or invalid"));
            }
            items.retain(|item| fits(item.value(key), wanted));
        }
    }
    sort(names, &mut items, params)?;
    let (items, links) = cut(items, params, origin)?;
    let fields: Vec<&str> = params.all("fields").flat_map(|one| one.split(',')).collect();
    let views: Vec<Value> = items.into_iter().map(|item| Value::Object(only(item.view, &fields))).collect();
    Ok(json!({ collection: views, format!("{collection}_links"): links }))
}

/// The view with those fields alone; all without any.
pub fn only(mut view: Map<String, Value>, fields: &[&str]) -> Map<String, Value> {
    if !fields.is_empty() {
        view.retain(|key, _| fields.contains(&key.as_str()));
    }
    view
}

impl Item {
    fn value(&self, key: &str) -> &Value {
        let hidden = self.hidden.iter().find(|(name, _)| *name == key).map(|(_, value)| value);
        hidden.or_else(|| self.view.get(key)).unwrap_or(&Value::Null)
    }

    fn id(&self) -> &str {
        let name = self.view.get("id").or_else(|| self.view.get("name"));
        name.and_then(Value::as_str).unwrap_or_default()
    }
}

fn fits(value: &Value, wanted: &str) -> bool {
    match value {
        Value::Null => wanted.is_empty() || wanted == "None",
        Value::Bool(flag) => match wanted.to_ascii_lowercase().as_str() {
            "true" | "1" | "t" | "yes" | "on" => *flag,
            "false" | "0" | "f" | "no" | "off" => !flag,
            _ => false,
        },
        Value::Array(list) => list.iter().any(|one| match one {
            Value::Object(one) => one.get("id").is_some_and(|id| fits(id, wanted)),
            one => fits(one, wanted),
        }),
        other => shown(other) == wanted,
    }
}

fn tags_fit(item: &Item, how: &str, wanted: &[&str]) -> bool {
    let tags: Vec<&str> =
        item.value("tags").as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let all = wanted.iter().all(|tag| tags.contains(tag));
    let any = wanted.iter().any(|tag| tags.contains(tag));
    match how {
        "tags" => all,
        "tags-any" => any,
        "not-tags" => !all,
        _ => !any,
    }
}

fn sort(names: &[&str], items: &mut [Item], params: &Params) -> Result<()> {
    let mut keys: Vec<(String, bool)> = Vec::new();
    let descending = |text: &str| match text.to_ascii_lowercase().as_str() {
        "asc" | "" => Ok(false),
        "desc" => Ok(true),
        _ => Err(Error::bad_request(format!("Supplied sort direction '{text}' is not valid."))),
    };
    if let Some(sort) = params.get("sort").filter(|s| !s.is_empty()) {
        for one in sort.split(',') {
            let (key, direction) = one.split_once(':').unwrap_or((one, ""));
            keys.push((key.into(), descending(direction)?));
        }
    } else if let Some(sort) = params.get("sort_key").filter(|s| !s.is_empty()) {
        let directions: Vec<&str> =
            params.get("sort_dir").map(|d| d.split(',').collect()).unwrap_or_default();
        for (at, key) in sort.split(',').enumerate() {
            keys.push((key.into(), descending(directions.get(at).copied().unwrap_or(""))?));
        }
    }
    if let Some((key, _)) = keys.iter().find(|(key, _)| !names.contains(&key.as_str())) {
        return Err(Error::bad_request(format!("Supplied sort key '{key}' is not valid.")));
    }
    // They come in order of creation, and the sort is stable.
    if !keys.is_empty() {
        items.sort_by(|a, b| {
            keys.iter().fold(Ordering::Equal, |so_far, (key, descending)| {
                so_far.then_with(|| {
                    let order = compare(a.value(key), b.value(key));
                    if *descending { order.reverse() } else { order }
                })
            })
        });
    }
    Ok(())
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => shown(a).cmp(&shown(b)),
    }
}

fn cut(items: Vec<Item>, params: &Params, origin: &str) -> Result<(Vec<Item>, Vec<Value>)> {
    let limit = match params.get("limit") {
        None | Some("infinite") => None,
        Some(text) => match text.parse::<i64>() {
            Ok(number) => usize::try_from(number).ok().filter(|n| *n > 0),
            Err(_) => {
                return Err(Error::bad_request(format!("Supplied pagination limit '{text}' is not valid.")));
            }
        },
    };
    let marker = params.get("marker").filter(|m| !m.is_empty());
    let at = match marker {
        None => None,
        Some(marker) => Some(items.iter().position(|item| item.id() == marker).ok_or_else(|| {
            Error::bad_request(format!("Supplied pagination marker '{marker}' is not valid."))
        })?),
    };
    let backwards = params.flag("page_reverse") == Some(true);
    let (start, end) = match (at, backwards) {
        (Some(at), true) => (limit.map_or(0, |limit| at.saturating_sub(limit)), at),
        (at, _) => {
            let start = at.map_or(0, |at| at + 1);
            (start, limit.map_or(items.len(), |limit| (start + limit).min(items.len())))
        }
    };
    let page: Vec<Item> = items.into_iter().skip(start).take(end - start).collect();
    let mut links = Vec::new();
    if let (Some(limit), Some(first), Some(last)) = (limit, page.first(), page.last()) {
        if marker.is_some() {
            let href = params.with_marker(origin, first.id());
            let reversed = if backwards { "" } else { "&page_reverse=True" };
            links.push(json!({"rel": "previous", "href": format!("{href}{reversed}")}));
        }
        if page.len() >= limit {
            let href = params.with_marker(origin, last.id()).replace("page_reverse=True&", "");
            links.push(json!({"rel": "next", "href": href}));
        }
    }
    Ok((page, links))
}
