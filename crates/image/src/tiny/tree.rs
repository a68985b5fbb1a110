//! The root tree of the tiny guest: a few files of Debian's, and ours.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use camino::Utf8Path;

use super::initrd::Initrd;
use super::modules::{self, Modules};
use crate::disk;
use crate::process::Command;
use crate::{Error, Result};

/// Where Debian keeps libraries of this architecture.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
const LOADER: &str = "usr/lib64/ld-linux-x86-64.so.2";

/// Debian's programs that are taken, and under which further names. All go to /usr/bin: there is no other.
const PROGRAMS: &[(&str, u32, &[&str])] = &[
    // Debian's gives the privilege up at once, except for applets such as ping that are no use without.
    ("usr/bin/busybox", 0o4755, &[]),
    ("usr/sbin/dropbear", 0o755, &[]),
    ("usr/bin/dropbearkey", 0o755, &[]),
    ("usr/bin/dbclient", 0o755, &["ssh"]),
    ("usr/bin/doas", 0o4755, &[]),
    ("usr/sbin/qemu-ga", 0o755, &[]),
    ("usr/sbin/blkid", 0o755, &[]),
    ("usr/bin/lsblk", 0o755, &[]),
    ("usr/sbin/mke2fs", 0o755, &["mkfs.ext2", "mkfs.ext3", "mkfs.ext4"]),
    ("usr/sbin/resize2fs", 0o755, &[]),
];

/// Opened by name at run time, so no program lists them.
const PAM: &[&str] = &["security/pam_permit.so", "security/pam_deny.so"];

/// The kernel's drivers in the initrd, in the order to load them; `--` is where to look for the root disk.
const DISK_DRIVERS: &[&[&str]] = &[&["virtio_blk"], &["virtio_scsi", "sd_mod"], &["ahci"]];

/// Loaded at every boot.
const BOOT_DRIVERS: &[&str] = &["virtio_net", "button", "evdev", "virtio_rng"];

/// On disk, loaded when the kernel or a script asks for them.
const OTHER_DRIVERS: &[&str] = &[
    "virtio_blk",
    "virtio_scsi",
    "sd_mod",
    "ahci",
    "sr_mod",
    "isofs",
    "vfat",
    "nls_cp437",
    "nls_ascii",
    "nls_iso8859_1",
    "nls_utf8",
    "8021q",
    "virtio_balloon",
];

/// Applets that the initrd's script calls.
const INITRD_APPLETS: &[&str] =
    &["sh", "mount", "findfs", "cat", "insmod", "sleep", "dd", "blockdev", "switch_root", "printf", "echo"];

const DIRECTORIES: &[(&str, u32)] = &[
    ("boot", 0o755),
    ("dev", 0o755),
    ("etc/dropbear", 0o700),
    ("etc/pam.d", 0o755),
    ("home/cumulet", 0o755),
    ("mnt", 0o755),
    ("proc", 0o755),
    ("root", 0o700),
    ("run", 0o755),
    ("sys", 0o755),
    ("tmp", 0o1777),
    ("usr/bin", 0o755),
    ("usr/lib/tiny", 0o755),
    ("usr/lib64", 0o755),
    ("usr/lib/x86_64-linux-gnu/security", 0o755),
    ("var/lib/tiny", 0o755),
    ("var/log", 0o755),
];

const LINKS: &[(&str, &str)] = &[
    ("bin", "usr/bin"),
    ("sbin", "usr/bin"),
    ("usr/sbin", "bin"),
    ("lib", "usr/lib"),
    ("lib64", "usr/lib64"),
    ("var/run", "../run"),
    ("var/tmp", "../tmp"),
    ("etc/resolv.conf", "../run/resolv.conf"),
    ("etc/mtab", "../proc/self/mounts"),
];

