//! Pages of lists: `limit`, `marker`, `offset`, `sort`, and the link to the next one.

use std::cmp::Ordering;

use base::{Ctx, Error, Result};
use serde_json::{Value, json};
use web::Params;

const MAX_PAGE: usize = 1000;

pub struct Listing {
    pub limit: usize,
    marker: Option<String>,
    offset: usize,
    /// (key, descending)
    sort: Vec<(String, bool)>,
}

/// What pages are made of.
pub trait Listed {
    fn id(&self) -> &str;
    /// By what a list may be sorted.
    const KEYS: &'static [&'static str];
    /// By one of [`Listed::KEYS`].
    fn compare(&self, other: &Self, key: &str) -> Ordering;
}

/// Parameters that are no filters.
pub const PAGING: [&str; 7] = ["limit", "marker", "offset", "sort", "sort_key", "sort_dir", "with_count"];

impl Listing {
    pub fn read(params: &Params) -> Result<Listing> {
        let number = |key: &str, words: [&str; 2]| match params.get(key) {
            None => Ok(None),
            Some(text) => match text.trim().parse::<i64>() {
                Err(_) => Err(Error::bad_request(words[0])),
                Ok(number) if number < 0 => Err(Error::bad_request(words[1])),
                Ok(number) => Ok(Some(number)),
            },
        };
        let limit = number("limit", ["limit param must be an integer", "limit param must be positive"])?;
        let offset = number("offset", ["offset must be an integer", "offset must be >= 0"])?.unwrap_or(0);
        if offset > i64::from(i32::MAX) {
            return Err(Error::bad_request(format!("offset must be <= {}", i32::MAX)));
        }
        Ok(Listing {
            limit: limit.map_or(MAX_PAGE, |n| usize::try_from(n).unwrap_or(MAX_PAGE).min(MAX_PAGE)),
            marker: params.get("marker").map(Into::into),
            offset: usize::try_from(offset).unwrap_or(usize::MAX),
            sort: sort(params)?,
        })
    }

    /// Sorted, and then the page of it.
    pub fn page<T: Listed>(&self, mut items: Vec<T>) -> Result<Vec<T>> {
        if let Some((key, _)) = self.sort.iter().find(|(key, _)| !T::KEYS.contains(&key.as_str())) {
            let text = format!("Invalid input received: Sort key supplied is invalid: {key}");
            return Err(Error::bad_request(text));
        }
        items.sort_by(|a, b| {
            let by_keys = self.sort.iter().map(|(key, descending)| {
                let order = a.compare(b, key);
                if *descending { order.reverse() } else { order }
            });
            let last = self.sort.last().is_none_or(|(_, descending)| *descending);
            let by_id = a.id().cmp(b.id());
            by_keys.fold(Ordering::Equal, Ordering::then).then(if last { by_id.reverse() } else { by_id })
        });
        let start = match &self.marker {
            None => 0,
            Some(marker) => {
                let at = items.iter().position(|item| item.id() == marker);
                at.ok_or_else(|| Error::not_found(format!("Marker {marker} could not be found.")))? + 1
            }
        };
        Ok(items.into_iter().skip(start.saturating_add(self.offset)).take(self.limit).collect())
    }

    /// `{"<names>": [..]}`, with the link to the next page under its own name when there may be one.
    pub fn answer<T: Listed>(
        &self,
        params: &Params,
        origin: &web::Origin,
        (names, links): (&str, &str),
        items: Vec<T>,
        view: impl FnMut(&T) -> Value,
    ) -> Result<Value> {
        let page = self.page(items)?;
        let ids: Vec<&str> = page.iter().map(Listed::id).collect();
        let mut body = json!({ names: page.iter().map(view).collect::<Vec<_>>() });
        if let Some(next) = self.next(params, &origin.0, &ids) {
            body[links] = next;
        }
        Ok(body)
    }

    /// `[{"rel": "next", ..}]` when the page is full.
    pub fn next(&self, params: &Params, origin: &str, ids: &[&str]) -> Option<Value> {
        let last = ids.last().filter(|_| ids.len() == self.limit)?;
        Some(json!([{"rel": "next", "href": params.with_marker(origin, last)}]))
    }
}

/// Keeps what has the name, the status and the other `fields` that are asked for. Whoever is no admin hears of filters that
/// there are not; `besides`: parameters that are none.
pub fn keep<T>(
    ctx: &Ctx,
    params: &Params,
    items: &mut Vec<T>,
    (fields, besides): (&[&str], &[&str]),
    value: impl Fn(&T, &str) -> Option<String>,
) -> Result<()> {
    for (key, wanted) in params.pairs() {
        let like = |text: String| text.to_lowercase().contains(&wanted.to_lowercase());
        match key.as_str() {
            "name~" => items.retain(|one| value(one, "name").is_some_and(like)),
            key if ["name", "status"].contains(&key) || fields.contains(&key) => {
                items.retain(|one| value(one, key).unwrap_or_default() == *wanted);
            }
            "all_tenants" | "all_projects" => {}
            key if besides.contains(&key) || PAGING.contains(&key) => {}
            _ if ctx.is_admin() || !ctx.at_least(3, 31) => {}
            _ => {
                return Err(Error::bad_request(format!("Invalid filters {key} are found in query options.")));
            }
        }
    }
    Ok(())
}

fn sort(params: &Params) -> Result<Vec<(String, bool)>> {
    let direction = |text: &str| match text {
        "asc" => Ok(false),
        "desc" | "" => Ok(true),
        other => Err(Error::bad_request(format!(
            "Invalid input received: Unknown sort direction, must be one of: asc, desc: {other}"
        ))),
    };
    match (params.get("sort"), params.get("sort_key"), params.get("sort_dir")) {
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) => Err(Error::bad_request(
            "The 'sort_key' and 'sort_dir' parameters are deprecated and cannot be used with the 'sort' parameter.",
        )),
        (Some(text), None, None) => {
            let mut keys = Vec::new();
            for part in text.split(',') {
                let (key, dir) = part.split_once(':').unwrap_or((part, ""));
                keys.push((key.trim().to_owned(), direction(dir.trim())?));
            }
            Ok(keys)
        }
        (None, key, dir) => {
            Ok(vec![(key.unwrap_or("created_at").trim().into(), direction(dir.unwrap_or("").trim())?)])
        }
    }
}
