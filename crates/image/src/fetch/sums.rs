//! Lists of checksums as `sha512sum`, `sha256sum` and `md5sum` write them.

use std::fmt;
use std::fs::File;
use std::io::Read;

use camino::Utf8Path;
use md5::Md5;
use sha2::{Digest, Sha256, Sha512};

use crate::{Error, Result};

/// A checksum, in lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sum {
    Md5(String),
    Sha256(String),
    Sha512(String),
}

/// The checksum of `file` in such a list; its length tells its kind.
pub fn find(list: &str, file: &str) -> Option<Sum> {
    list.lines().find_map(|line| {
        let (sum, name) = line.trim().split_once(char::is_whitespace)?;
        // `*` marks a file that was read as bytes.
        let name = name.trim_start().trim_start_matches('*').trim_start_matches("./");
        if name != file || !sum.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let sum = sum.to_ascii_lowercase();
        match sum.len() {
            32 => Some(Sum::Md5(sum)),
            64 => Some(Sum::Sha256(sum)),
            128 => Some(Sum::Sha512(sum)),
            _ => None,
        }
    })
}

impl Sum {
    /// The same kind of checksum of a file on disk.
    pub fn of(&self, path: &Utf8Path) -> Result<Sum> {
        Ok(match self {
            Sum::Md5(_) => Sum::Md5(digest::<Md5>(path)?),
            Sum::Sha256(_) => Sum::Sha256(digest::<Sha256>(path)?),
            Sum::Sha512(_) => Sum::Sha512(digest::<Sha512>(path)?),
        })
    }

    fn hex(&self) -> &str {
        let (Sum::Md5(hex) | Sum::Sha256(hex) | Sum::Sha512(hex)) = self;
        hex
    }

    pub fn short(&self) -> &str {
        &self.hex()[..16]
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hex())
    }
}

fn digest<D: Digest>(path: &Utf8Path) -> Result<String> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut hash = D::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(Error::io("read", path))? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            n => hash.update(&buffer[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_as_they_are_published() {
        let sha512 = "ab".repeat(64);
        let list = format!("{sha512}  debian-13-genericcloud-amd64.qcow2\n{}  other\n", "cd".repeat(64));
        assert_eq!(find(&list, "debian-13-genericcloud-amd64.qcow2"), Some(Sum::Sha512(sha512)));
        let sha256 = "EF".repeat(32);
        let list = format!("{sha256} *ubuntu-24.04-server-cloudimg-amd64.img\n");
        let found = find(&list, "ubuntu-24.04-server-cloudimg-amd64.img").unwrap();
        assert_eq!(found, Sum::Sha256(sha256.to_lowercase()));
        let list = "87617e24a5e30cb3b87fe8c0764838f3  cirros-0.6.3-x86_64-disk.img\n";
        assert!(matches!(find(list, "cirros-0.6.3-x86_64-disk.img"), Some(Sum::Md5(_))));
    }

    #[test]
    fn what_is_no_checksum_is_not_taken_for_one() {
        for list in ["", "<html>not here</html>", "abc  file", "zz  file", "file", &"ab".repeat(32)] {
            assert_eq!(find(list, "file"), None, "{list}");
        }
        let other = format!("{}  a-file\n", "ab".repeat(32));
        assert_eq!(find(&other, "file"), None);
    }
}
