//! The disks that a flavor gives beside the root disk: sparse files of the machine's own, gone with it.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;

use camino::{Utf8Path, Utf8PathBuf};
use fatfs::FormatVolumeOptions;

use super::paths::VmFiles;
use crate::Result;
use crate::plan::VmPlan;
use crate::process::file_error;

const MIB: u64 = 1 << 20;
/// The tables of larger file systems would take their time and their space on this host at once: they stay empty.
const LARGEST_FORMATTED: u64 = 256 << 30;
const PAGE: u64 = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blank {
    Ephemeral,
    Swap,
}

impl Blank {
    /// As the device, the block node and the guest's serial number are called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Blank::Ephemeral => "ephemeral0",
            Blank::Swap => "swap0",
        }
    }

    pub(super) fn file(self, files: &VmFiles) -> Utf8PathBuf {
        files.dir().join(format!("{}.img", self.name()))
    }

    fn format(self, file: &File, bytes: u64) -> io::Result<()> {
        match self {
            Blank::Swap => swap_header(file, bytes),
            Blank::Ephemeral if bytes > LARGEST_FORMATTED => Ok(()),
            // The one file system that every guest can mount.
            Blank::Ephemeral => {
                fatfs::format_volume(file, FormatVolumeOptions::new().volume_label(*b"ephemeral0 "))
            }
        }
    }
}

/// In the guest's order, with their sizes in bytes.
pub(super) fn of(vm: &VmPlan) -> impl Iterator<Item = (Blank, u64)> {
    let all = [(Blank::Ephemeral, vm.ephemeral_mib), (Blank::Swap, vm.swap_mib)];
    all.into_iter().filter(|(_, mib)| *mib > 0).map(|(blank, mib)| (blank, mib.saturating_mul(MIB)))
}

/// Makes those that are missing, lets those grow that have become too small.
pub(super) fn prepare(vm: &VmPlan, files: &VmFiles) -> Result<()> {
    for (blank, bytes) in of(vm) {
        let path = blank.file(files);
        make(blank, &path, bytes).map_err(|error| file_error("making the disk", &path, error))?;
    }
    Ok(())
}

fn make(blank: Blank, path: &Utf8Path, bytes: u64) -> io::Result<()> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) if file.metadata()?.len() < bytes => file.set_len(bytes),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let part = path.with_extension("part");
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&part)?;
            file.set_len(bytes)?;
            blank.format(&file, bytes)?;
            std::fs::rename(&part, path)
        }
        Err(error) => Err(error),
    }
}

/// What mkswap writes: version 1, the number of the last page, and the signature at the first page's end.
fn swap_header(mut file: &File, bytes: u64) -> io::Result<()> {
    let last = u32::try_from(bytes / PAGE).unwrap_or(u32::MAX).saturating_sub(1);
    file.seek(SeekFrom::Start(1024))?;
    file.write_all(&1u32.to_ne_bytes())?;
    file.write_all(&last.to_ne_bytes())?;
    file.seek(SeekFrom::Start(PAGE - 10))?;
    file.write_all(b"SWAPSPACE2")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn they_are_made_once_and_grow() {
        let dir = tempfile::tempdir().unwrap();
        let vms = Utf8Path::from_path(dir.path()).unwrap();
        let id = "6f1f2b0e-52a7-4a2b-9d0f-0a63b6c4a001";
        let files = VmFiles::new(vms, id).unwrap();
        std::fs::create_dir(files.dir()).unwrap();
        let mut vm = VmPlan { id: id.into(), ephemeral_mib: 64, ..VmPlan::default() };
        prepare(&vm, &files).unwrap();
        assert!(!Blank::Swap.file(&files).exists());
        let path = Blank::Ephemeral.file(&files);
        let disk = fatfs::FileSystem::new(File::open(&path).unwrap(), fatfs::FsOptions::new()).unwrap();
        assert_eq!(disk.volume_label(), "ephemeral0");

        std::fs::write(&path, vec![7; 64 << 20]).unwrap();
        (vm.ephemeral_mib, vm.swap_mib) = (128, 2);
        prepare(&vm, &files).unwrap();
        let mut bytes = Vec::new();
        File::open(&path).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(
            (bytes.len(), bytes[0], bytes[100 << 20]),
            (128 << 20, 7, 0),
            "what the guest wrote stays"
        );
        let swap = std::fs::read(Blank::Swap.file(&files)).unwrap();
        assert_eq!(&swap[4086..4096], b"SWAPSPACE2");
        assert_eq!(swap[1024..1032], [1, 0, 0, 0, 255, 1, 0, 0], "version and last page");
        vm.ephemeral_mib = 1;
        prepare(&vm, &files).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 128 << 20, "nothing is ever cut off");
    }
}
