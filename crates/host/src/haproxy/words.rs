//! How text is written into a configuration, so that it says there what it says here, whoever has written it.

use std::fmt::Write;
use std::net::IpAddr;

pub fn line(out: &mut String, depth: usize, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{:width$}{text}", "", width = depth * 4);
}

/// One word, whatever is in it. A dollar is itself outside of quotes, and a backslash before it would stay.
pub fn word(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !c.is_control()) {
        if matches!(c, ' ' | '#' | '\\' | '"' | '\'') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    if quoted.is_empty() { "\"\"".to_owned() } else { quoted }
}

/// As [`word`], where `%` would begin a variable.
pub fn formatted(text: &str) -> String {
    word(&text.replace('%', "%%"))
}

/// Of a function, in its brackets: those are read once more, when the word has been.
pub fn argument(text: &str) -> String {
    match text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        true => text.to_owned(),
        false => word(&format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))),
    }
}

pub fn at(address: IpAddr, port: u16) -> String {
    match address {
        IpAddr::V4(address) => format!("{address}:{port}"),
        IpAddr::V6(address) => format!("[{address}]:{port}"),
    }
}
