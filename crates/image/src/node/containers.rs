//! The container images of a node, made of static programs and, where needed, of files of the guest's own Debian.
//!
//! ```text
//! image                        files
//! kube-*, etcd, coredns        the program, users, CA certificates
//! kube-proxy, flannel          the same, and Debian's nft and iptables with their libraries and plugins
//! pause                        pause.c
//! toolbox                      busybox: sh, wget, nslookup, ping, nc, httpd, for tests and for looking around
//! ```

use std::collections::BTreeSet;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use super::names::Names;
use super::oci::{self, Entry, Image, Layer};
use crate::process::Command;
use crate::{Error, Result};

/// Debian's programs in the images that set up packet filters, and where they lie.
const FILTER_PROGRAMS: &[&str] = &["usr/sbin/nft", "usr/sbin/xtables-nft-multi", "usr/sbin/conntrack"];

/// What `xtables-nft-multi` is called as.
const FILTER_NAMES: &[&str] = &[
    "iptables",
    "iptables-save",
    "iptables-restore",
    "iptables-nft",
    "iptables-nft-save",
    "iptables-nft-restore",
    "ip6tables",
    "ip6tables-save",
    "ip6tables-restore",
    "ip6tables-nft",
    "ip6tables-nft-save",
    "ip6tables-nft-restore",
];

/// iptables loads these by name: without them a rule with `-m statistic` fails, and with it every service.
const FILTER_PLUGINS: &str = "usr/lib/x86_64-linux-gnu/xtables";

/// What storage's node plugin calls to find, make, check, grow and mount file systems. Scripts among them need a shell.
const STORAGE_PROGRAMS: &[&str] = &[
    "usr/bin/dash",
    "usr/bin/findmnt",
    "usr/bin/mount",
    "usr/bin/udevadm",
    "usr/bin/umount",
    "usr/sbin/blkid",
    "usr/sbin/blockdev",
    "usr/sbin/dumpe2fs",
    "usr/sbin/e2fsck",
    "usr/sbin/fsck",
    "usr/sbin/mke2fs",
    "usr/sbin/mkfs.xfs",
    "usr/sbin/resize2fs",
    "usr/sbin/xfs_db",
    "usr/sbin/xfs_io",
    "usr/sbin/xfs_growfs",
    "usr/sbin/xfs_repair",
];
const STORAGE_FILES: &[&str] = &["etc/mke2fs.conf", "usr/sbin/fsck.xfs"];
/// The same programs by other names.
const STORAGE_NAMES: &[(&str, &str)] = &[
    ("usr/bin/sh", "dash"),
    ("usr/sbin/fsck.ext2", "e2fsck"),
    ("usr/sbin/fsck.ext3", "e2fsck"),
    ("usr/sbin/fsck.ext4", "e2fsck"),
    ("usr/sbin/mkfs.ext2", "mke2fs"),
    ("usr/sbin/mkfs.ext3", "mke2fs"),
    ("usr/sbin/mkfs.ext4", "mke2fs"),
];

const PASSWD: &str = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n\
                      nobody:x:65534:65534:nobody:/:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nnonroot:x:65532:\nnobody:x:65534:\n";
const NONROOT: &str = "65532:65532";

const PAUSE: &str = include_str!("pause.c");

/// What of ours goes into the images as it is, for the cache key.
pub(super) fn texts() -> String {
    let mut text = [PASSWD, GROUP, PAUSE].concat();
    text += &STORAGE_PROGRAMS.concat();
    text += &STORAGE_FILES.concat();
    text
}

/// What the images are made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sources<'a> {
    /// A directory with all the programs we built.
    pub programs: &'a Utf8Path,
    /// The guest's root file system.
    pub root: &'a Utf8Path,
    /// Layers are written here.
    pub scratch: &'a Utf8Path,
}

