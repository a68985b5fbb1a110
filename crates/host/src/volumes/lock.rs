//! What opens an encrypted layer. The encryption is QEMU's own LUKS: of a whole raw file, or of the data within qcow2.
//!
//! A passphrase is never an argument of a program and never a file on a disk: programs inherit it as an open file that is
//! memory, and a running QEMU hears it by its monitor.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;

use rustix::fs::MemfdFlags;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::LayerFormat;
use crate::process::{Confinement, file_error};
use crate::{Error, Result};

#[derive(Clone)]
pub struct Passphrase(SecretString);

impl Passphrase {
    /// As os-brick makes it of a key: its hexadecimal digits.
    pub fn of_key(key: &[u8]) -> Self {
        let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(digits.into())
    }

    /// What is written already as it is to be told.
    pub(crate) fn of_text(text: &str) -> Self {
        Self(text.to_owned().into())
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// To be inherited: memory that has no name.
    pub(crate) fn file(&self) -> Result<File> {
        let failed = |error| file_error("making", "a secret's memory".into(), error);
        let file = rustix::fs::memfd_create("secret", MemfdFlags::CLOEXEC);
        let mut file = File::from(file.map_err(|error| failed(error.into()))?);
        file.write_all(self.expose().as_bytes()).map_err(failed)?;
        Ok(file)
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl PartialEq for Passphrase {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Passphrase {}

/// How a new layer is encrypted; one that is there says it itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cipher {
    /// As in dm-crypt: `aes-xts-plain64`.
    spec: String,
    bits: u32,
    algorithm: String,
    mode: String,
    iv: String,
    iv_hash: Option<String>,
}

impl Cipher {
    /// Of what dm-crypt calls it and the bits of its key. None: QEMU has no such cipher.
    pub fn parse(spec: &str, bits: u32) -> Option<Self> {
        let mut parts = spec.splitn(3, '-');
        let (name, mode, iv) = (parts.next()?, parts.next()?, parts.next()?);
        let (iv, iv_hash) = match iv.split_once(':') {
            Some((iv, hash)) => (iv, Some(hash.to_owned())),
            None => (iv, None),
        };
        // XTS takes two keys. The half that Cinder calls 256 is whole for whoever counts both, and then it is 512.
        let each = if mode == "xts" && bits > 256 { bits / 2 } else { bits };
        let known = ["aes", "serpent", "twofish"].contains(&name)
            && [128, 192, 256].contains(&each)
            && ["xts", "cbc"].contains(&mode)
            && match &iv_hash {
                Some(hash) => iv == "essiv" && ["sha1", "sha256", "sha512"].contains(&hash.as_str()),
                None => ["plain", "plain64"].contains(&iv),
            };
        known.then(|| Self {
            spec: spec.to_owned(),
            bits,
            algorithm: format!("{name}-{each}"),
            mode: mode.to_owned(),
            iv: iv.to_owned(),
            iv_hash,
        })
    }

    /// Of what [`Cipher`] prints.
    pub fn read(text: &str) -> Option<Self> {
        let (spec, bits) = text.split_once('/')?;
        Self::parse(spec, bits.parse().ok()?)
    }
}

impl fmt::Display for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.spec, self.bits)
    }
}

/// A layer's cipher and what opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock<'a> {
    pub cipher: &'a Cipher,
    pub key: &'a Passphrase,
}

impl Lock<'_> {
    /// What `qemu-img` takes after `-o`. The key is random, so nothing is won by making guesses slow.
    pub(crate) fn options(&self, format: LayerFormat, secret: &str) -> String {
        let prefix = if format == LayerFormat::Qcow2 { "encrypt." } else { "" };
        let Cipher { algorithm, mode, iv, iv_hash, .. } = self.cipher;
        let mut all = Vec::new();
        if format == LayerFormat::Qcow2 {
            all.push("encrypt.format=luks".to_owned());
        }
        let hash = iv_hash.as_deref().map(|hash| ("ivgen-hash-alg", hash));
        let known = [
            ("key-secret", secret),
            ("cipher-alg", algorithm),
            ("cipher-mode", mode),
            ("ivgen-alg", iv),
            ("iter-time", "10"),
        ];
        all.extend(known.into_iter().chain(hash).map(|(key, value)| format!("{prefix}{key}={value}")));
        all.join(",")
    }
}

