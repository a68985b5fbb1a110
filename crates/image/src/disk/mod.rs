//! A root tree made into a disk that boots by BIOS from itself, as any Glance image must; without loop mounts.
//!
//! ```text
//! LBA 0      440 bytes of GRUB's boot.img, then the partition table (sfdisk's, untouched)
//! LBA 1      GRUB's core.img: the modules that find /boot/grub/grub.cfg on partition 1
//! LBA 2048   partition 1, ext4, filled by `mke2fs -d`; reaches to the end of the disk
//! ```
//!
//! The raw disk is then made a zstd-compressed qcow2. Ownership in the tree is kept, so the tree must be owned
//! as the guest shall see it: build as root.

mod grub;
mod kernel;

use std::fs::File;

use camino::{Utf8Path, Utf8PathBuf};

use crate::process::{self, Command};
use crate::{Error, Result};

pub use kernel::load_low;

/// What to make a disk of.
#[derive(Debug, Clone)]
pub struct DiskPlan<'a> {
    pub root: Root<'a>,
    /// Size of the whole disk. A guest may grow its last partition when its flavor's disk is larger.
    pub size_mib: u64,
    /// Label of the root file system, for `root=LABEL=...`; at most 16 bytes.
    pub label: &'a str,
    /// Path of the kernel in the root tree, `/boot/vmlinuz`; symbolic links are followed by GRUB.
    pub kernel: &'a str,
    pub initrd: Option<&'a str>,
    /// The kernel's command line; `root=` is the caller's to write.
    pub cmdline: &'a str,
    /// Where the qcow2 goes.
    pub out: &'a Utf8Path,
}