/// Writes the layers and returns the images.
///
/// # Errors
/// A program is missing, or a layer cannot be written.
pub(super) fn images(sources: Sources<'_>, names: &Names) -> Result<Vec<Image>> {
    let base = sources.layer("base", &base(sources.root))?;
    let filter = sources.layer("filter", &filter(sources.root)?)?;
    let busybox = sources.layer("busybox", &busybox(sources.root)?)?;
    let program = |name: &str, path: &str| {
        let entry = Entry::program(path, sources.programs.join(name));
        sources.layer(name, &[entry])
    };
    let mut images = Vec::new();
    for name in ["kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
        images.push(Image {
            names: vec![names.kubernetes(name)],
            layers: vec![base.clone(), program(name, &format!("usr/local/bin/{name}"))?],
            ..Image::default()
        });
    }
    images.push(Image {
        names: vec![names.kubernetes("kube-proxy")],
        layers: vec![base.clone(), filter.clone(), program("kube-proxy", "usr/local/bin/kube-proxy")?],
        ..Image::default()
    });
    let etcd = ["etcd", "etcdctl"]
        .map(|name| Entry::program(format!("usr/local/bin/{name}"), sources.programs.join(name)));
    images.push(Image {
        names: vec![names.etcd.clone()],
        layers: vec![base.clone(), sources.layer("etcd", &etcd)?],
        ..Image::default()
    });
    images.push(Image {
        names: vec![names.coredns.clone()],
        layers: vec![base.clone(), program("coredns", "coredns")?],
        entrypoint: vec!["/coredns".into()],
        user: NONROOT.into(),
        ..Image::default()
    });
    images.push(Image {
        names: vec![names.pause.clone()],
        layers: vec![sources.pause()?],
        entrypoint: vec!["/pause".into()],
        user: "65535:65535".into(),
        ..Image::default()
    });
    images.push(Image {
        names: vec![names.flannel.clone()],
        layers: vec![base.clone(), filter, busybox.clone(), program("flanneld", "opt/bin/flanneld")?],
        entrypoint: vec!["/opt/bin/flanneld".into()],
        ..Image::default()
    });
    let storage = sources.layer("storage", &storage(sources.root)?)?;
    for (name, image) in &names.addons {
        let mut layers = vec![base.clone()];
        if *name == "cinder-csi-plugin" {
            layers.push(storage.clone());
        }
        // As upstream's: those of the cloud provider have their program in /bin, as a command that arguments replace, those
        // of storage in /, as an entry point that arguments follow.
        let provider = image.contains("/provider-os/");
        let at = if provider { format!("usr/bin/{name}") } else { (*name).to_owned() };
        layers.push(program(name, &at)?);
        let start = vec![format!("/{}", at.trim_start_matches("usr/"))];
        let (entrypoint, command) = if provider { (Vec::new(), start) } else { (start, Vec::new()) };
        images.push(Image { names: vec![image.clone()], layers, entrypoint, command, ..Image::default() });
    }
    images.push(Image {
        names: vec![names.toolbox.clone()],
        layers: vec![base, busybox],
        command: vec!["sh".into()],
        ..Image::default()
    });
    Ok(images)
}

impl Sources<'_> {
    fn layer(&self, name: &str, entries: &[Entry]) -> Result<Layer> {
        oci::layer(&self.scratch.join(format!("layer-{name}.tar")), entries)
    }

    fn pause(&self) -> Result<Layer> {
        let program = self.scratch.join("pause");
        Command::new("gcc")
            .args(["-Os", "-static", "-s", "-Wall", "-Werror", "-x", "c", "-o", program.as_str(), "-"])
            .stdin(PAUSE)
            .run()?;
        self.layer("pause", &[Entry::program("pause", program)])
    }
}

/// The directories of any image, and the certificates to trust.
fn base(root: &Utf8Path) -> Vec<Entry> {
    let mut entries: Vec<Entry> =
        ["dev", "etc", "proc", "root", "run", "sys", "usr/local/bin", "var"].map(Entry::directory).into();
    for (name, target) in
        [("bin", "usr/bin"), ("sbin", "usr/sbin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")]
    {
        entries.push(Entry::directory(target));
        entries.push(Entry::symlink(name, target));
    }
    entries.push(Entry::Directory { path: "tmp".into(), mode: 0o1777 });
    entries.push(Entry::text("etc/passwd", PASSWD));
    entries.push(Entry::text("etc/group", GROUP));
    // Without it Go asks DNS before /etc/hosts.
    entries.push(Entry::text("etc/nsswitch.conf", "hosts: files dns\n"));
    let bundle = "etc/ssl/certs/ca-certificates.crt";
    entries.push(Entry::File { path: bundle.into(), mode: 0o644, source: root.join(bundle) });
    entries
}

fn filter(root: &Utf8Path) -> Result<Vec<Entry>> {
    let mut files: Vec<String> = FILTER_PROGRAMS.iter().map(|&path| path.to_owned()).collect();
    let plugins = root.join(FILTER_PLUGINS);
    for plugin in plugins.read_dir_utf8().map_err(Error::io("read", &plugins))? {
        let plugin = plugin.map_err(Error::io("read", &plugins))?;
        files.push(format!("{FILTER_PLUGINS}/{}", plugin.file_name()));
    }
    files.sort();
    // The plugins are asked too: libxt_statistic needs libm, which no program does.
    let mut entries = with_libraries(root, files)?;
    entries.extend(
        FILTER_NAMES.iter().map(|name| Entry::symlink(format!("usr/sbin/{name}"), "xtables-nft-multi")),
    );
    Ok(entries)
}

