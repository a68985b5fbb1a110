//! Container images put into the node's containerd while the disk is built, so that a node asks no registry.
//!
//! Our own containerd runs for a moment on this machine, with its data in the new root. In a mount namespace of
//! its own, so that nothing it mounts is seen outside, and gone with it even if it is killed.

use std::fs::{self, File};
use std::io::BufWriter;
use std::thread;
use std::time::{Duration, Instant};

use camino::Utf8Path;

use super::oci::{self, Image};
use crate::process::{self, Command, Running};
use crate::{Error, Result};

/// The namespace of the Kubernetes container runtime interface.
const NAMESPACE: &str = "k8s.io";

/// On a machine under load it takes a few seconds.
const START: Duration = Duration::from_secs(60);

/// No CRI, and so no network plugins, no streaming server, no sandbox image.
const CONFIG: &str = "version = 3\n\
    disabled_plugins = ['io.containerd.grpc.v1.cri', 'io.containerd.cri.v1.images', 'io.containerd.cri.v1.runtime', \
    'io.containerd.nri.v1.nri', 'io.containerd.internal.v1.tracing']\n";

/// Imports `images` into the containerd of the unpacked `root`.
///
/// # Errors
/// containerd does not start or does not take an image; its last words are in the error.
pub(super) fn import(
    images: &[Image],
    programs: &Utf8Path,
    root: &Utf8Path,
    scratch: &Utf8Path,
) -> Result<()> {
    process::require(&["unshare"])?;
    let archive = scratch.join("images.tar");
    let file = File::create(&archive).map_err(Error::io("create", &archive))?;
    oci::archive(images, BufWriter::new(file), &archive)?;

    // A socket's path may have 107 bytes, and that of the build directory is the user's choice.
    let state = tempfile::Builder::new()
        .prefix("cumulet-")
        .tempdir()
        .map_err(Error::io("create a directory in", "/tmp"))?;
    let state = Utf8Path::from_path(state.path()).ok_or_else(|| Error::Invalid {
        what: "the directory for temporary files".into(),
        why: "its path is not UTF-8; set TMPDIR".into(),
    })?;
    let (config, socket) = (state.join("config.toml"), state.join("s"));
    fs::write(&config, CONFIG).map_err(Error::io("write", &config))?;
    let data = root.join("var/lib/containerd");
    fs::create_dir_all(&data).map_err(Error::io("create", &data))?;

    let mut daemon = Command::new("unshare")
        .args(["--mount", "--propagation=private", programs.join("containerd").as_str()])
        .args(["--config", config.as_str(), "--root", data.as_str(), "--state", state.join("state").as_str()])
        .args(["--address", socket.as_str(), "--log-level", "warn"])
        .background(&scratch.join("containerd.log"))?;
    let ctr =
        || Command::new(programs.join("ctr").as_str()).args(["--address", socket.as_str(), "-n", NAMESPACE]);
    let begin = Instant::now();
    while ctr().args(["version"]).output().is_err() {
        daemon.check()?;
        if begin.elapsed() > START {
            return Err(Error::Invalid {
                what: "containerd, which is to take the container images,".into(),
                why: format!("it did not answer within {} s", START.as_secs()),
            });
        }
        thread::sleep(Duration::from_millis(100));
    }
    // The layers are unpacked at once; kept as blobs they would take the same room a second time.
    ctr()
        .args(["images", "import", "--local", "--snapshotter", "overlayfs", "--discard-unpacked-layers"])
        .arg(archive.as_str())
        .run()?;
    let listed = ctr().args(["images", "list", "--quiet"]).output()?;
    for name in images.iter().flat_map(|image| &image.names) {
        if !listed.lines().any(|line| line == name) {
            return Err(Error::Missing {
                path: name.into(),
                from: "among the images that containerd took".into(),
            });
        }
    }
    stop(daemon)?;
    fs::remove_file(&archive).map_err(Error::io("remove", &archive))
}

/// Asks it to end, so that its database is closed, and waits for that.
fn stop(mut daemon: Running) -> Result<()> {
    Command::new("sh").args(["-c", "kill -TERM \"$0\"", &daemon.id().to_string()]).run()?;
    let begin = Instant::now();
    while daemon.check().is_ok() {
        if begin.elapsed() > START {
            return Err(Error::Invalid {
                what: "containerd, which took the container images,".into(),
                why: format!("it did not end within {} s", START.as_secs()),
            });
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
