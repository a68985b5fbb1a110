//! A machine's own disk: writes go here, reads of what was never written go to the image.

use camino::Utf8Path;

use super::{complaint, disk_is_full, qemu_img};
use crate::process::{Confinement, file_error};
use crate::{Error, Result};

/// Makes `overlay` over `image`, `bytes` large. After a crash there is either the whole overlay or none.
pub(crate) async fn create_overlay(
    overlay: &Utf8Path,
    image: &Utf8Path,
    image_format: &str,
    bytes: u64,
) -> Result<()> {
    let part = overlay.with_extension("part");
    // `-u`: the image was inspected when it came. It is not opened again, here as root.
    let arguments = ["create", "-q", "-f", "qcow2", "-u", "-F", image_format, "-b", image.as_str()];
    let mut arguments = arguments.map(str::to_owned).to_vec();
    arguments.extend([part.to_string(), bytes.to_string()]);
    let output = qemu_img(&arguments, Confinement::default()).await?;
    if output.code != Some(0) {
        drop(tokio::fs::remove_file(&part).await);
        return Err(disk_is_full(&output, overlay).unwrap_or_else(|| Error::Command {
            command: "qemu-img create".into(),
            status: output.status.clone(),
            stderr: complaint(&output),
        }));
    }
    tokio::fs::rename(&part, overlay).await.map_err(|error| file_error("renaming", &part, error))
}
