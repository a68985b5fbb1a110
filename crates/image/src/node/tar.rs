//! Writing tar files, byte for byte the same for the same input: no times, no names of this machine's users.
//!
//! The format is ustar, which every reader of container images takes.

use std::fs::File;
use std::io::{self, Read, Write};

use camino::Utf8Path;

use crate::{Error, Result};

const BLOCK: usize = 512;

/// A tar being written to `out`.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
}

impl<W: Write> Writer<W> {
    pub fn new(out: W) -> Writer<W> {
        Writer { out }
    }

    /// # Errors
    /// `name` is too long for the format, or writing fails.
    pub fn directory(&mut self, name: &str, mode: u32) -> io::Result<()> {
        let name = format!("{}/", name.trim_end_matches('/'));
        self.out.write_all(&header(&name, mode, 0, b'5', "")?)
    }

    /// # Errors
    /// `name` or `target` is too long for the format, or writing fails.
    pub fn symlink(&mut self, name: &str, target: &str) -> io::Result<()> {
        self.out.write_all(&header(name, 0o777, 0, b'2', target)?)
    }

    /// # Errors
    /// `name` is too long for the format, or writing fails.
    pub fn bytes(&mut self, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        self.out.write_all(&header(name, mode, content.len() as u64, b'0', "")?)?;
        self.out.write_all(content)?;
        self.pad(content.len() as u64)
    }

    /// Adds a file of this machine.
    ///
    /// # Errors
    /// It cannot be read, changes its size meanwhile, or writing fails.
    pub fn file(&mut self, name: &str, mode: u32, source: &Utf8Path) -> Result<()> {
        let file = File::open(source).map_err(Error::io("open", source))?;
        let size = file.metadata().map_err(Error::io("read", source))?.len();
        self.stream(name, mode, size, file).map_err(Error::io("pack", source))
    }

    fn stream(&mut self, name: &str, mode: u32, size: u64, content: impl Read) -> io::Result<()> {
        self.out.write_all(&header(name, mode, size, b'0', "")?)?;
        let copied = io::copy(&mut content.take(size), &mut self.out)?;
        if copied != size {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file became shorter while it was read",
            ));
        }
        self.pad(size)
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let rest = (size % BLOCK as u64) as usize;
        if rest == 0 { Ok(()) } else { self.out.write_all(&[0; BLOCK][rest..]) }
    }

    /// Ends the tar and hands back what it was written to.
    ///
    /// # Errors
    /// Writing fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.flush()?;
        Ok(self.out)
    }
}

fn header(name: &str, mode: u32, size: u64, kind: u8, link: &str) -> io::Result<[u8; BLOCK]> {
    let too_long =
        |what: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("too long for a tar: {what}"));
    let (prefix, name) = split(name).ok_or_else(|| too_long(name))?;
    if link.len() > 100 {
        return Err(too_long(link));
    }
    if size >= 1 << 33 {
        return Err(too_long("a file of 8 GiB or more"));
    }
    let mut block = [0u8; BLOCK];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, format!("{:07o}\0", mode & 0o7777).as_bytes());
    put(108, b"0000000\0"); // uid
    put(116, b"0000000\0"); // gid
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0"); // mtime
    put(148, b"        "); // the checksum counts as blanks while it is computed
    put(156, &[kind]);
    put(157, link.as_bytes());
    put(257, b"ustar\x0000");
    put(345, prefix.as_bytes());
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(block)
}

/// A path as ustar holds it: up to 155 bytes of leading directories, up to 100 of the rest.
fn split(name: &str) -> Option<(&str, &str)> {
    if name.len() <= 100 {
        return Some(("", name));
    }
    name.match_indices('/')
        .map(|(at, _)| (&name[..at], &name[at + 1..]))
        .find(|(prefix, rest)| prefix.len() <= 155 && rest.len() <= 100 && !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Command;
    use camino::Utf8PathBuf;

    fn sample() -> Vec<u8> {
        let mut tar = Writer::new(Vec::new());
        tar.directory("usr/", 0o755).unwrap();
        tar.symlink("bin", "usr/bin").unwrap();
        tar.bytes("usr/hello", 0o4755, b"hello\n").unwrap();
        tar.bytes("empty", 0o644, b"").unwrap();
        tar.bytes(&format!("{}/{}", "d".repeat(120), "f".repeat(90)), 0o600, &[7; 512]).unwrap();
        tar.finish().unwrap()
    }

    #[test]
    fn the_systems_tar_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("sample.tar")).unwrap();
        std::fs::write(&path, sample()).unwrap();
        let listed = Command::new("tar").args(["-tvf", path.as_str(), "--utc"]).output().unwrap();
        let shown: Vec<String> =
            listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let long = format!("-rw------- 0/0 512 1970-01-01 00:00 {}/{}", "d".repeat(120), "f".repeat(90));
        assert_eq!(
            shown,
            [
                "drwxr-xr-x 0/0 0 1970-01-01 00:00 usr/",
                "lrwxrwxrwx 0/0 0 1970-01-01 00:00 bin -> usr/bin",
                "-rwsr-xr-x 0/0 6 1970-01-01 00:00 usr/hello",
                "-rw-r--r-- 0/0 0 1970-01-01 00:00 empty",
                &long,
            ]
        );
        let hello = Command::new("tar").args(["-xOf", path.as_str(), "usr/hello"]).output().unwrap();
        assert_eq!(hello, "hello\n");
    }

    #[test]
    fn same_input_same_bytes_in_whole_blocks() {
        assert_eq!(sample(), sample());
        assert_eq!(sample().len() % BLOCK, 0);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut tar = Writer::new(Vec::new());
        assert!(tar.bytes(&"x".repeat(101), 0o644, b"").is_err());
        assert!(tar.symlink("x", &"y".repeat(101)).is_err());
        assert!(header("big", 0o644, 1 << 33, b'0', "").is_err());
    }

    #[test]
    fn file_that_shrinks_is_an_error() {
        let mut tar = Writer::new(Vec::new());
        let err = tar.stream("x", 0o644, 10, &b"short"[..]).unwrap_err();
        assert_eq!(err.kind(), io::ErrorKind::UnexpectedEof);
    }
}
