//! The query string: keys may repeat, and their order is kept.

use axum::extract::FromRequestParts;
use base::page::Direction;
use base::{Error, Page};
use http::request::Parts;

use crate::Fault;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params {
    pairs: Vec<(String, String)>,
    path: String,
    query: String,
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        // A nested router sees a shortened URI; links need the one the client wrote.
        let path = parts
            .extensions
            .get::<axum::extract::OriginalUri>()
            .map_or_else(|| parts.uri.path().to_owned(), |uri| uri.path().to_owned());
        let pairs = match parts.uri.query() {
            None => Vec::new(),
            Some(_) => {
                axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
                    .map_err(|e| Error::bad_request(format!("Malformed query string: {e}.")))?
                    .0
            }
        };
        Ok(Params { pairs, path, query: parts.uri.query().unwrap_or_default().to_owned() })
    }
}

impl Params {
    pub fn from_pairs(pairs: &[(&str, &str)]) -> Self {
        let pairs = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        Params { pairs, path: "/".into(), ..Params::default() }
    }

    /// Path and query as the client wrote them: equal for requests that ask for the same.
    pub fn asked(&self) -> (&str, &str) {
        (&self.path, &self.query)
    }

    /// The last value, as most services read a repeated key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.pairs.iter().map(|(k, _)| k.as_str())
    }

    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// OpenStack's spellings of a boolean (oslo.utils bool_from_string). None when absent or not one.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key)?.to_ascii_lowercase().as_str() {
            "1" | "t" | "true" | "on" | "y" | "yes" => Some(true),
            "0" | "f" | "false" | "off" | "n" | "no" | "" => Some(false),
            _ => None,
        }
    }

    /// limit, marker, sort_key/sort_dir (repeated or comma-separated) and Glance's and Cinder's `sort=key:dir`.
    pub fn page(&self) -> Result<Page, Error> {
        let limit = match self.get("limit") {
            None | Some("") => None,
            Some(text) => Some(text.parse::<usize>().map_err(|_| {
                Error::bad_request(format!("limit param must be a non-negative integer, got '{text}'"))
            })?),
        };
        let direction = |text: &str| match text {
            "asc" | "" => Ok(Direction::Ascending),
            "desc" => Ok(Direction::Descending),
            other => {
                Err(Error::bad_request(format!("Unknown sort direction '{other}', must be 'asc' or 'desc'")))
            }
        };
        let split =
            |key| self.all(key).flat_map(|v| v.split(',')).filter(|v| !v.is_empty()).collect::<Vec<_>>();
        let mut sort = Vec::new();
        for item in split("sort") {
            let (key, dir) = item.split_once(':').unwrap_or((item, "asc"));
            sort.push((key.to_owned(), direction(dir)?));
        }
        let dirs = split("sort_dir");
        for (i, key) in split("sort_key").into_iter().enumerate() {
            sort.push((key.to_owned(), direction(dirs.get(i).or(dirs.last()).copied().unwrap_or(""))?));
        }
        Ok(Page {
            limit,
            marker: self.get("marker").filter(|m| !m.is_empty()).map(Into::into),
            sort,
            reverse: self.flag("page_reverse").unwrap_or(false),
        })
    }

    /// The page's own URL with another marker.
    pub fn with_marker(&self, origin: &str, marker: &str) -> String {
        let mut query = String::new();
        for (k, v) in self.pairs.iter().filter(|(k, _)| k != "marker") {
            query.push_str(&format!("{}={}&", encode(k), encode(v)));
        }
        format!("{origin}{}?{query}marker={}", self.path, encode(marker))
    }
}

/// `[{"rel": "next", "href": ..}]` of Nova, Neutron and Octavia.
pub fn next_link(params: &Params, origin: &str, last_id: &str) -> serde_json::Value {
    serde_json::json!([{"rel": "next", "href": params.with_marker(origin, last_id)}])
}

/// As part of a query string.
pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b':' => {
                (b as char).to_string()
            }
            b => format!("%{b:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_pages_and_flags() {
        let p = Params::from_pairs(&[
            ("limit", "2"),
            ("sort_key", "name"),
            ("sort_key", "id"),
            ("sort_dir", "desc"),
            ("all", "True"),
        ]);
        let page = p.page().unwrap();
        assert_eq!(page.limit, Some(2));
        assert_eq!(page.sort, [("name".into(), Direction::Descending), ("id".into(), Direction::Descending)]);
        assert_eq!(p.flag("all"), Some(true));
        assert!(Params::from_pairs(&[("limit", "-1")]).page().is_err());
        assert!(Params::from_pairs(&[("sort", "name:up")]).page().is_err());
    }

    #[test]
    fn a_next_link_keeps_the_other_keys() {
        let p = Params::from_pairs(&[("limit", "2"), ("name", "a b"), ("marker", "x")]);
        assert_eq!(p.with_marker("http://h", "y"), "http://h/?limit=2&name=a%20b&marker=y");
    }
}