fn storage(root: &Utf8Path) -> Result<Vec<Entry>> {
    // Some are scripts, which need no library.
    let (binaries, scripts): (Vec<&str>, Vec<&str>) = STORAGE_PROGRAMS
        .iter()
        .copied()
        .partition(|path| fs::read(root.join(path)).is_ok_and(|content| content.starts_with(b"\x7fELF")));
    let mut entries = with_libraries(root, binaries.into_iter().map(str::to_owned).collect())?;
    for path in scripts.into_iter().chain(STORAGE_FILES.iter().copied()) {
        entries.push(Entry::program(path, inside(root, path)?));
    }
    entries.extend(STORAGE_NAMES.iter().map(|(path, target)| Entry::symlink(*path, *target)));
    Ok(entries)
}

/// Programs and libraries of the guest's root, with the libraries that they need.
fn with_libraries(root: &Utf8Path, files: Vec<String>) -> Result<Vec<Entry>> {
    let mut told = Command::new("chroot").args([root.as_str(), "ldd"]);
    told = told.args(files.iter().map(|file| format!("/{file}")));
    let mut entries: Vec<Entry> = Vec::new();
    for library in libraries(&told.output()?) {
        let path = library.trim_start_matches('/').to_owned();
        // /lib is a link to /usr/lib in both.
        let path = if path.starts_with("lib") { format!("usr/{path}") } else { path };
        entries.push(Entry::program(path.clone(), inside(root, &path)?));
    }
    for file in files {
        let source = inside(root, &file)?;
        entries.push(Entry::program(file, source));
    }
    Ok(entries)
}

/// The paths of libraries in what ldd says.
fn libraries(ldd: &str) -> BTreeSet<&str> {
    ldd.lines()
        // A line that starts with a program's path ends with a colon; those of libraries are indented.
        .filter(|line| line.starts_with(char::is_whitespace))
        .filter_map(|line| {
            let line = line.trim();
            let path = line.split_once(" => ").map_or(line, |(_, path)| path);
            path.split_whitespace().next().filter(|path| path.starts_with('/'))
        })
        .collect()
}

/// The file behind `path` in the guest's root, whose absolute links must not lead to this machine's files.
fn inside(root: &Utf8Path, path: &str) -> Result<Utf8PathBuf> {
    let mut path = root.join(path);
    for _ in 0..8 {
        let meta = fs::symlink_metadata(&path).map_err(Error::io("read", &path))?;
        if !meta.is_symlink() {
            return Ok(path);
        }
        let target = path.read_link_utf8().map_err(Error::io("read", &path))?;
        path = match target.strip_prefix("/") {
            Ok(target) => root.join(target),
            Err(_) => path.parent().unwrap_or(root).join(target),
        };
    }
    Err(Error::Invalid { what: path.to_string(), why: "it is a link to a link without end".into() })
}

fn busybox(root: &Utf8Path) -> Result<Vec<Entry>> {
    let program = root.join("usr/bin/busybox");
    if !program.exists() {
        return Err(Error::Missing { path: program, from: "from the package busybox-static".into() });
    }
    let listed = Command::new(program.as_str()).arg("--list").output()?;
    let mut entries = vec![Entry::program("usr/bin/busybox", program)];
    for name in listed.lines().filter(|name| !name.is_empty() && *name != "busybox") {
        entries.push(Entry::symlink(format!("usr/bin/{name}"), "busybox"));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_read_from_ldd() {
        let said = "/usr/sbin/nft:\n\
                    \tlinux-vdso.so.1 (0x00007f4ae43e1000)\n\
                    \tlibnftables.so.1 => /lib/x86_64-linux-gnu/libnftables.so.1 (0x00007f4ae42d5000)\n\
                    \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f4ae40a6000)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f4ae43e3000)\n\
                    /usr/lib/xtables/libxt_statistic.so:\n\
                    \tstatically linked\n\
                    \tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x0)\n\
                    \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x0)\n";
        assert_eq!(
            libraries(said).into_iter().collect::<Vec<_>>(),
            [
                "/lib/x86_64-linux-gnu/libc.so.6",
                "/lib/x86_64-linux-gnu/libm.so.6",
                "/lib/x86_64-linux-gnu/libnftables.so.1",
                "/lib64/ld-linux-x86-64.so.2",
            ]
        );
    }

    #[test]
    fn links_stay_inside_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        fs::create_dir_all(root.join("etc/alternatives")).unwrap();
        fs::create_dir_all(root.join("usr/bin")).unwrap();
        fs::write(root.join("usr/bin/real"), "x").unwrap();
        std::os::unix::fs::symlink("real", root.join("usr/bin/relative")).unwrap();
        std::os::unix::fs::symlink("/usr/bin/relative", root.join("etc/alternatives/it")).unwrap();
        std::os::unix::fs::symlink("/etc/alternatives/it", root.join("usr/bin/it")).unwrap();
        std::os::unix::fs::symlink("loop", root.join("loop")).unwrap();
        assert_eq!(inside(&root, "usr/bin/it").unwrap(), root.join("usr/bin/real"));
        assert!(matches!(inside(&root, "loop"), Err(Error::Invalid { .. })));
    }
}
