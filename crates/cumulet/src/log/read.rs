//! Reading the log again: oldest line first, whatever file it is in.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use super::file::numbered;

/// Which lines somebody wants to see.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub request: Option<String>,
    /// An id (of a server, a network, ...) that the line must speak of.
    pub about: Option<String>,
    /// At least this bad.
    pub level: Option<tracing::Level>,
}

impl Wanted {
    /// A line that is no JSON belongs to nobody's request.
    pub fn fits(&self, line: &str) -> bool {
        let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(line) else {
            return self.request.is_none() && self.about.is_none() && self.level.is_none();
        };
        let text = |key: &str| fields.get(key).and_then(Value::as_str);
        let of_request = self.request.as_deref().is_none_or(|id| text("request_id") == Some(id));
        let about = self.about.as_deref().is_none_or(|id| {
            fields.values().any(|value| value.as_str().is_some_and(|text| text.contains(id)))
        });
        let bad_enough = self.level.is_none_or(|least| {
            text("level")
                .and_then(|level| level.parse::<tracing::Level>().ok())
                .is_none_or(|level| level <= least)
        });
        of_request && about && bad_enough
    }
}

/// All files of a log, oldest first.
pub fn files(path: &Utf8Path) -> Vec<Utf8PathBuf> {
    let older = (1..100).map(|n| numbered(path, n)).take_while(|path| path.exists());
    let mut files: Vec<Utf8PathBuf> = older.collect();
    files.reverse();
    files.push(path.to_owned());
    files
}

/// A place in a log that goes on being written.
pub struct Follower {
    path: Utf8PathBuf,
    open: Option<(BufReader<File>, u64)>,
    /// The beginning of a line whose rest has not been written yet.
    half: String,
}

impl Follower {
    /// From the first line on.
    pub fn new(path: &Utf8Path) -> Self {
        Follower { path: path.to_owned(), open: None, half: String::new() }
    }

    /// Whole lines that came since; also after the file was turned.
    pub fn more(&mut self) -> std::io::Result<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            if let Some((reader, _)) = &mut self.open {
                while reader.read_line(&mut self.half)? > 0 {
                    if self.half.ends_with('\n') {
                        lines.push(std::mem::take(&mut self.half).trim_end().to_owned());
                    }
                }
            }
            let now = match std::fs::metadata(&self.path) {
                Ok(now) => now.ino(),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(lines),
                Err(e) => return Err(e),
            };
            if self.open.as_ref().is_some_and(|(_, inode)| *inode == now) {
                return Ok(lines);
            }
            let file = File::open(&self.path)?;
            let inode = file.metadata()?.ino();
            self.open = Some((BufReader::new(file), inode));
        }
    }
}

/// `2026-01-31T12:00:00.000001Z INFO  nova: message key=value`
pub fn human(line: &str) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
    const FIRST: [&str; 4] = ["at", "level", "target", "message"];
    let [at, level, target, message] =
        FIRST.map(|key| fields.get(key).and_then(Value::as_str).unwrap_or_default());
    let mut text = format!("{at} {level:5} {target}: {message}");
    for (key, value) in fields.iter().filter(|(key, _)| !FIRST.contains(&key.as_str())) {
        let value = match value {
            Value::String(plain) if !plain.contains([' ', '"', '\n']) && !plain.is_empty() => plain.clone(),
            other => other.to_string(),
        };
        text.push_str(&format!(" {key}={value}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const LINE: &str = r#"{"at":"2026-01-31T12:00:00.000001Z","level":"INFO","target":"nova","message":"made","server":"3fa8","why":"two words","n":3,"request_id":"req-1"}"#;

    #[test]
    fn lines_are_chosen_by_request_thing_and_level() {
        let fits = |wanted: &Wanted| wanted.fits(LINE);
        assert!(fits(&Wanted::default()));
        assert!(fits(&Wanted { request: Some("req-1".into()), ..Wanted::default() }));
        assert!(!fits(&Wanted { request: Some("req-2".into()), ..Wanted::default() }));
        assert!(fits(&Wanted { about: Some("3fa8".into()), ..Wanted::default() }));
        assert!(!fits(&Wanted { about: Some("4fa8".into()), ..Wanted::default() }));
        assert!(!fits(&Wanted { level: Some(tracing::Level::WARN), ..Wanted::default() }));
        assert!(fits(&Wanted { level: Some(tracing::Level::DEBUG), ..Wanted::default() }));
        assert!(
            Wanted::default().fits("a panic")
                && !Wanted { request: Some("r".into()), ..Wanted::default() }.fits("a panic")
        );
    }

    #[test]
    fn people_read_one_line_too() {
        assert_eq!(
            human(LINE),
            "2026-01-31T12:00:00.000001Z INFO  nova: made server=3fa8 why=\"two words\" n=3 request_id=req-1"
        );
        assert_eq!(human("not json"), "not json");
    }

    #[test]
    fn following_goes_on_over_half_lines_and_turned_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("log")).unwrap();
        let mut follower = Follower::new(&path);
        assert!(follower.more().unwrap().is_empty());
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        assert_eq!(follower.more().unwrap(), ["one"]);
        file.write_all(b"o\nthree\n").unwrap();
        std::fs::rename(&path, numbered(&path, 1)).unwrap();
        std::fs::write(&path, "four\n").unwrap();
        assert_eq!(follower.more().unwrap(), ["two", "three", "four"]);
        assert_eq!(files(&path), [numbered(&path, 1), path]);
    }
}