/// Our files: path, mode, text.
pub(super) const FILES: &[(&str, u32, &str)] = &[
    ("usr/lib/tiny/agent", 0o755, include_str!("guest/agent")),
    ("usr/lib/tiny/boot", 0o755, include_str!("guest/boot")),
    ("usr/lib/tiny/common", 0o644, include_str!("guest/common")),
    ("usr/lib/tiny/hotplug", 0o755, include_str!("guest/hotplug")),
    ("usr/lib/tiny/json.awk", 0o644, include_str!("guest/json.awk")),
    ("usr/lib/tiny/lease", 0o755, include_str!("guest/lease")),
    ("usr/lib/tiny/metadata", 0o755, include_str!("guest/metadata")),
    ("usr/lib/tiny/power-button", 0o755, include_str!("guest/power-button")),
    ("usr/lib/tiny/ready", 0o755, include_str!("guest/ready")),
    ("usr/bin/chpasswd", 0o755, include_str!("guest/chpasswd")),
    ("usr/bin/curl", 0o755, include_str!("guest/curl")),
    ("usr/bin/sudo", 0o755, include_str!("guest/sudo")),
    ("usr/bin/mkfs", 0o755, include_str!("guest/mkfs")),
    // What mount tries by itself; the drivers are loaded when they are asked for.
    ("etc/filesystems", 0o644, "ext4\nvfat\niso9660\n"),
    ("etc/group", 0o644, include_str!("guest/group")),
    ("etc/inittab", 0o644, include_str!("guest/inittab")),
    ("etc/issue", 0o644, include_str!("guest/issue")),
    ("etc/passwd", 0o644, include_str!("guest/passwd")),
    ("etc/profile", 0o644, include_str!("guest/profile")),
    ("etc/shadow", 0o600, include_str!("guest/shadow")),
    ("etc/doas.conf", 0o600, "permit nopass keepenv root\npermit nopass keepenv cumulet\n"),
    ("etc/hostname", 0o644, "tiny\n"),
    ("etc/hosts", 0o644, "127.0.0.1 localhost\n::1 localhost\n"),
    (
        "etc/os-release",
        0o644,
        "NAME=\"Cumulet tiny\"\nID=cumulet-tiny\nID_LIKE=debian\nPRETTY_NAME=\"Cumulet tiny\"\n",
    ),
    (
        "etc/pam.d/doas",
        0o644,
        "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n",
    ),
    (
        "etc/pam.d/other",
        0o644,
        "auth required pam_deny.so\naccount required pam_deny.so\nsession required pam_deny.so\n",
    ),
    ("etc/shells", 0o644, "/bin/sh\n"),
];

pub(super) const INIT: &str = include_str!("guest/initrd-init");

/// Fills `tree`, an empty directory, with parts of `debian`, an unpacked Debian root.
pub(super) fn assemble(debian: &Utf8Path, tree: &Utf8Path) -> Result<()> {
    skeleton(tree)?;
    for (program, mode, names) in PROGRAMS {
        take(debian, program, tree, &format!("usr/bin/{}", base(program)), *mode)?;
        for name in *names {
            link(tree, &format!("usr/bin/{name}"), base(program))?;
        }
    }
    libraries(debian, tree)?;
    take(debian, "etc/mke2fs.conf", tree, "etc/mke2fs.conf", 0o644)?;
    applets(debian, tree)?;
    kernel(debian, tree)
}

fn skeleton(tree: &Utf8Path) -> Result<()> {
    for (path, mode) in DIRECTORIES {
        let path = tree.join(path);
        fs::create_dir_all(&path).map_err(Error::io("create", &path))?;
        chmod(&path, *mode)?;
    }
    for (path, target) in LINKS {
        link(tree, path, target)?;
    }
    for (path, mode, text) in FILES {
        write(tree, path, *mode, text.as_bytes())?;
    }
    let home = tree.join("home/cumulet");
    chown(&home, Some(1000), Some(1000)).map_err(Error::io("change the owner of", &home))
}

/// All shared libraries that the programs load, told by the guest's own loader.
fn libraries(debian: &Utf8Path, tree: &Utf8Path) -> Result<()> {
    let directory = debian.join(LIBRARIES);
    let loader = real(debian, LOADER)?;
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    let programs =
        PROGRAMS.iter().map(|(path, ..)| debian.join(path)).filter(|path| base(path.as_str()) != "busybox");
    let modules = PAM.iter().map(|path| directory.join(path));
    for binary in programs.chain(modules) {
        let listed = Command::new(loader.as_str())
            .args(["--library-path", directory.as_str(), "--list", binary.as_str()])
            .output()?;
        wanted.extend(needed(&listed));
    }
    for name in wanted {
        take(debian, &format!("{LIBRARIES}/{name}"), tree, &format!("{LIBRARIES}/{name}"), 0o755)?;
    }
    for path in PAM {
        take(debian, &format!("{LIBRARIES}/{path}"), tree, &format!("{LIBRARIES}/{path}"), 0o644)?;
    }
    take(debian, LOADER, tree, LOADER, 0o755)
}

