//! Disk images: looked at before they are trusted, and overlays over them.

mod flatten;
mod header;
mod inspect;
mod overlay;
#[cfg(test)]
mod tests;

pub(crate) use flatten::{check_own_disk, convert, create_empty, flatten, virtual_size};
pub(crate) use inspect::INSPECTOR;
pub use inspect::{ImageInfo, inspect_image};
pub(crate) use overlay::{create_overlay, create_part, resize};

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
    confinement.limits.extend([(Resource::As, 1024 * MIB), (Resource::Cpu, limit.as_secs())]);
    process::run("qemu-img", "qemu-utils", arguments, confinement, limit).await
}

/// What went wrong, without the tool's name and the paths it repeats.
fn complaint(output: &Output) -> String {
    let last = output.stderr.lines().last().unwrap_or("");
    last.trim_start_matches("qemu-img: ").to_owned()
}

fn disk_is_full(output: &Output, path: &Utf8Path) -> Option<Error> {
    output.stderr.contains("No space left on device").then(|| Error::DiskFull { path: path.to_owned() })
}
