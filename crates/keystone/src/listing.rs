//! What all collections have in common: filters on attributes, paging, links.

use base::Error;
use serde_json::{Map, Value, json};
use web::{Origin, Params, Response};

/// Where the assembler mounts this service; links start with it.
pub const MOUNT: &str = "/identity";

/// The URL of a resource: `url(&origin, "users", id)`.
pub fn url(origin: &Origin, path: &str) -> String {
    format!("{}{MOUNT}/v3/{path}", origin.0)
}

/// Keys of a query that are not attributes.
const RESERVED: &[&str] = &["limit", "marker", "sort_key", "sort_dir"];

/// Keeps the views that the query's filters match: `name=x`, `enabled=true`, `name__icontains=x`. `exact` names the
/// attributes that may be filtered on; others are ignored, as Keystone does.
fn matches(view: &Value, params: &Params, filters: &[&str]) -> bool {
    params.pairs().iter().filter(|(k, _)| !RESERVED.contains(&k.as_str())).all(|(key, wanted)| {
        let (attribute, comparator) = key.split_once("__").unwrap_or((key, "exact"));
        if !filters.contains(&attribute) {
            return true;
        }
        let value = view.get(attribute).unwrap_or(&Value::Null);
        match value {
            Value::Bool(flag) => {
                let asked = !matches!(wanted.to_ascii_lowercase().as_str(), "false" | "0" | "no" | "off");
                *flag == asked
            }
            Value::String(text) => compare(text, comparator, wanted),
            // `?parent_region_id=` and the like: empty means none.
            Value::Null => wanted.is_empty() || wanted == "None",
            _ => true,
        }
    })
}

fn compare(text: &str, comparator: &str, wanted: &str) -> bool {
    let insensitive = comparator.starts_with('i');
    let (text, wanted) = if insensitive {
        (text.to_lowercase(), wanted.to_lowercase())
    } else {
        (text.to_owned(), wanted.to_owned())
    };
    match comparator.trim_start_matches('i') {
        "contains" => text.contains(&wanted),
        "startswith" => text.starts_with(&wanted),
        "endswith" => text.ends_with(&wanted),
        _ => text == wanted,
    }
}

/// `{"users": [..], "links": {..}}`.
pub fn collection(
    origin: &Origin,
    params: &Params,
    noun: &str,
    views: Vec<Value>,
    filters: &[&str],
) -> Result<Response, Error> {
    let mut views: Vec<Value> = views.into_iter().filter(|v| matches(v, params, filters)).collect();
    let page = params.page()?;
    for (key, direction) in page.sort.iter().rev() {
        let text = |v: &Value| v.get(key).map(|x| x.as_str().map_or_else(|| x.to_string(), Into::into));
        views.sort_by(|a, b| {
            let order = text(a).cmp(&text(b));
            if *direction == base::page::Direction::Descending { order.reverse() } else { order }
        });
    }
    let mut next = Value::Null;
    if page.limit.is_some() || page.marker.is_some() {
        let id = |v: &Value| v.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let indexed: Vec<(String, Value)> = views.into_iter().map(|v| (id(&v), v)).collect();
        let (cut, more) = page.cut(indexed, u32::MAX as usize, |(id, _)| id).ok_or_else(|| {
            let marker = page.marker.as_deref().unwrap_or_default();
            Error::not_found(format!("Marker {marker} could not be found."))
        })?;
        if let (true, Some((last, _))) = (more, cut.last()) {
            next = Value::String(params.with_marker(&origin.0, last));
        }
        views = cut.into_iter().map(|(_, v)| v).collect();
    }
    let mut body = Map::new();
    body.insert(noun.into(), Value::Array(views));
    body.insert("links".into(), json!({"next": next, "self": self_link(origin, params), "previous": null}));
    Ok(web::json(200, &body))
}

fn self_link(origin: &Origin, params: &Params) -> String {
    // with_marker keeps the path and the query; the marker is the only part that a self link lacks.
    let link = params.with_marker(&origin.0, "");
    link.trim_end_matches("marker=").trim_end_matches(['?', '&']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_by_attribute_and_comparator() {
        let user = json!({"name": "Alice", "enabled": true, "domain_id": "default"});
        let filters = &["name", "enabled", "domain_id"];
        let hit = |pairs: &[(&str, &str)]| matches(&user, &Params::from_pairs(pairs), filters);
        assert!(hit(&[]) && hit(&[("name", "Alice")]) && hit(&[("enabled", "1")]));
        assert!(hit(&[("name__icontains", "LIC")]) && hit(&[("name__startswith", "Al")]));
        assert!(hit(&[("unknown", "x"), ("limit", "1")]));
        assert!(!hit(&[("name", "alice")]) && !hit(&[("enabled", "false")]));
        assert!(!hit(&[("name", "Alice"), ("domain_id", "other")]));
    }
}