/// Library names from the loader's list: `libz.so.1 => /where/libz.so.1 (0x7f..)`. The loader itself has a path.
fn needed(listed: &str) -> impl Iterator<Item = String> + '_ {
    listed
        .lines()
        .filter_map(|line| line.split_once(" => "))
        .map(|(name, _)| name.trim().to_owned())
        .filter(|name| !name.contains('/'))
}

fn applets(debian: &Utf8Path, tree: &Utf8Path) -> Result<()> {
    let busybox = debian.join("usr/bin/busybox");
    for applet in Command::new(busybox.as_str()).arg("--list").output()?.lines() {
        let path = format!("usr/bin/{applet}");
        if fs::symlink_metadata(tree.join(&path)).is_err() {
            link(tree, &path, "busybox")?;
        }
    }
    Ok(())
}

fn kernel(debian: &Utf8Path, tree: &Utf8Path) -> Result<()> {
    let found = Modules::scan(debian)?;
    take(debian, &format!("boot/vmlinuz-{}", found.release), tree, "boot/vmlinuz", 0o644)?;
    disk::load_low(&tree.join("boot/vmlinuz"))?;

    let on_disk = found.closure(&[BOOT_DRIVERS, OTHER_DRIVERS].concat())?;
    let home = format!("usr/lib/modules/{}", found.release);
    for module in &on_disk {
        write(tree, &format!("{home}/kernel/{}.ko", module.name), 0o644, &module.code)?;
    }
    write(tree, &format!("{home}/modules.dep"), 0o644, modules::dep(&on_disk).as_bytes())?;
    write(tree, &format!("{home}/modules.alias"), 0o644, modules::alias(&on_disk).as_bytes())?;
    write(tree, "usr/lib/tiny/modules", 0o644, format!("{}\n", BOOT_DRIVERS.join("\n")).as_bytes())?;
    write(tree, "boot/initrd.cpio", 0o644, &initrd(debian, &found)?)?;
    // GRUB reads a few megabytes a second in an emulated guest; its kernel unpacks a hundred.
    let plain = tree.join("boot/initrd.cpio");
    Command::new("zstd")
        .args(["-q", "-19", "--rm", "-o", tree.join("boot/initrd").as_str(), plain.as_str()])
        .run()
}

fn initrd(debian: &Utf8Path, found: &Modules) -> Result<Vec<u8>> {
    let path = debian.join("usr/bin/busybox");
    let busybox = fs::read(&path).map_err(Error::io("read", &path))?;
    let mut initrd = Initrd::default();
    for directory in ["bin", "dev", "proc", "sys", "root", "modules"] {
        initrd.directory(directory);
    }
    initrd.file("init", 0o755, INIT.as_bytes());
    initrd.file("bin/busybox", 0o755, &busybox);
    for applet in INITRD_APPLETS {
        initrd.link(&format!("bin/{applet}"), "busybox");
    }
    let (mut order, mut packed) = (String::new(), BTreeSet::new());
    for group in DISK_DRIVERS {
        for module in found.closure(group)? {
            if packed.insert(module.name.clone()) {
                initrd.file(&format!("modules/{}.ko", module.name), 0o644, &module.code);
                order.push_str(&format!("{}\n", module.name));
            }
        }
        order.push_str("--\n");
    }
    initrd.file("modules/order", 0o644, order.as_bytes());
    Ok(initrd.finish())
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The file behind a path in `root`. Links in it are relative in Debian, so they stay inside.
fn real(root: &Utf8Path, path: &str) -> Result<camino::Utf8PathBuf> {
    let full = root.join(path);
    match full.canonicalize_utf8() {
        Ok(found) if found.starts_with(root) => Ok(found),
        _ => Err(Error::Missing { path: full, from: "from a Debian package".into() }),
    }
}

fn take(debian: &Utf8Path, from: &str, tree: &Utf8Path, to: &str, mode: u32) -> Result<()> {
    let source = real(debian, from)?;
    let content = fs::read(&source).map_err(Error::io("read", &source))?;
    write(tree, to, mode, &content)
}

fn write(tree: &Utf8Path, path: &str, mode: u32, content: &[u8]) -> Result<()> {
    let path = tree.join(path);
    let parent = path.parent().unwrap_or(tree);
    fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    fs::write(&path, content).map_err(Error::io("write", &path))?;
    chmod(&path, mode)
}

fn link(tree: &Utf8Path, path: &str, target: &str) -> Result<()> {
    let path = tree.join(path);
    symlink(target, &path).map_err(Error::io("link", &path))
}

fn chmod(path: &Utf8Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(Error::io("change the mode of", path))
}
