//! The config drive: a small FAT file system labelled `config-2`, which is how guests find it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use camino::Utf8Path;
use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};

use crate::Result;
use crate::process::file_error;

/// As large as Nova makes it. The file is sparse.
const LEAST_BYTES: u64 = 64 << 20;

/// Writes all of it or, seen under its own name, nothing.
pub(super) fn write(path: &Utf8Path, content: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let part = path.with_extension("part");
    build(&part, content).and_then(|()| std::fs::rename(&part, path)).map_err(|error| {
        // It may not even have been made.
        drop(std::fs::remove_file(&part));
        file_error("writing the config drive", path, error)
    })
}

fn build(path: &Utf8Path, content: &BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)?;
    let bytes: usize = content.values().map(Vec::len).sum();
    file.set_len(LEAST_BYTES.max(2 * bytes as u64))?;
    format(&file)?;
    let drive = FileSystem::new(&file, FsOptions::new())?;
    for (name, bytes) in content {
        let mut dir = drive.root_dir();
        let mut parts: Vec<_> = name.split('/').filter(|part| !part.is_empty()).collect();
        let Some(last) = parts.pop() else { continue };
        for part in parts {
            dir = dir.create_dir(part)?;
        }
        dir.create_file(last)?.write_all(bytes)?;
    }
    drive.unmount()
}

fn format(file: &File) -> io::Result<()> {
    fatfs::format_volume(file, FormatVolumeOptions::new().volume_label(*b"config-2   "))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_written_can_be_read_by_its_label() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path()).unwrap().join("config.img");
        let big = vec![b'x'; 300_000];
        let content = BTreeMap::from([
            ("openstack/latest/meta_data.json".to_owned(), b"{}".to_vec()),
            ("openstack/latest/user_data".to_owned(), big.clone()),
            ("openstack/2018-08-27/network_data.json".to_owned(), b"[]".to_vec()),
        ]);
        write(&path, &content).unwrap();
        let drive = FileSystem::new(File::open(&path).unwrap(), FsOptions::new()).unwrap();
        assert_eq!(drive.volume_label(), "config-2");
        let mut read = Vec::new();
        drive.root_dir().open_file("openstack/latest/user_data").unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(read, big);
        let names: Vec<_> = drive.root_dir().iter().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["openstack"]);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_path_that_is_file_and_folder_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path()).unwrap().join("config.img");
        let content = BTreeMap::from([("a".to_owned(), vec![1]), ("a/b".to_owned(), vec![2])]);
        assert!(write(&path, &content).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
