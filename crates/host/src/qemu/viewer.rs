//! Connections to a running machine's screen and serial line.

use std::os::unix::net::UnixStream as StdStream;

use serde_json::json;
use tokio::net::UnixStream;

use super::launch::SERIAL;
use super::machine::Machine;
use crate::process::file_error;
use crate::{Console, Error, Result};

/// How long QEMU may take to be asked for it.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(5);

pub(super) async fn connect(machine: &Machine, console: Console) -> Result<UnixStream> {
    match console {
        Console::Serial => {
            machine.files.with_socket(SERIAL, async |path: &str| UnixStream::connect(path).await).await
        }
        Console::Screen => screen(machine).await,
    }
}

/// One end of a pair goes to QEMU, which speaks RFB on it from then on.
async fn screen(machine: &Machine) -> Result<UnixStream> {
    let failed = |error| file_error("connecting to the screen of", machine.files.dir(), error);
    let (ours, theirs) = StdStream::pair().map_err(failed)?;
    ours.set_nonblocking(true).map_err(failed)?;
    theirs.set_nonblocking(true).map_err(failed)?;
    let ours = UnixStream::from_std(ours).map_err(failed)?;
    let monitor = machine.monitor(LIMIT).await?;
    // Two viewers may come at once: each file has a name of its own until it is taken.
    let name = format!("viewer-{}", std::os::fd::AsRawFd::as_raw_fd(&ours));
    let file = json!({ "fdname": name });
    monitor.execute_with_files("getfd", file.clone(), vec![theirs.into()]).await?;
    let wanted = json!({ "protocol": "vnc", "fdname": name, "skipauth": true });
    if let Err(error) = monitor.execute("add_client", wanted).await {
        drop(monitor.execute("closefd", file).await);
        return Err(Error::from(error));
    }
    Ok(ours)
}
