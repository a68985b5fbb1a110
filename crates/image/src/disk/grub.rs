//! GRUB for BIOS, put into place by hand: grub-install wants a block device, and this is a file.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use camino::Utf8Path;

use super::{DiskPlan, FIRST_SECTOR, SECTOR};
use crate::process::Command;
use crate::{Error, Result};

/// The building machine's GRUB for BIOS, from the package grub-pc-bin.
const LIBRARY: &str = "/usr/lib/grub/i386-pc";

/// boot.img's code: what follows it in LBA 0 is the disk's signature and the partition table.
const BOOT_CODE: usize = 440;

/// What core.img needs to find and read grub.cfg and the kernel on partition 1.
const MODULES: &[&str] = &["biosdisk", "part_msdos", "ext2", "linux", "normal", "serial"];

pub(super) fn require() -> Result<()> {
    if Utf8Path::new(LIBRARY).join("boot.img").exists() {
        return Ok(());
    }
    Err(Error::MissingProgram { program: format!("{LIBRARY}/boot.img"), package: "grub-pc-bin".into() })
}

pub(super) fn config(plan: &DiskPlan<'_>) -> String {
    let initrd = plan.initrd.map(|path| format!("\tinitrd {path}\n")).unwrap_or_default();
    // Output goes to the serial line too, so that a kernel that cannot be loaded is seen in the console log.
    format!(
        "set timeout=0\n\
         serial --unit=0 --speed=115200\n\
         terminal_output serial console\n\
         menuentry 'Linux' {{\n\
         \tlinux {} {}\n\
         {initrd}\
         }}\n",
        plan.kernel, plan.cmdline
    )
}

pub(super) fn write_config(root: &Utf8Path, plan: &DiskPlan<'_>) -> Result<()> {
    for path in [Some(plan.kernel), plan.initrd].into_iter().flatten() {
        let file = root.join(path.trim_start_matches('/'));
        if fs::symlink_metadata(&file).is_err() {
            return Err(Error::Missing { path: file, from: "in the root tree of the image".into() });
        }
    }
    let dir = root.join("boot/grub");
    fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
    let path = dir.join("grub.cfg");
    fs::write(&path, config(plan)).map_err(Error::io("write", &path))
}

pub(super) fn install(raw: &Utf8Path, scratch: &Utf8Path) -> Result<()> {
    let core_path = scratch.join("core.img");
    Command::new("grub-mkimage")
        // A prefix without a disk means the disk it was booted from, whatever the BIOS calls it.
        .args(["-O", "i386-pc", "-d", LIBRARY, "-p", "(,msdos1)/boot/grub", "-o", core_path.as_str()])
        .args(MODULES)
        .run()?;
    let core = fs::read(&core_path).map_err(Error::io("read", &core_path))?;
    let room = (FIRST_SECTOR - 1) * SECTOR;
    if core.len() as u64 > room {
        return Err(Error::Invalid {
            what: "GRUB's core.img".into(),
            why: format!("{} bytes do not fit into the {room} before the first partition", core.len()),
        });
    }
    let boot_path = Utf8Path::new(LIBRARY).join("boot.img");
    let boot = fs::read(&boot_path).map_err(Error::io("read", &boot_path))?;
    let code = boot.get(..BOOT_CODE).ok_or_else(|| Error::Invalid {
        what: boot_path.to_string(),
        why: format!("it has {} bytes, fewer than {BOOT_CODE}", boot.len()),
    })?;
    let disk = OpenOptions::new().write(true).open(raw).map_err(Error::io("open", raw))?;
    // core.img was built to lie at LBA 1 (boot.img and its own block list say so): contiguous, unmoved.
    disk.write_all_at(code, 0)
        .and_then(|()| disk.write_all_at(&core, SECTOR))
        .map_err(Error::io("write", raw))
}