/// What QEMU and its tools call the format of a file.
pub(crate) fn driver(format: LayerFormat, locked: bool) -> &'static str {
    if locked && format == LayerFormat::Raw { "luks" } else { format.as_str() }
}

/// Lets a block node open what is encrypted: `secret` is an object's name.
pub(crate) fn unlock(node: &mut Value, format: LayerFormat, secret: &str) {
    match format {
        LayerFormat::Raw => {
            node["driver"] = json!(driver(format, true));
            node["key-secret"] = json!(secret);
        }
        LayerFormat::Qcow2 => node["encrypt"] = json!({"format": "luks", "key-secret": secret}),
    }
}

/// The object that holds a secret which QEMU inherits as this file.
pub(crate) fn inherited(id: &str, file: i32) -> Value {
    json!({"qom-type": "secret", "id": id, "file": format!("/proc/self/fd/{file}")})
}

/// Secrets that a tool inherits.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    files: Vec<File>,
}

impl Secrets {
    /// Its name for the tool.
    pub fn add(&mut self, key: &Passphrase, confinement: &mut Confinement) -> Result<String> {
        let file = key.file()?;
        confinement.keep(&file.as_raw_fd());
        self.files.push(file);
        Ok(format!("key{}", self.files.len() - 1))
    }

    pub fn arguments(&self) -> Vec<String> {
        let object = |(at, file): (usize, &File)| {
            ["--object".to_owned(), inherited(&format!("key{at}"), file.as_raw_fd()).to_string()]
        };
        self.files.iter().enumerate().flat_map(object).collect()
    }
}

/// Of a layer that is encrypted and of which nobody knows the key.
pub(crate) fn no_key(layer: &str) -> Error {
    Error::Refused(format!("layer {layer} is encrypted, and its key is not known"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ciphers_are_named_as_dm_crypt_names_them() {
        let lock = |spec, bits| {
            let (cipher, key) = (Cipher::parse(spec, bits)?, Passphrase::of_key(&[0xab; 2]));
            Some(Lock { cipher: &cipher, key: &key }.options(LayerFormat::Raw, "s"))
        };
        let plain =
            |alg| format!("key-secret=s,cipher-alg={alg},cipher-mode=xts,ivgen-alg=plain64,iter-time=10");
        assert_eq!(lock("aes-xts-plain64", 256).unwrap(), plain("aes-256"));
        assert_eq!(lock("aes-xts-plain64", 512).unwrap(), plain("aes-256"));
        assert_eq!(
            lock("twofish-cbc-essiv:sha256", 128).unwrap(),
            "key-secret=s,cipher-alg=twofish-128,cipher-mode=cbc,ivgen-alg=essiv,iter-time=10,ivgen-hash-alg=sha256"
        );
        for (spec, bits) in
            [("aes", 256), ("aes-xts-plain64", 64), ("rot-xts-plain64", 128), ("aes-xts-essiv", 128), ("", 0)]
        {
            assert_eq!(lock(spec, bits), None, "{spec} {bits}");
        }
        let cipher = Cipher::parse("aes-xts-plain64", 512).unwrap();
        assert_eq!(Cipher::read(&cipher.to_string()), Some(cipher));
    }

    #[test]
    fn a_passphrase_is_the_keys_digits_and_is_not_shown() {
        let key = Passphrase::of_key(&[0, 0xab, 0x10]);
        assert_eq!(key.expose(), "00ab10");
        assert!(!format!("{key:?}").contains("ab"));
        let file = key.file().unwrap();
        assert_eq!(std::fs::read_to_string(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap(), "00ab10");
    }
}
