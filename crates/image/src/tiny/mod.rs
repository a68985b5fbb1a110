//! The tiny guest: a real Linux to test a cloud with, in a few megabytes.
//!
//! Debian's cloud kernel, busybox, dropbear and a dozen lines of shell for each thing a cloud expects of a guest:
//! DHCP with classless routes and MTU, SLAAC, a config drive or the metadata service, ssh keys, host name, user
//! data, a power button, growth of the root file system, interfaces attached while it runs, QEMU's guest agent.
//!
//! ```text
//! GRUB ─> kernel ─> initrd/init ─> busybox init ─> boot ─┬─> dropbear            (at once)
//!                   find and grow                        ├─> udhcpc per eth*     ─> lease
//!                   the root disk                        ├─> metadata            ─> keys, name, user data
//!                                                        └─> power-button, hotplug
//!                                  ready (waits for metadata, prints addresses) ─> getty on ttyS0 and tty1, agent
//! ```
//!
//! The files of the guest lie in `guest/`, by the names they have there.

mod initrd;
mod modules;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;
use std::fs;

use camino::Utf8Path;

use crate::cache::{Entry, Shelf};
use crate::debian::{self, Bootstrap, Variant};
use crate::disk::{self, DiskPlan, Root};
use crate::process;
use crate::{BuiltImage, Cache, Error, Key, Result, Watch, step};

/// Users that the keys are installed for; the first is the one to log in as.
pub const USERS: &[&str] = &["cumulet", "root"];

const NAME: &str = "tiny";
const LABEL: &str = "cumulet-tiny";
const SIZE_MIB: u64 = 80;

/// Least memory it was seen to boot and work in.
const MIN_RAM_MIB: u64 = 96;

/// Raise when the code that builds the image changes what comes out; files and packages are in the key anyway.
const RECIPE: &str = "tiny/4";

/// The last console is where init and its scripts speak: the serial line, which the cloud's console log shows.
/// Mitigations cost an emulated guest dearly and protect nothing in it.
const CMDLINE: &str =
    "root=LABEL=cumulet-tiny console=tty0 console=ttyS0,115200 net.ifnames=0 mitigations=off panic=10";

const PACKAGES: &[&str] = &[
    "linux-image-cloud-amd64",
    "busybox-static",
    "dropbear-bin",
    "opendoas",
    "libpam-modules",
    "e2fsprogs",
    "qemu-guest-agent",
    "util-linux",
];

const UNWANTED: &[&str] = &["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*"];

const PARTS: Bootstrap<'_> = Bootstrap {
    suite: "trixie",
    variant: Variant::Extract,
    packages: PACKAGES,
    exclude: UNWANTED,
    hooks: &[],
};

/// Programs that a build runs on this machine, apart from those of [`disk`].
const PROGRAMS: &[&str] = &["mmdebstrap", "tar", "xz", "zstd"];

/// Builds the image, or takes it from the cache; `images/tiny.qcow2` in the cache points to it afterwards.
///
/// # Errors
/// A program is missing, no root, Debian's mirror cannot be reached, or the disk is full.
pub fn build(cache: &Cache, watch: Watch<'_>) -> Result<BuiltImage> {
    let made = cache.file(Shelf::Images, NAME, ".qcow2", &key(), |out| {
        process::require(PROGRAMS)?;
        disk::require()?;
        let parts = cache.file(Shelf::Parts, "tiny-debian", ".tar", &PARTS.key(), |out| {
            step(watch, "download Debian packages", || debian::bootstrap(&PARTS, out))
        })?;
        if parts.reused {
            watch(crate::Step::Reused { name: "download Debian packages" });
        }
        step(watch, "build the tiny image", || make(cache, &parts.path, out))
    })?;
    if made.reused {
        watch(crate::Step::Reused { name: "build the tiny image" });
    }
    cache.point("tiny.qcow2", &made)?;
    Ok(described(made))
}

/// The image, if this version of it was built already.
///
/// # Errors
/// The cache cannot be read.
pub fn built(cache: &Cache) -> Result<Option<BuiltImage>> {
    Ok(cache.find(Shelf::Images, NAME, ".qcow2", &key())?.map(described))
}

fn described(made: Entry) -> BuiltImage {
    BuiltImage {
        path: made.path,
        name: NAME.into(),
        disk_format: "qcow2".into(),
        min_disk_gib: 0,
        min_ram_mib: MIN_RAM_MIB,
        properties: properties(),
        sha256: made.sha256,
    }
}

fn make(cache: &Cache, parts: &Utf8Path, out: &Utf8Path) -> Result<()> {
    let work = cache.workspace()?;
    let (debian, tree) = (work.path().join("debian"), work.path().join("tree"));
    disk::unpack(parts, &debian)?;
    fs::create_dir(&tree).map_err(Error::io("create", &tree))?;
    tree::assemble(&debian, &tree)?;
    disk::build(&DiskPlan {
        root: Root::Dir(&tree),
        size_mib: SIZE_MIB,
        label: LABEL,
        kernel: "/boot/vmlinuz",
        initrd: Some("/boot/initrd"),
        cmdline: CMDLINE,
        out,
    })
    .map(drop)
}

fn key() -> Key {
    let mut key = Key::new(RECIPE)
        .with("parts", PARTS.key().hex())
        .with("size", SIZE_MIB.to_string())
        .with("cmdline", CMDLINE)
        .with("init", tree::INIT);
    for (path, mode, text) in tree::FILES {
        key = key.with(&format!("{path} {mode:o}"), text);
    }
    key
}

fn properties() -> BTreeMap<String, String> {
    [
        ("architecture", "x86_64"),
        ("hw_disk_bus", "virtio"),
        ("hw_vif_model", "virtio"),
        ("hw_rng_model", "virtio"),
        ("os_admin_user", "cumulet"),
        ("os_distro", "debian"),
        ("os_type", "linux"),
        ("os_version", "13"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}
