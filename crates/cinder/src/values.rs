//! Values of filters as clients write them.

/// OpenStack's spellings of a boolean.
pub fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "t" | "true" | "on" | "y" | "yes" => Some(true),
        "0" | "f" | "false" | "off" | "n" | "no" => Some(false),
        _ => None,
    }
}

/// A map as Python or JSON writes it: `{'key': 'value'}`. Clients send what their language prints.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    let inner = text.trim().trim_start_matches('{').trim_end_matches('}');
    let plain = |part: &str| {
        let part = part.trim();
        let part = part.strip_prefix('u').filter(|rest| rest.starts_with(['\'', '"'])).unwrap_or(part);
        part.trim_matches(['\'', '"']).to_owned()
    };
    let split = |part: &str| part.split_once(':').map(|(key, value)| (plain(key), plain(value)));
    inner.split(',').filter_map(split).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn maps_of_python_and_json_are_read() {
        let wanted = [("a".to_owned(), "b c".to_owned()), ("d".into(), "1".into())];
        for text in [r#"{"a": "b c", "d": "1"}"#, "{'a': 'b c', 'd': '1'}", "{u'a':u'b c', 'd':1}"] {
            assert_eq!(super::pairs(text), wanted, "{text}");
        }
    }
}
