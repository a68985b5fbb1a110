//! A machine's own disk: writes go here, reads of what was never written go to the image.

use camino::Utf8Path;

use super::flatten::done;
use super::{complaint, disk_is_full, qemu_img};
use crate::process::{Confinement, file_error};
use crate::volumes::lock::{Secrets, unlock};
use crate::{Error, LayerFormat, Lock, Result};

/// Makes `overlay` over `image`, `bytes` large. After a crash there is either the whole overlay or none.
pub(crate) async fn create_overlay(
    overlay: &Utf8Path,
    image: &Utf8Path,
    image_format: &str,
    bytes: u64,
) -> Result<()> {
    let part = overlay.with_extension("part");
    create_part(&part, Some((image.as_str(), image_format)), bytes, None).await?;
    tokio::fs::rename(&part, overlay).await.map_err(|error| file_error("renaming", &part, error))
}

/// An empty qcow2 file, over a file of this name and format or over nothing; none is left when it fails.
pub(crate) async fn create_part(
    part: &Utf8Path,
    below: Option<(&str, &str)>,
    bytes: u64,
    lock: Option<Lock<'_>>,
) -> Result<()> {
    let (mut confinement, mut secrets) = (Confinement::default(), Secrets::default());
    let mut arguments = ["create", "-q", "-f", "qcow2"].map(str::to_owned).to_vec();
    if let Some((name, format)) = below {
        // `-u`: what is below was looked at when it came. It is not opened again, here as root.
        arguments.extend(["-u", "-F", format, "-b", name].map(str::to_owned));
    }
    if let Some(lock) = lock {
        let secret = secrets.add(lock.key, &mut confinement)?;
        arguments.extend(secrets.arguments());
        arguments.extend(["-o".to_owned(), lock.options(LayerFormat::Qcow2, &secret)]);
    }
    arguments.extend([part.to_string(), bytes.to_string()]);
    let output = qemu_img(&arguments, confinement).await?;
    if output.code == Some(0) {
        return Ok(());
    }
    drop(tokio::fs::remove_file(part).await);
    Err(disk_is_full(&output, part).unwrap_or_else(|| Error::Command {
        command: "qemu-img create".into(),
        status: output.status.clone(),
        stderr: complaint(&output),
    }))
}

/// Makes a qcow2 file larger that no process has open. What is below is not looked at: it is not larger.
pub(crate) async fn resize(path: &Utf8Path, bytes: u64, lock: Option<Lock<'_>>) -> Result<()> {
    let file = std::fs::File::open(path).map_err(|error| file_error("opening", path, error))?;
    super::check_own_disk(path, &file, lock.is_some())?;
    let (mut confinement, mut secrets) = (Confinement::default(), Secrets::default());
    let mut node = serde_json::json!({
        "driver": "qcow2", "file": {"driver": "file", "filename": path.as_str()}, "backing": null,
    });
    if let Some(lock) = lock {
        let secret = secrets.add(lock.key, &mut confinement)?;
        unlock(&mut node, LayerFormat::Qcow2, &secret);
    }
    let mut arguments = ["resize", "-q"].map(str::to_owned).to_vec();
    arguments.extend(secrets.arguments());
    arguments.extend([format!("json:{node}"), bytes.to_string()]);
    done("resize", &qemu_img(&arguments, confinement).await?, path)
}

/// Writes into the header of a file that was made here what it stands on.
pub(crate) async fn note_below(path: &Utf8Path, (name, format): (&str, &str)) -> Result<()> {
    let node = serde_json::json!({
        "driver": "qcow2", "file": {"driver": "file", "filename": path.as_str()}, "backing": null,
    });
    let arguments =
        ["rebase", "-q", "-u", "-F", format, "-b", name, &format!("json:{node}")].map(str::to_owned);
    let output = qemu_img(&arguments, Confinement::default()).await?;
    done("rebase", &output, path)
}
