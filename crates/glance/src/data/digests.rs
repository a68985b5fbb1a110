//! The two digests that Glance keeps of data.

use md5::Md5;
use sha2::{Digest, Sha512};

pub const ALGORITHM: &str = "sha512";

#[derive(Default)]
pub struct Digests {
    md5: Md5,
    sha512: Sha512,
}

impl Digests {
    pub fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.sha512.update(bytes);
    }

    /// (MD5, SHA-512) in hex.
    pub fn finish(self) -> (String, String) {
        (hex(&self.md5.finalize()), hex(&self.sha512.finalize()))
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
