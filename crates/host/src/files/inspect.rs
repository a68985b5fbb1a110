//! Is this file what its uploader says, and may a machine use it?

use std::fs::File;
use std::os::fd::AsRawFd;

use camino::Utf8Path;
use serde::Deserialize;

use super::header::Header;
use super::{complaint, qemu_img};
use crate::process::{Confinement, file_error, is_root};
use crate::{Error, Result};

/// Who qemu-img is while it reads an untrusted image: nobody that owns anything.
pub(crate) const INSPECTOR: u32 = 0x62_ffff;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageInfo {
    /// Bytes the guest sees.
    pub virtual_size: u64,
    /// "qcow2" or "raw"
    pub format: String,
}

/// Looks at a file as the declared format ("qcow2" or "raw") and as nothing else: a format is never guessed.
///
/// # Errors
/// [`Error::Image`] with one sentence for the uploader when the file is not of this format, is damaged, or would
/// make a machine open other files: backing files, external data files, encryption.
pub async fn inspect_image(path: &Utf8Path, declared_format: &str) -> Result<ImageInfo> {
    let declared = declared_format.to_owned();
    let owned = path.to_owned();
    let opened = tokio::task::spawn_blocking(move || open(&owned, &declared)).await;
    let (file, length) = opened.map_err(|error| Error::Image(error.to_string()))??;
    if declared_format == "raw" {
        return Ok(ImageInfo { virtual_size: length, format: "raw".into() });
    }
    inspect_qcow2(path, &file).await
}

fn open(path: &Utf8Path, declared: &str) -> Result<(File, u64)> {
    let failed = |error| file_error("opening", path, error);
    let mut file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Error::Image(format!("{path} is not a file")));
    }
    if metadata.len() == 0 {
        return Err(Error::Image("the image is empty".into()));
    }
    Header::read(path, &mut file)?.check(declared)?;
    Ok((file, metadata.len()))
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Info {
    virtual_size: u64,
    format: String,
    backing_filename: Option<String>,
    #[serde(default)]
    encrypted: bool,
    format_specific: Option<Specific>,
}

#[derive(Deserialize)]
struct Specific {
    data: SpecificData,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct SpecificData {
    data_file: Option<String>,
    #[serde(default)]
    corrupt: bool,
}

async fn inspect_qcow2(path: &Utf8Path, file: &File) -> Result<ImageInfo> {
    // The file is handed over open. Opening it again through /proc asks for permission on the file once more, which
    // is why the tool may read (and only read) any file.
    let user = is_root().then_some(INSPECTOR);
    let mut confinement = Confinement { user, reads_any_file: user.is_some(), ..Confinement::default() };
    let name = format!("/proc/self/fd/{}", confinement.keep(&file.as_raw_fd()));
    let arguments = ["info", "--output=json", "--force-share", "-f", "qcow2", &name].map(str::to_owned);
    let output = qemu_img(&arguments, confinement).await?;
    if output.code != Some(0) {
        let why = complaint(&output).replace(&name, "it");
        return Err(Error::Image(format!("the image cannot be read as qcow2: {why}")));
    }
    let info: Info = serde_json::from_str(&output.stdout)
        .map_err(|error| Error::Image(format!("qemu-img spoke of {path} in an unknown way: {error}")))?;
    let data = info.format_specific.map(|specific| specific.data);
    let names_others = info.backing_filename.is_some()
        || info.encrypted
        || data.as_ref().is_some_and(|data| data.data_file.is_some());
    if names_others || info.format != "qcow2" {
        return Err(Error::Image("the image is not a single plain qcow2 file: flatten it first".into()));
    }
    if data.is_some_and(|data| data.corrupt) {
        return Err(Error::Image("the image is marked as damaged: repair it with `qemu-img check`".into()));
    }
    Ok(ImageInfo { virtual_size: info.virtual_size, format: info.format })
}
