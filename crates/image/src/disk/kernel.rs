//! A word to the kernel's header that saves an emulated guest seconds of its boot.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use camino::Utf8Path;

use crate::{Error, Result};

/// `HdrS` in the setup header of a bzImage (Linux, Documentation/arch/x86/boot.rst).
const MAGIC: (u64, [u8; 4]) = (0x202, *b"HdrS");
/// The field `relocatable_kernel`.
const RELOCATABLE: u64 = 0x234;

/// Says in a kernel's header that it is not relocatable, so that GRUB loads it where the boot protocol has always
/// had it, at 1 MiB, as long as its file.
///
/// For a relocatable kernel GRUB reserves all the room in which the kernel will unpack itself (60 MB) at the address
/// it prefers, and fills that by moving it there byte by byte from 1 MiB: two seconds under emulation. The kernel
/// itself does not read the field; from wherever it was put it unpacks to the address it was linked for.
///
/// # Errors
/// The file is not a bzImage, or cannot be written.
pub fn load_low(kernel: &Utf8Path) -> Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(kernel).map_err(Error::io("open", kernel))?;
    let mut magic = [0; 4];
    let read = file.read_exact_at(&mut magic, MAGIC.0);
    if read.is_err() || magic != MAGIC.1 {
        return Err(Error::Invalid { what: kernel.to_string(), why: "it is not a Linux bzImage".into() });
    }
    file.write_all_at(&[0], RELOCATABLE).map_err(Error::io("write", kernel))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_of_a_kernel_changes_and_nothing_else_is_touched() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path()).unwrap().join("vmlinuz");
        let mut kernel = vec![7; 0x400];
        kernel[0x202..0x206].copy_from_slice(b"HdrS");
        std::fs::write(&path, &kernel).unwrap();
        load_low(&path).unwrap();
        kernel[0x234] = 0;
        assert_eq!(std::fs::read(&path).unwrap(), kernel);
        std::fs::write(&path, "short").unwrap();
        assert!(matches!(load_low(&path), Err(Error::Invalid { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"short");
    }
}
