#![allow(clippy::unwrap_used)]

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use camino::{Utf8Path, Utf8PathBuf};

use super::*;

fn dir() -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
    (dir, path)
}

fn packed(from: &Utf8Path) -> Vec<u8> {
    with_stores(from, &[])
}

fn with_stores(from: &Utf8Path, stores: &[(String, Utf8PathBuf, Utf8PathBuf)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let source = Source { stage: from, data_dir: Utf8Path::new("/var/lib/cumulet"), stores };
    pack(&source, &mut bytes).unwrap();
    bytes
}

#[test]
fn what_was_packed_comes_back() {
    let ((_a, from), (_b, to)) = (dir(), dir());
    std::fs::create_dir_all(from.join("vms/one")).unwrap();
    std::fs::write(from.join("cumulet.db"), b"rows").unwrap();
    std::fs::write(from.join("key"), b"secret").unwrap();
    std::fs::set_permissions(from.join("key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut disk = vec![0u8; 4 << 20];
    disk[2 << 20] = 7;
    std::fs::write(from.join("disk"), &disk).unwrap();
    std::fs::hard_link(from.join("disk"), from.join("vms/one/image")).unwrap();
    let manifest = unpack(packed(&from).as_slice(), &to).unwrap();
    assert_eq!(manifest.data_dir, "/var/lib/cumulet");
    assert_eq!(std::fs::read(to.join("cumulet.db")).unwrap(), b"rows");
    assert_eq!(std::fs::metadata(to.join("key")).unwrap().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read(to.join("vms/one/image")).unwrap(), disk);
    let (one, two) =
        (std::fs::metadata(to.join("disk")).unwrap(), std::fs::metadata(to.join("vms/one/image")).unwrap());
    assert_eq!(one.ino(), two.ino());
    assert!(one.blocks() * 512 < 1 << 20, "empty parts of a disk take no space");
}

#[test]
fn stores_outside_come_back_inside() {
    let ((_a, from), (_b, store), (_c, to)) = (dir(), dir(), dir());
    std::fs::write(from.join("cumulet.db"), b"rows").unwrap();
    std::fs::write(store.join("an-image"), b"data").unwrap();
    let stores = [("fast".to_owned(), Utf8PathBuf::from("/srv/fast"), store)];
    let manifest = unpack(with_stores(&from, &stores).as_slice(), &to).unwrap();
    assert_eq!(manifest.stores, [("fast".to_owned(), Utf8PathBuf::from("/srv/fast"))]);
    assert_eq!(std::fs::read(to.join("stores/fast/an-image")).unwrap(), b"data");
}

#[test]
fn damaged_and_cut_off_archives_are_refused() {
    let (_a, from) = dir();
    std::fs::write(from.join("file"), vec![42; 100_000]).unwrap();
    let good = packed(&from);
    for bytes in [&good[..good.len() / 2], b"something else entirely", b""] {
        let (_b, to) = dir();
        unpack(bytes, &to).unwrap_err();
    }
    // One that is whole, but whose file is not what the manifest says.
    let text = zstd::decode_all(good.as_slice()).unwrap();
    let spoilt: Vec<u8> =
        text.iter().enumerate().map(|(at, b)| if at == 1000 { b ^ 1 } else { *b }).collect();
    let (_b, to) = dir();
    let told =
        unpack(zstd::encode_all(spoilt.as_slice(), 1).unwrap().as_slice(), &to).unwrap_err().to_string();
    assert!(told.contains("damaged"), "{told}");
}

#[test]
fn nothing_is_written_outside_of_the_directory() {
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o644);
    // As an attacker would: the library itself refuses such a name.
    header.as_old_mut().name[..12].copy_from_slice(b"../../escape");
    header.set_cksum();
    let mut tar = tar::Builder::new(Vec::new());
    tar.append(&header, &b"x"[..]).unwrap();
    let archive = zstd::encode_all(tar.into_inner().unwrap().as_slice(), 1).unwrap();
    let (_b, to) = dir();
    let told = unpack(archive.as_slice(), &to).unwrap_err().to_string();
    assert!(told.contains("outside"), "{told}");
}
