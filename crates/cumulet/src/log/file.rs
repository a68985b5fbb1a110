//! A file that is never longer than told: `cumulet.log`, and before it `cumulet.log.1`, `.2`, ...

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use camino::{Utf8Path, Utf8PathBuf};

#[derive(Debug)]
pub struct Rotating {
    path: Utf8PathBuf,
    file: File,
    length: u64,
    limit: u64,
    /// How many older files are kept.
    older: u32,
}

impl Rotating {
    pub fn open(path: &Utf8Path, limit: u64, older: u32) -> io::Result<Rotating> {
        let file = open(path)?;
        let length = file.metadata()?.len();
        Ok(Rotating { path: path.to_owned(), file, length, limit, older })
    }

    /// A whole line, in one write: a kill leaves no half ones, and nothing waits in this process to be lost.
    pub fn line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.length > 0 && self.length + line.len() as u64 > self.limit {
            self.turn()?;
        }
        self.file.write_all(line)?;
        self.length += line.len() as u64;
        Ok(())
    }

    fn turn(&mut self) -> io::Result<()> {
        for n in (1..self.older).rev() {
            match std::fs::rename(numbered(&self.path, n), numbered(&self.path, n + 1)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        std::fs::rename(&self.path, numbered(&self.path, 1))?;
        self.file = open(&self.path)?;
        self.length = 0;
        Ok(())
    }
}

fn open(path: &Utf8Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

pub fn numbered(path: &Utf8Path, n: u32) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{path}.{n}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_bounded_and_the_newest_lines_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("log")).unwrap();
        let mut log = Rotating::open(&path, 100, 2).unwrap();
        for n in 0..100 {
            log.line(format!("line {n:03}\n").as_bytes()).unwrap();
        }
        let mut names: Vec<_> = path
            .parent()
            .unwrap()
            .read_dir_utf8()
            .unwrap()
            .map(|e| e.unwrap().file_name().to_owned())
            .collect();
        names.sort();
        assert_eq!(names, ["log", "log.1", "log.2"]);
        assert!(std::fs::metadata(numbered(&path, 1)).unwrap().len() <= 100);
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("line 099\n"));
        // The next process goes on where this one ended.
        let mut again = Rotating::open(&path, 100, 2).unwrap();
        again.line(b"more\n").unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("line 099\nmore\n"));
    }

    #[test]
    fn a_line_longer_than_the_limit_is_written_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("log")).unwrap();
        let mut log = Rotating::open(&path, 10, 1).unwrap();
        log.line(b"0123456789abcdef\n").unwrap();
        log.line(b"next\n").unwrap();
        assert_eq!(std::fs::read_to_string(numbered(&path, 1)).unwrap(), "0123456789abcdef\n");
    }
}
