//! One file out of an overlay and what is below it.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, fchown};
use std::time::Duration;

use camino::Utf8Path;
use serde_json::json;

use super::header::Header;
use super::inspect::INSPECTOR;
use super::{complaint, disk_is_full, qemu_img, qemu_img_within};
use crate::process::{Confinement, file_error, is_root};
use crate::volumes::lock::Secrets;
use crate::{Error, Result};

/// A disk of many GiB is read and written once.
const LIMIT: Duration = Duration::from_secs(2 * 3600);

/// Writes what a guest sees on the disk of a stopped machine into a new qcow2 file. The answer is the disk's size.
///
/// The overlay was written by a process that ran a stranger's guest, so its header is not trusted: it may name no other
/// file, the image below is given here, and the tool owns nothing but the new file.
pub(crate) async fn flatten(
    overlay: &Utf8Path,
    image: &Utf8Path,
    image_format: &str,
    to: &Utf8Path,
) -> Result<u64> {
    let opened = |path: &Utf8Path| File::open(path).map_err(|error| file_error("opening", path, error));
    let (mut disk, below) = (opened(overlay)?, opened(image)?);
    let header = Header::read(overlay, &mut disk)?;
    header.check_overlay(false)?;
    let new = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(to);
    let new = new.map_err(|error| file_error("making", to, error))?;
    let user = is_root().then_some(INSPECTOR);
    let give = |user: u32| {
        fchown(&new, Some(user), Some(user)).map_err(|error| file_error("giving away", to, error))
    };
    if let Some(user) = user {
        give(user)?;
    }
    let mut confinement = Confinement { user, reads_any_file: user.is_some(), ..Confinement::default() };
    let mut name = |file: &File| format!("/proc/self/fd/{}", confinement.keep(&file.as_raw_fd()));
    let source = json!({
        "driver": "qcow2",
        "file": {"driver": "file", "filename": name(&disk)},
        "backing": {"driver": image_format, "file": {"driver": "file", "filename": name(&below)}},
    });
    let arguments = ["convert".to_owned(), format!("json:{source}"), "-O".into(), "qcow2".into(), name(&new)];
    let output = qemu_img_within(&arguments, confinement, LIMIT).await?;
    if user.is_some() {
        give(0)?;
    }
    if output.code != Some(0) {
        drop(std::fs::remove_file(to));
        return Err(disk_is_full(&output, to).unwrap_or_else(|| Error::Command {
            command: "qemu-img convert".into(),
            status: output.status.clone(),
            stderr: complaint(&output),
        }));
    }
    new.sync_all().map_err(|error| file_error("writing", to, error))?;
    Ok(header.virtual_size())
}

/// A qcow2 file with nothing in it.
pub(crate) async fn create_empty(path: &Utf8Path, bytes: u64) -> Result<()> {
    let arguments = ["create", "-q", "-f", "qcow2", path.as_str(), &bytes.to_string()].map(str::to_owned);
    let output = qemu_img(&arguments, Confinement::default()).await?;
    done("create", &output, path)
}

/// Bytes that a guest sees of a qcow2 file.
pub(crate) fn virtual_size(path: &Utf8Path) -> Result<u64> {
    let mut file = File::open(path).map_err(|error| file_error("opening", path, error))?;
    Ok(Header::read(path, &mut file)?.virtual_size())
}

/// From a tree of QEMU's block nodes, over files that are kept open, into a file that the tool may write.
pub(crate) struct Conversion<'a> {
    pub source: &'a serde_json::Value,
    pub target: &'a str,
    pub format: &'a str,
    /// Of the new file.
    pub options: Option<String>,
    pub secrets: Secrets,
}

/// Writes what a guest sees of the source.
pub(crate) async fn convert(
    conversion: Conversion<'_>,
    to: &Utf8Path,
    confinement: Confinement,
) -> Result<()> {
    let mut arguments = vec!["convert".to_owned()];
    arguments.extend(conversion.secrets.arguments());
    arguments.extend(["-O".to_owned(), conversion.format.to_owned()]);
    if let Some(options) = conversion.options {
        arguments.extend(["-o".to_owned(), options]);
    }
    arguments.extend([format!("json:{}", conversion.source), conversion.target.to_owned()]);
    let output = qemu_img_within(&arguments, confinement, LIMIT).await?;
    done("convert", &output, to)
}

/// Writes what the uppermost of `source` (a tree of block nodes that the tool may write) has into the one that it stands on.
/// It stays as it is.
pub(crate) async fn commit(
    source: &serde_json::Value,
    secrets: &Secrets,
    to: &Utf8Path,
    confinement: Confinement,
) -> Result<()> {
    let mut arguments = ["commit", "-q", "-d"].map(str::to_owned).to_vec();
    arguments.extend(secrets.arguments());
    arguments.push(format!("json:{source}"));
    done("commit", &qemu_img_within(&arguments, confinement, LIMIT).await?, to)
}

/// Makes the uppermost of `source`, a qcow2 file with nothing in it that the tool may write, show over `below` what it shows:
/// it gets what differs.
pub(crate) async fn stand_on(
    source: &serde_json::Value,
    below: &serde_json::Value,
    secrets: &Secrets,
    to: &Utf8Path,
    confinement: Confinement,
) -> Result<()> {
    let format = below["driver"].as_str().unwrap_or_default().to_owned();
    let name = format!("json:{below}");
    // The tool notes it in the file, which has room for so much.
    if name.len() > 1023 {
        return Err(Error::Refused(format!("{to} would stand on too many files")));
    }
    let mut arguments = ["rebase", "-q", "-F", &format, "-b", &name].map(str::to_owned).to_vec();
    arguments.extend(secrets.arguments());
    arguments.push(format!("json:{source}"));
    done("rebase", &qemu_img_within(&arguments, confinement, LIMIT).await?, to)
}

pub(super) fn done(verb: &str, output: &super::Output, path: &Utf8Path) -> Result<()> {
    match output.code {
        Some(0) => Ok(()),
        _ => Err(disk_is_full(output, path).unwrap_or_else(|| Error::Command {
            command: format!("qemu-img {verb}"),
            status: output.status.clone(),
            stderr: complaint(output),
        })),
    }
}

/// The header of a qcow2 file that a machine may have written: it may stand on another file, and reach for no other.
pub(crate) fn check_own_disk(path: &Utf8Path, file: &File, encrypted: bool) -> Result<()> {
    let mut file = file.try_clone().map_err(|error| file_error("opening", path, error))?;
    Header::read(path, &mut file)?.check_overlay(encrypted)
}