/// Where the files come from.
#[derive(Debug, Clone)]
pub enum Root<'a> {
    /// A directory; `/boot/grub/grub.cfg` is written into it.
    Dir(&'a Utf8Path),
    /// A tar, unpacked into a temporary directory first.
    Tar(&'a Utf8Path),
}

/// Partition 1 begins here, in sectors of 512 bytes: room for GRUB before it, aligned for any disk.
const FIRST_SECTOR: u64 = 2048;
const SECTOR: u64 = 512;

/// Programs that [`build`] runs.
const PROGRAMS: &[&str] = &["sfdisk", "mke2fs", "grub-mkimage", "qemu-img", "tar"];

/// Checks that [`build`] will find what it needs, before anything costly is done.
///
/// # Errors
/// A program is missing, or no root.
pub fn require() -> Result<()> {
    process::require(PROGRAMS)?;
    process::require_root("building a disk image")?;
    grub::require()
}

/// Builds the disk and returns the path of the qcow2, `plan.out`. What it needs meanwhile lies beside it.
///
/// # Errors
/// A program is missing or fails (a tree larger than the disk is said by mke2fs), no root, or the disk is full.
pub fn build(plan: &DiskPlan<'_>) -> Result<Utf8PathBuf> {
    require()?;
    let parent = plan.out.parent().filter(|dir| !dir.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    let scratch = tempfile::Builder::new()
        .prefix(".disk-")
        .tempdir_in(parent)
        .map_err(Error::io("create a directory in", parent))?;
    let scratch = Utf8Path::from_path(scratch.path()).unwrap_or(parent);

    let unpacked = scratch.join("root");
    let root = match plan.root {
        Root::Dir(dir) => dir,
        Root::Tar(tar) => {
            unpack(tar, &unpacked)?;
            &unpacked
        }
    };
    grub::write_config(root, plan)?;

    let raw = scratch.join("disk.raw");
    partition(&raw, plan.size_mib)?;
    format(&raw, root, plan)?;
    grub::install(&raw, scratch)?;
    compress(&raw, plan.out)?;
    Ok(plan.out.to_owned())
}

/// Unpacks a tar of a root file system into a new directory, with owners and extended attributes.
///
/// # Errors
/// tar fails, or the disk is full.
pub fn unpack(tar: &Utf8Path, into: &Utf8Path) -> Result<()> {
    std::fs::create_dir_all(into).map_err(Error::io("create", into))?;
    Command::new("tar")
        .args(["--extract", "--numeric-owner", "--same-owner", "--preserve-permissions", "--xattrs"])
        .args(["--xattrs-include=*", "--file", tar.as_str(), "--directory", into.as_str()])
        .dir(into)
        .run()
}

fn partition(raw: &Utf8Path, size_mib: u64) -> Result<()> {
    let file = File::create(raw).map_err(Error::io("create", raw))?;
    file.set_len(size_mib << 20).map_err(Error::io("size", raw))?;
    drop(file);
    Command::new("sfdisk").args(["--quiet", "--no-reread", raw.as_str()]).stdin(table()).run()
}

/// One bootable Linux partition to the end of the disk, for sfdisk.
fn table() -> String {
    format!("label: dos\nunit: sectors\nstart={FIRST_SECTOR}, type=83, bootable\n")
}

fn format(raw: &Utf8Path, root: &Utf8Path, plan: &DiskPlan<'_>) -> Result<()> {
    mke2fs(raw, root, plan).run()
}

fn mke2fs(raw: &Utf8Path, root: &Utf8Path, plan: &DiskPlan<'_>) -> Command {
    let offset = FIRST_SECTOR * SECTOR;
    let size_kib = (plan.size_mib << 10) - (offset >> 10);
    Command::new("mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-i", "16384", "-m", "1"])
        // All features by name, so that neither this machine's mke2fs.conf nor its age decides what the guest's
        // kernel and GRUB must read: GRUB 2.06 knows neither metadata_csum_seed nor orphan_file.
        .args(["-O", FEATURES])
        // Tables written now are not written by every guest at its first mount, into its own overlay.
        .args(["-E", &format!("offset={offset},nodiscard,lazy_itable_init=0,lazy_journal_init=0")])
        .args(["-L", plan.label, "-d", root.as_str(), raw.as_str(), &format!("{size_kib}k")])
}

const FEATURES: &str = "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,\
                        large_file,huge_file,dir_nlink,extra_isize,metadata_csum";

fn compress(raw: &Utf8Path, out: &Utf8Path) -> Result<()> {
    Command::new("qemu-img")
        .args(["convert", "-f", "raw", "-O", "qcow2", "-c", "-o", "compression_type=zstd"])
        .args([raw.as_str(), out.as_str()])
        .run()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(out: &Utf8Path) -> DiskPlan<'_> {
        DiskPlan {
            root: Root::Dir(Utf8Path::new("/tree")),
            size_mib: 64,
            label: "root",
            kernel: "/boot/vmlinuz",
            initrd: Some("/boot/initrd"),
            cmdline: "root=LABEL=root quiet",
            out,
        }
    }

    #[test]
    fn file_system_fills_the_partition() {
        let plan = plan(Utf8Path::new("/out.qcow2"));
        let shown = mke2fs(Utf8Path::new("/disk.raw"), Utf8Path::new("/tree"), &plan).to_string();
        assert_eq!(
            shown,
            "mke2fs -q -F -t ext4 -b 4096 -I 256 -i 16384 -m 1 -O none,has_journal,ext_attr,resize_inode,dir_index,\
             filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum \
             -E offset=1048576,nodiscard,lazy_itable_init=0,lazy_journal_init=0 -L root -d /tree /disk.raw 64512k"
        );
    }

    #[test]
    fn partition_table() {
        assert_eq!(table(), "label: dos\nunit: sectors\nstart=2048, type=83, bootable\n");
    }

    #[test]
    fn grub_config() {
        assert_eq!(
            grub::config(&plan(Utf8Path::new("/out.qcow2"))),
            "set timeout=0\n\
             serial --unit=0 --speed=115200\n\
             terminal_output serial console\n\
             menuentry 'Linux' {\n\
             \tlinux /boot/vmlinuz root=LABEL=root quiet\n\
             \tinitrd /boot/initrd\n\
             }\n"
        );
    }
}
