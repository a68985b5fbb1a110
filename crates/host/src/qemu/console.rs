//! The serial console's log: appended by QEMU without end, kept short here.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};

use camino::Utf8Path;

use crate::Result;
use crate::process::file_error;

/// The last `lines` of what is kept, at most `limit` bytes. A machine that has not said anything said "".
pub(super) fn read(path: &Utf8Path, lines: Option<usize>, limit: u64) -> Result<String> {
    let bytes = match File::open(path).and_then(|mut file| tail(&mut file, limit)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(file_error("reading", path, error)),
    };
    let text = String::from_utf8_lossy(&bytes);
    Ok(last_lines(&text, lines).to_owned())
}

fn last_lines(text: &str, lines: Option<usize>) -> &str {
    let Some(lines) = lines else { return text };
    let whole = text.strip_suffix('\n').unwrap_or(text);
    let Some(before) = lines.checked_sub(1) else { return "" };
    match whole.rmatch_indices('\n').nth(before) {
        Some((at, _)) => &text[at + 1..],
        None => text,
    }
}

/// Cuts a log that grew beyond `limit` to half of that. QEMU appends, so it goes on at the new end; what it wrote
/// in the instant between reading and cutting is lost.
pub(super) fn trim(path: &Utf8Path, limit: u64) -> Result<()> {
    let cut = || -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).append(true).open(path)?;
        if file.metadata()?.len() > limit {
            let kept = tail(&mut file, limit / 2)?;
            file.set_len(0)?;
            file.write_all(&kept)?;
        }
        Ok(())
    };
    match cut() {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(file_error("trimming", path, error)),
        _ => Ok(()),
    }
}

fn tail(file: &mut File, limit: u64) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(limit)))?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_whole() {
        assert_eq!(last_lines("a\nb\nc\n", Some(2)), "b\nc\n");
        assert_eq!(last_lines("a\nb\nc", Some(2)), "b\nc");
        assert_eq!(last_lines("a\nb\n", Some(5)), "a\nb\n");
        assert_eq!(last_lines("a\nb\n", Some(0)), "");
        assert_eq!(last_lines("a\nb\n", None), "a\nb\n");
    }

    #[test]
    fn a_long_log_is_cut_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path()).unwrap().join("console.log");
        assert_eq!(read(&path, None, 100).unwrap(), "");
        trim(&path, 100).unwrap();
        let mut writer = OpenOptions::new().append(true).create(true).open(&path).unwrap();
        for line in 0..40 {
            writeln!(writer, "{line:02}").unwrap();
        }
        trim(&path, 100).unwrap();
        writeln!(writer, "on").unwrap();
        let text = read(&path, None, 100).unwrap();
        assert!(text.len() < 60 && text.ends_with("38\n39\non\n") && !text.contains('\0'), "{text}");
        assert_eq!(read(&path, Some(1), 100).unwrap(), "on\n");
    }
}
