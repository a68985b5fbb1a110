//! Disk images: looked at before they are trusted, and overlays over them.

mod flatten;
mod header;
mod inspect;
mod overlay;
#[cfg(test)]
mod tests;

pub(crate) use flatten::{
    Conversion, check_own_disk, commit, convert, create_empty, flatten, stand_on, virtual_size,
};
pub(crate) use inspect::INSPECTOR;
pub use inspect::{ImageInfo, inspect_image};
pub(crate) use overlay::{create_overlay, create_part, note_below, resize};

use std::time::Duration;

use camino::Utf8Path;
use rustix::process::Resource;

use crate::process::{self, Confinement, Output, file_error};
use crate::{Error, Result};

/// Gone already is fine.
pub fn remove(path: &Utf8Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(file_error("removing", path, error))
        }
        _ => Ok(()),
    }
}

pub fn rename(from: &Utf8Path, to: &Utf8Path) -> Result<()> {
    std::fs::rename(from, to).map_err(|error| file_error("renaming", from, error))
}

/// Generous: the tool reads a header or writes a few clusters.
const LIMIT: Duration = Duration::from_secs(30);
const MIB: u64 = 1 << 20;

/// qemu-img parses what strangers uploaded: bounded in memory and time, and with no privileges but those in
/// `confinement`.
async fn qemu_img(arguments: &[String], confinement: Confinement) -> Result<Output> {
    qemu_img_within(arguments, confinement, LIMIT).await
}

async fn qemu_img_within(
    arguments: &[String],
    mut confinement: Confinement,
    limit: Duration,
) -> Result<Output> {
    // Its threads, of which there are as many as reads wait, are to find room for their stacks.
    let room = [(Resource::As, 1024 * MIB), (Resource::Stack, 2 * MIB), (Resource::Cpu, limit.as_secs())];
    confinement.limits.extend(room);
    process::run("qemu-img", "qemu-utils", arguments, confinement, limit).await
}

/// Whether a file in this directory can be used by way of io_uring. The kernel may lack it or forbid it to others than
/// root, and so may QEMU: so a tool of QEMU's is asked to, as nobody special.
pub(crate) async fn io_uring_works(dir: &Utf8Path) -> bool {
    let path = dir.join("io_uring.part");
    let file = match std::fs::File::create(&path).and_then(|file| file.set_len(MIB).map(|()| file)) {
        Ok(_) => std::fs::File::open(&path),
        Err(error) => Err(error),
    };
    let works = match file {
        Ok(file) => {
            let mut confinement = Confinement {
                user: process::is_root().then_some(INSPECTOR),
                reads_any_file: process::is_root(),
                ..Confinement::default()
            };
            let name = format!("/proc/self/fd/{}", confinement.keep(&file));
            let node = format!("driver=raw,file.driver=file,file.aio=io_uring,file.filename={name}");
            let arguments = ["info".to_owned(), "--image-opts".into(), node];
            qemu_img(&arguments, confinement).await.is_ok_and(|output| output.code == Some(0))
        }
        Err(_) => false,
    };
    if let Err(error) = remove(&path) {
        tracing::debug!(%error, "a trial file stays");
    }
    works
}

/// What went wrong, without the tool's name and the paths it repeats.
fn complaint(output: &Output) -> String {
    let last = output.stderr.lines().last().unwrap_or("");
    last.trim_start_matches("qemu-img: ").to_owned()
}

fn disk_is_full(output: &Output, path: &Utf8Path) -> Option<Error> {
    output.stderr.contains("No space left on device").then(|| Error::DiskFull { path: path.to_owned() })
}
