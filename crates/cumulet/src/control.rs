//! How commands talk to the running daemon: one line of JSON each way over a socket that only its owner can open.

use anyhow::Context;
use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

use crate::config::DataDir;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Request {
    /// Stop all virtual machines, take the networks down and end. Data stays.
    Down,
    /// How the cloud is.
    Status,
    /// A simulated cloud returns to its first state; `mark`: that state is the present one from now on.
    Reset { mark: bool },
    /// Puts every machine's files into `vms` of a directory, and what it writes of its volumes into `volumes`, each while
    /// its machine holds still.
    HoldDisks { to: Utf8PathBuf },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    Error { error: String },
    Ok(serde_json::Value),
}

/// A request with the way back.
pub type Asked = (Request, oneshot::Sender<Carried>);

/// An answer, and what is dropped as soon as the socket has it, or never will.
pub type Carried = (Answer, oneshot::Sender<()>);

/// Answers requests until the process ends. Handlers run one at a time.
pub fn listen(data: &DataDir) -> anyhow::Result<mpsc::Receiver<Asked>> {
    let path = data.control_socket();
    // Left by a daemon that was killed; the lock tells that no other one lives.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).with_context(|| {
        format!("cannot make {path}: a data directory's path may be no longer than 90 characters")
    })?;
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let (send, receive) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let send = send.clone();
            tokio::spawn(async move {
                if let Err(error) = converse(stream, send).await {
                    tracing::debug!(%error, "control connection ended");
                }
            });
        }
    });
    Ok(receive)
}

async fn converse(stream: UnixStream, requests: mpsc::Sender<Asked>) -> anyhow::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read).read_line(&mut line).await?;
    let (answer, _until_written) = match serde_json::from_str::<Request>(&line) {
        Err(e) => (Answer::Error { error: format!("not a request: {e}") }, None),
        Ok(request) => {
            let (send, receive) = oneshot::channel();
            requests.send((request, send)).await?;
            match receive.await {
                Ok((answer, written)) => (answer, Some(written)),
                Err(_) => (Answer::Error { error: "the cloud is shutting down".into() }, None),
            }
        }
    };
    write.write_all(format!("{}\n", serde_json::to_string(&answer)?).as_bytes()).await?;
    Ok(())
}

/// Asks the daemon of this data directory.
pub async fn ask(data: &DataDir, request: &Request) -> anyhow::Result<serde_json::Value> {
    let stream = UnixStream::connect(data.control_socket())
        .await
        .with_context(|| format!("no cloud is running with {}: start it with `cumulet up`", data.path()))?;
    let (read, mut write) = stream.into_split();
    write.write_all(format!("{}\n", serde_json::to_string(request)?).as_bytes()).await?;
    let mut line = String::new();
    BufReader::new(read).read_line(&mut line).await?;
    match serde_json::from_str(&line).context("the cloud ended before it answered")? {
        Answer::Ok(value) => Ok(value),
        Answer::Error { error } => anyhow::bail!(error),
    }
}
