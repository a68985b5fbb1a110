//! The guest's scripts, run here where they can be, and the whole build where the machine has what it needs.

use std::io::Write;

use camino::{Utf8Path, Utf8PathBuf};

use super::{LABEL, PROGRAMS, build, key, tree};
use crate::process::{self, Command};
use crate::{Cache, Error, silent};

fn temporary() -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
    (dir, path)
}

fn guest_file(path: &str) -> &'static str {
    tree::FILES.iter().find(|(name, ..)| *name == path).unwrap().2
}

/// Says so where it is seen: this machine cannot do what the test is about.
fn skipped(test: &str, why: &Error) {
    let line = format!("\n*** SKIPPED: {test}: {why}\n");
    // Past the test harness, which hides what a passing test prints.
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

#[test]
fn scripts_parse() {
    let (_dir, dir) = temporary();
    let scripts = tree::FILES
        .iter()
        .filter(|(_, _, text)| text.starts_with("#!/bin/sh"))
        .map(|(path, _, text)| (*path, *text));
    for (path, text) in scripts.chain([("init", tree::INIT), ("common", guest_file("usr/lib/tiny/common"))]) {
        let file = dir.join("script");
        std::fs::write(&file, text).unwrap();
        Command::new("sh").args(["-n", file.as_str()]).run().unwrap_or_else(|err| panic!("{path}: {err}"));
    }
}

#[test]
fn init_looks_for_the_label_that_the_disk_gets() {
    assert!(tree::INIT.contains(&format!("LABEL={LABEL}\n")));
    assert!(super::CMDLINE.contains(&format!("root=LABEL={LABEL} ")));
}

#[test]
fn metadata_is_flattened() {
    // Any awk does: the guest has busybox's.
    if let Err(err) = process::require(&["awk"]) {
        return skipped("metadata_is_flattened", &err);
    }
    let (_dir, dir) = temporary();
    let program = dir.join("json.awk");
    std::fs::write(&program, guest_file("usr/lib/tiny/json.awk")).unwrap();
    let json = r#"{"uuid": "11-22", "public_keys": {"my, {key}": "ssh-rsa AAAA me@\"here\"\n"},
        "keys": [{"name": "a", "data": "x\\y"}, {"name": "b"}], "launch_index": 0, "random_seed": null,
        "meta": {}, "list": [], "devices": [[1, 2], []], "last": true}"#;
    let flat = Command::new("awk").args(["-f", program.as_str()]).stdin(json).output().unwrap();
    assert_eq!(
        flat,
        "uuid\t11-22\n\
         public_keys.my, {key}\tssh-rsa AAAA me@\"here\"\n\
         keys.0.name\ta\n\
         keys.0.data\tx\\y\n\
         keys.1.name\tb\n\
         launch_index\t0\n\
         random_seed\tnull\n\
         devices.0.0\t1\n\
         devices.0.1\t2\n\
         last\ttrue\n"
    );
}

/// Runs the guest's lease script with an `ip` that only writes down what it is asked.
fn lease(event: &str, env: &[(&str, &str)]) -> (String, String) {
    let (_dir, dir) = temporary();
    let common = guest_file("usr/lib/tiny/common")
        .replace("PATH=/usr/bin", "PATH=/usr/bin:/bin")
        .replace("RUN=/run/tiny", &format!("RUN={dir}"))
        .replace(">/dev/console", ">/dev/null");
    let recorder = format!("ip() {{ echo ip \"$@\" >>{dir}/calls; }}\n");
    std::fs::write(dir.join("common"), common + &recorder).unwrap();
    let script = guest_file("usr/lib/tiny/lease")
        .replace("/usr/lib/tiny/common", dir.join("common").as_str())
        .replace("/run/resolv.conf", dir.join("resolv.conf").as_str());
    std::fs::write(dir.join("lease"), script).unwrap();
    let command = Command::new("sh").args([dir.join("lease").as_str(), event]).env("interface", "eth0");
    env.iter().fold(command, |command, (name, value)| command.env(name, value)).run().unwrap();
    let read = |path: &Utf8Path| std::fs::read_to_string(path).unwrap_or_default();
    (read(&dir.join("calls")), read(&dir.join("resolv.conf")))
}

const LEASE: &[(&str, &str)] = &[
    ("ip", "10.0.0.5"),
    ("mask", "24"),
    ("router", "10.0.0.1"),
    ("dns", "10.0.0.2 10.0.0.3"),
    ("domain", "cloud.test"),
];

#[test]
fn lease_without_classless_routes() {
    let (calls, resolver) = lease("bound", LEASE);
    assert_eq!(
        calls,
        "ip -4 -o addr show dev eth0\n\
         ip -4 route flush dev eth0\n\
         ip -4 addr flush dev eth0\n\
         ip -4 addr add 10.0.0.5/24 broadcast + dev eth0\n\
         ip -4 route replace default via 10.0.0.1 dev eth0 onlink metric 100\n"
    );
    assert_eq!(resolver, "search cloud.test\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n");
}

