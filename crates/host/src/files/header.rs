//! The few bytes at the start of a file that decide whether a tool may open it at all.
//!
//! qemu-img opens what a qcow2 header names (an external data file, say) before it can be asked anything. A
//! stranger's header must not make it do that, so these fields are looked at first, here.

use std::fs::File;
use std::io::Read;

use camino::Utf8Path;

use crate::process::file_error;
use crate::{Error, Result};

const QCOW: &[u8] = b"QFI\xfb";
/// (at, bytes, name) of formats that people upload as something else.
const MAGICS: [(usize, &[u8], &str); 6] = [
    (0, QCOW, "qcow2"),
    (0, b"KDMV", "vmdk"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"conectix", "vhd"),
    (64, b"\x7f\x10\xda\xbe", "vdi"),
    (0, b"QED\0", "qed"),
];
/// Incompatible feature: guest data lives in another file.
const EXTERNAL_DATA: u64 = 1 << 2;
/// How the guest's data is encrypted.
const LUKS: u32 = 2;

pub(super) struct Header {
    bytes: Vec<u8>,
}

impl Header {
    pub(super) fn read(path: &Utf8Path, file: &mut File) -> Result<Self> {
        let mut bytes = Vec::new();
        file.take(512).read_to_end(&mut bytes).map_err(|error| file_error("reading", path, error))?;
        Ok(Self { bytes })
    }

    /// The format it looks like; raw has no look.
    fn looks_like(&self) -> Option<&'static str> {
        let found = MAGICS.iter().find(|(at, magic, _)| {
            self.bytes.get(*at..*at + magic.len()).is_some_and(|bytes| bytes == *magic)
        });
        found.map(|(_, _, name)| *name)
    }

    pub(super) fn check(&self, declared: &str) -> Result<()> {
        let refuse = |text: String| Err(Error::Image(text));
        match (declared, self.looks_like()) {
            ("raw", None) | ("qcow2", Some("qcow2")) => {}
            ("raw" | "qcow2", Some(other)) => {
                return refuse(format!("the image is declared as {declared} but is {other}"));
            }
            ("qcow2", None) => return refuse("the image is declared as qcow2 but is not".into()),
            (other, _) => {
                return refuse(format!("disk format `{other}` cannot be run here: use qcow2 or raw"));
            }
        }
        if declared == "raw" { Ok(()) } else { self.check_qcow2() }
    }

    /// Of a disk that a machine has written: a backing file is expected, no other file is.
    pub(super) fn check_overlay(&self, encrypted: bool) -> Result<()> {
        if self.looks_like() != Some("qcow2") {
            return Err(Error::Image("the machine's disk is damaged: it is no qcow2 file any more".into()));
        }
        // Else what the guest writes would be there for anybody to read.
        if encrypted && self.word(32) != LUKS {
            return Err(Error::Image("the machine's disk is damaged: it is not encrypted any more".into()));
        }
        self.check_alone(encrypted)
    }

    /// The bytes that a guest sees.
    pub(super) fn virtual_size(&self) -> u64 {
        self.long(24)
    }

    fn check_qcow2(&self) -> Result<()> {
        if self.long(8) != 0 {
            return Err(Error::Image(
                "the image needs a backing file: flatten it with `qemu-img convert`".into(),
            ));
        }
        self.check_alone(false)
    }

    fn check_alone(&self, encrypted: bool) -> Result<()> {
        let refuse = |text: &str| Err(Error::Image(text.into()));
        let version = self.word(4);
        if version != 2 && version != 3 {
            return refuse("the image's qcow2 version is neither 2 nor 3: convert it with qemu-img");
        }
        if self.word(32) != 0 && !encrypted {
            return refuse("the image is encrypted: decrypt it with `qemu-img convert`");
        }
        if version == 3 && self.long(72) & EXTERNAL_DATA != 0 {
            return refuse("the image keeps its data in another file: flatten it with `qemu-img convert`");
        }
        Ok(())
    }

    /// Missing bytes count as zero: qemu-img will say that the file is cut short.
    fn word(&self, at: usize) -> u32 {
        self.bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes)
    }

    fn long(&self, at: usize) -> u64 {
        u64::from(self.word(at)) << 32 | u64::from(self.word(at + 4))
    }
}
