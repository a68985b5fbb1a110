//! Values that no client should send, and some that it may.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Map, Value, json};

const TEXTS: [&str; 34] = [
    "",
    " ",
    "0",
    "-1",
    "1e999",
    "99999999999999999999",
    "true",
    "None",
    "null",
    "NaN",
    "admin",
    "default",
    "latest",
    "00000000-0000-0000-0000-000000000000",
    "not-a-uuid",
    "../../etc/passwd",
    "' OR 1=1 --",
    "%",
    "_",
    "a\u{0}b",
    "line\nbreak",
    "ünïcödé",
    "日本語",
    "🦀",
    "\u{202e}reversed",
    "\u{feff}",
    "10.0.0.0/33",
    "10.0.0.1",
    "::/0",
    "fe80::1%eth0",
    "fa:16:3e:00:00:0g",
    "2026-13-45T99:99:99Z",
    "{\"json\": 1}",
    "name:desc,id:up",
];

/// Keys of query strings that the services read.
const KEYS: [&str; 36] = [
    "limit",
    "marker",
    "sort_key",
    "sort_dir",
    "sort",
    "page_reverse",
    "fields",
    "name",
    "id",
    "status",
    "all_tenants",
    "changes-since",
    "changes-before",
    "project_id",
    "tenant_id",
    "tags",
    "tags-any",
    "not-tags",
    "admin_state_up",
    "fixed_ips",
    "device_owner",
    "ip",
    "host",
    "flavor",
    "image",
    "reservation_id",
    "visibility",
    "member_status",
    "size_min",
    "created_at",
    "domain_id",
    "enabled",
    "scope.project.id",
    "resources",
    "required",
    "shared",
];

pub fn text(dice: &mut StdRng) -> String {
    match dice.random_range(0..12) {
        0 => "x".repeat(*[255, 256, 1024, 5000].choose(dice).unwrap_or(&300)),
        1 => char::from_u32(dice.random_range(0..0x1_0000)).unwrap_or('?').to_string(),
        _ => (*TEXTS.choose(dice).unwrap_or(&"")).to_owned(),
    }
}

pub fn value(dice: &mut StdRng, depth: u32) -> Value {
    match dice.random_range(0..if depth > 4 { 8 } else { 11 }) {
        0 => Value::Null,
        1 => json!(dice.random_bool(0.5)),
        2 => json!(dice.random_range(-2..70_000)),
        3 => json!(*[i64::MIN, i64::MAX, i64::from(i32::MAX) + 1, 65_536].choose(dice).unwrap_or(&0)),
        4 => json!(dice.random::<f64>() * 1e18),
        5 => json!(u64::MAX),
        6 | 7 => json!(text(dice)),
        8 => Value::Array((0..dice.random_range(0..4)).map(|_| value(dice, depth + 1)).collect()),
        9 => {
            let pairs = (0..dice.random_range(0..4)).map(|_| (text(dice), value(dice, depth + 1)));
            Value::Object(pairs.collect::<Map<_, _>>())
        }
        _ => (0..60).fold(json!(1), |inner, _| json!([inner])),
    }
}

/// A few pairs, encoded.
pub fn query(dice: &mut StdRng) -> String {
    let pairs = (0..dice.random_range(1..4)).map(|_| {
        let key =
            if dice.random_bool(0.9) { (*KEYS.choose(dice).unwrap_or(&"")).to_owned() } else { text(dice) };
        format!("{}={}", encode(&key), encode(&text(dice)))
    });
    pairs.collect::<Vec<_>>().join("&")
}

pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

/// Changes one place of a good body, or more.
pub fn spoil(dice: &mut StdRng, body: &mut Value) {
    match body {
        Value::Object(map) if !map.is_empty() => {
            let keys: Vec<String> = map.keys().cloned().collect();
            let key = keys.choose(dice).cloned().unwrap_or_default();
            match dice.random_range(0..10) {
                0 => drop(map.remove(&key)),
                1 => drop(map.insert(text(dice), value(dice, 0))),
                2..5 => drop(map.insert(key, value(dice, 0))),
                _ => {
                    if let Some(inner) = map.get_mut(&key) {
                        spoil(dice, inner);
                    }
                }
            }
        }
        Value::Array(list) if !list.is_empty() && dice.random_bool(0.7) => {
            let at = dice.random_range(0..list.len());
            spoil(dice, &mut list[at]);
        }
        other => *other = value(dice, 0),
    }
}