#[test]
fn classless_routes_replace_the_router() {
    let routes = "169.254.169.254/32 10.0.0.2 10.1.0.0/16 0.0.0.0 0.0.0.0/0 10.0.0.9";
    let (calls, _) = lease("bound", &[LEASE, &[("staticroutes", routes), ("mtu", "1400")]].concat());
    assert!(
        calls.ends_with(
            "ip link set eth0 mtu 1400\n\
             ip -4 route replace 169.254.169.254/32 via 10.0.0.2 dev eth0 onlink metric 100\n\
             ip -4 route replace 10.1.0.0/16 dev eth0 metric 100\n\
             ip -4 route replace 0.0.0.0/0 via 10.0.0.9 dev eth0 onlink metric 100\n"
        ),
        "{calls}"
    );
    assert!(!calls.contains("10.0.0.1 "), "{calls}");
}

/// Runs the guest's curl with a `wget` that only says how it was called.
fn curl(arguments: &[&str]) -> Option<String> {
    let (_dir, dir) = temporary();
    let script = guest_file("usr/bin/curl").replace("exec wget", "echo wget");
    std::fs::write(dir.join("curl"), script).unwrap();
    let script = dir.join("curl");
    Command::new("sh").args([&[script.as_str()], arguments].concat()).output().ok()
}

#[test]
fn curl_asks_and_posts() {
    let asked = |arguments: &[&str]| curl(arguments).unwrap();
    assert_eq!(asked(&["http://x/y"]), "wget -q -O - http://x/y\n");
    assert_eq!(asked(&["-sS", "-m", "5", "-o", "f", "http://x"]), "wget -q -O f -T 5 http://x\n");
    assert_eq!(asked(&["-X", "POST", "-d", "a b", "http://x"]), "wget -q -O - --post-data a b http://x\n");
    assert!(curl(&["-X", "PUT", "http://x"]).is_none());
    assert!(curl(&["--proxy", "p", "http://x"]).is_none());
    assert!(curl(&["-s"]).is_none());
}

/// Runs the guest's `start_sshd` with a `dropbearkey` that overwrites nothing, as the real one, and says what sshd was
/// started with.
fn sshd_of(dir: &Utf8Path) -> String {
    for (program, text) in [
        ("dropbearkey", "#!/bin/sh\n[ ! -e $4 ] && echo new >$4 && echo >$4.pub\n"),
        ("dropbear", "#!/bin/sh\ncat $3\n"),
    ] {
        let file = dir.join(program);
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let common = guest_file("usr/lib/tiny/common")
        .replace("/etc/dropbear", dir.as_str())
        .replace("PATH=/usr/bin", &format!("PATH={dir}:$PATH"));
    Command::new("sh").args(["-c", &format!("{common}\nstart_sshd")]).output().unwrap()
}

#[test]
fn sshd_comes_up_with_a_key_of_its_own_whatever_an_interrupted_boot_left() {
    let (_dir, dir) = temporary();
    // A snapshot, or a power cut, between a key's making and its renaming.
    std::fs::write(dir.join("ed25519.new"), "old").unwrap();
    assert_eq!(sshd_of(&dir), "new\n");
    assert!(!dir.join("ed25519.new").exists() && !dir.join("ed25519.new.pub").exists());
    // The key stays for the instance's life.
    std::fs::write(dir.join("ed25519"), "kept").unwrap();
    assert_eq!(sshd_of(&dir), "kept");
}

#[test]
fn key_is_stable_within_a_build() {
    assert_eq!(key().hex(), key().hex());
}

#[test]
fn the_image_is_built_and_bootable_by_its_own_sectors() {
    let able = process::require_root("building an image").and_then(|()| process::require(PROGRAMS));
    if let Err(err) = able.and_then(|()| crate::disk::require()) {
        return skipped("the_image_is_built_and_bootable_by_its_own_sectors", &err);
    }
    let image = build(&Cache::open().unwrap(), &silent).unwrap();
    assert_eq!(crate::cache::sha256_file(&image.path).unwrap(), image.sha256);

    let (_dir, dir) = temporary();
    let raw = dir.join("head");
    let (from, to) = (format!("if={}", image.path), format!("of={raw}"));
    Command::new("qemu-img")
        .args(["dd", "-f", "qcow2", "-O", "raw", "bs=1M", "count=2", &from, &to])
        .run()
        .unwrap();
    let head = std::fs::read(&raw).unwrap();
    assert_eq!(head[510..512], [0x55, 0xaa], "signature of the boot sector");
    assert_eq!(head[446], 0x80, "partition 1 is the one to boot");
    assert_eq!(head[454..458], 2048_u32.to_le_bytes(), "partition 1 begins at sector 2048");
    assert!(head[..440].windows(4).any(|text| text == b"GRUB"), "GRUB's boot code");
    assert!(head[512..1024].iter().any(|byte| *byte != 0), "GRUB's core");
    let superblock = &head[(1 << 20) + 1024..];
    assert_eq!(superblock[56..58], [0x53, 0xef], "ext4 on partition 1");
    assert_eq!(&superblock[120..120 + LABEL.len()], LABEL.as_bytes());
    // Few megabytes: it is meant to be uploaded in every test.
    let size = std::fs::metadata(&image.path).unwrap().len();
    assert!(size < 32 << 20, "{size} bytes");
}
