//! References: things are named by their URLs, and pages are cut by offset.

use serde_json::{Value, json};
use web::{Origin, Params};

const MOST: i64 = 100;
const USUAL: i64 = 10;

pub fn secret(origin: &Origin, id: &str) -> String {
    href(origin, &format!("secrets/{id}"))
}

pub fn container(origin: &Origin, id: &str) -> String {
    href(origin, &format!("containers/{id}"))
}

pub fn order(origin: &Origin, id: &str) -> String {
    href(origin, &format!("orders/{id}"))
}

pub fn href(origin: &Origin, path: &str) -> String {
    format!("{}/key-manager/v1/{path}", origin.0)
}

/// The id at the end of a reference; an id alone is one, too.
pub fn id(reference: &str) -> &str {
    let reference = reference.strip_suffix('/').unwrap_or(reference);
    reference.rsplit('/').next().unwrap_or(reference)
}

/// What of a list is asked for. Nonsense is put right, not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    pub offset: i64,
    pub limit: i64,
}

impl Slice {
    pub fn of(params: &Params) -> Self {
        let number = |key: &str| params.get(key).filter(|text| !text.is_empty()).map(str::parse::<i64>);
        let offset = number("offset").and_then(Result::ok).unwrap_or(0).max(0);
        let limit = match number("limit") {
            Some(Ok(limit)) => limit.clamp(1, MOST),
            _ => USUAL,
        };
        Slice { offset, limit }
    }

    /// One page with its neighbours' addresses. `path` is that of the list below `/v1`.
    pub fn page(
        self,
        origin: &Origin,
        params: &Params,
        path: &str,
        member: &str,
        items: Vec<Value>,
        total: i64,
    ) -> Value {
        let others: String = params
            .pairs()
            .iter()
            .filter(|(key, _)| key != "limit" && key != "offset")
            .map(|(key, value)| format!("&{}={}", web::encode(key), web::encode(value)))
            .collect();
        let at = |offset: i64| format!("{}?limit={}&offset={offset}{others}", href(origin, path), self.limit);
        let mut page = json!({"total": total});
        if !items.is_empty() {
            if self.offset > 0 {
                page["previous"] = at((self.offset - self.limit).max(0)).into();
            }
            if total > self.offset + self.limit {
                page["next"] = at(self.offset + self.limit).into();
            }
        }
        page[member] = items.into();
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_end_of_a_reference() {
        for reference in ["http://h/key-manager/v1/secrets/x", "http://h/v1/secrets/x/", "x"] {
            assert_eq!(id(reference), "x");
        }
    }

    #[test]
    fn slices_are_put_right() {
        let of = |pairs: &[(&str, &str)]| Slice::of(&Params::from_pairs(pairs));
        assert_eq!(of(&[]), Slice { offset: 0, limit: 10 });
        assert_eq!(of(&[("limit", "1000"), ("offset", "-3")]), Slice { offset: 0, limit: 100 });
        assert_eq!(of(&[("limit", "0"), ("offset", "x")]), Slice { offset: 0, limit: 1 });
    }

    #[test]
    fn a_page_names_its_neighbours() {
        let params = Params::from_pairs(&[("limit", "2"), ("offset", "1"), ("name", "a b")]);
        let origin = Origin("http://h".into());
        let page = Slice::of(&params).page(&origin, &params, "secrets", "secrets", vec![json!({})], 9);
        let base = "http://h/key-manager/v1/secrets?limit=2&offset=";
        assert_eq!(page["next"], format!("{base}3&name=a%20b"));
        assert_eq!(page["previous"], format!("{base}0&name=a%20b"));
        assert_eq!(page["total"], 9);
    }
}
