//! What a policy may say, and where it stands.

use base::{Error, Result};
use serde_json::Value;

use crate::request::{Fields, Look};
use crate::tree::Node;

fn bad(words: &str) -> Error {
    Error::bad_request(format!("Invalid L7 Policy arguments: {words}"))
}

/// Makes fields consistent: what does not belong to the action is null. `pool`: whether a pool is named.
pub fn consistent(fields: &mut Fields, pool: &mut bool) -> Result<()> {
    let clear = |fields: &mut Fields, names: &[&str]| {
        for name in names {
            fields.insert((*name).into(), Value::Null);
        }
    };
    match fields.text("action") {
        "REJECT" => {
            clear(fields, &["redirect_url"]);
            *pool = false;
        }
        "REDIRECT_TO_URL" => {
            if !fields.is_set("redirect_url") {
                return Err(bad("redirect_url must not be None"));
            }
            *pool = false;
        }
        "REDIRECT_TO_POOL" => {
            if !*pool {
                return Err(bad("redirect_pool_id or redirect_pool must not be None"));
            }
            clear(fields, &["redirect_url"]);
        }
        "REDIRECT_PREFIX" if !fields.is_set("redirect_prefix") => {
            return Err(bad("redirect_prefix must not be None"));
        }
        _ => {}
    }
    let (url, prefix) = (fields.is_set("redirect_url"), fields.is_set("redirect_prefix"));
    if *pool && (url || prefix) {
        return Err(bad(
            "Cannot specify redirect_pool_id and redirect_url or redirect_prefix at the same time",
        ));
    }
    if *pool {
        fields.insert("action".into(), "REDIRECT_TO_POOL".into());
        clear(fields, &["redirect_url", "redirect_prefix", "redirect_http_code"]);
    } else if prefix {
        fields.insert("action".into(), "REDIRECT_PREFIX".into());
        clear(fields, &["redirect_url"]);
    } else if url {
        fields.insert("action".into(), "REDIRECT_TO_URL".into());
        clear(fields, &["redirect_prefix"]);
    }
    if (url || prefix) && !*pool && !fields.is_set("redirect_http_code") {
        fields.insert("redirect_http_code".into(), 302.into());
    }
    Ok(())
}

/// Which position each policy of a listener has with `id` at `wanted` (None: without it). They are counted from 1
/// without gaps.
pub fn positions(policies: &[&Node], id: &str, wanted: Option<i64>) -> Vec<(String, i64)> {
    let mut order: Vec<&str> = policies.iter().map(|p| p.id.as_str()).filter(|other| *other != id).collect();
    if let Some(wanted) = wanted {
        let at = usize::try_from(wanted - 1).unwrap_or(usize::MAX).min(order.len());
        order.insert(at, id);
    }
    order.into_iter().map(str::to_owned).zip(1..).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tree::Noun;

    #[test]
    fn the_action_decides_what_is_left() {
        let made = |body: Value, pool: bool| {
            let mut fields = body.as_object().cloned().unwrap_or_default();
            let mut pool = pool;
            consistent(&mut fields, &mut pool).map(|()| (fields, pool)).map_err(|e| e.message)
        };
        let (url, _) =
            made(json!({"action": "REDIRECT_TO_URL", "redirect_url": "http://a/"}), false).unwrap();
        assert_eq!(url.number("redirect_http_code"), Some(302));
        let (reject, pool) = made(json!({"action": "REJECT", "redirect_url": "http://a/"}), true).unwrap();
        assert!(!reject.is_set("redirect_url") && !pool);
        assert_eq!(
            made(json!({"action": "REDIRECT_TO_POOL"}), false),
            Err("Invalid L7 Policy arguments: redirect_pool_id or redirect_pool must not be None".into())
        );
        assert!(made(json!({"action": "REDIRECT_PREFIX"}), false).is_err());
    }

    #[test]
    fn positions_have_no_gaps() {
        let nodes: Vec<Node> = (0..3)
            .map(|n| Node { id: n.to_string(), ..Node::new(Noun::L7Policy, "p", "lb", "l", Fields::new()) })
            .collect();
        let all: Vec<&Node> = nodes.iter().collect();
        let ids =
            |positions: Vec<(String, i64)>| -> String { positions.into_iter().map(|(id, _)| id).collect() };
        assert_eq!(ids(positions(&all, "2", Some(1))), "201");
        assert_eq!(ids(positions(&all, "new", Some(99))), "012new");
        assert_eq!(ids(positions(&all, "1", None)), "02");
        assert_eq!(positions(&all, "0", Some(2))[1], ("0".to_owned(), 2));
    }
}
