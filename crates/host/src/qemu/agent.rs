//! The agent that some guests run: JSON lines over a virtio-serial port. It belongs to the guest, so nothing it says
//! is trusted and nothing waits for it long.

use std::time::Duration;

use base64::Engine as _;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_util::codec::{Framed, LinesCodec};

use super::launch::AGENT;
use super::paths::VmFiles;
use crate::qmp::Client;
use crate::{Error, Result};

const LINE_LIMIT: usize = 1 << 20;
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Writing all dirty pages of a guest takes its time.
const FREEZE_LIMIT: Duration = Duration::from_secs(60);

pub(super) struct Agent {
    lines: Framed<UnixStream, LinesCodec>,
}

/// [`Error::NoAgent`] when nobody in the guest has the port open, or whoever has does not speak.
pub(super) async fn connect(monitor: &Client, files: &VmFiles) -> Result<Agent> {
    let devices = monitor.execute("query-chardev", Value::Null).await?;
    let list = devices.as_array().map(Vec::as_slice).unwrap_or_default();
    if !list.iter().any(|c| c["label"] == "agent" && c["frontend-open"] == true) {
        return Err(Error::NoAgent);
    }
    let stream = files.with_socket(AGENT, async |path: &str| UnixStream::connect(path).await).await?;
    let mut agent = Agent { lines: Framed::new(stream, LinesCodec::new_with_max_length(LINE_LIMIT)) };
    let number = u64::from(rustix::process::getpid().as_raw_nonzero().get().unsigned_abs());
    agent.send(&json!({"execute": "guest-sync", "arguments": {"id": number}})).await?;
    // Answers to somebody who asked before us may come first.
    let synced = async {
        while let Some(Ok(line)) = agent.lines.next().await {
            let answer: Value = serde_json::from_str(&line).unwrap_or_default();
            if answer["return"] == number {
                return Ok(());
            }
        }
        Err(Error::NoAgent)
    };
    timeout(ANSWER_LIMIT, synced).await.map_err(|_| Error::NoAgent)??;
    Ok(agent)
}

impl Agent {
    async fn send(&mut self, request: &Value) -> Result<()> {
        let sent = timeout(ANSWER_LIMIT, self.lines.send(request.to_string())).await;
        sent.map_err(|_| Error::NoAgent)?.map_err(|error| Error::Monitor(error.to_string()))
    }

    async fn ask(&mut self, command: &str, arguments: Value, limit: Duration) -> Result<Value> {
        self.send(&json!({"execute": command, "arguments": arguments})).await?;
        let line = timeout(limit, self.lines.next()).await;
        let Ok(Some(Ok(line))) = line else {
            return Err(Error::Monitor(format!("the guest's agent did not answer {command}")));
        };
        let answer: Value = serde_json::from_str(&line).unwrap_or_default();
        match answer["error"]["desc"].as_str() {
            Some(why) => Err(Error::Refused(format!("the guest's agent refused {command}: {why}"))),
            None => Ok(answer["return"].clone()),
        }
    }

    pub(super) async fn freeze(&mut self) -> Result<()> {
        self.ask("guest-fsfreeze-freeze", json!({}), FREEZE_LIMIT).await.map(drop)
    }

    pub(super) async fn thaw(&mut self) -> Result<()> {
        self.ask("guest-fsfreeze-thaw", json!({}), FREEZE_LIMIT).await.map(drop)
    }

    pub(super) async fn set_password(&mut self, user: &str, password: &str) -> Result<()> {
        let password = base64::engine::general_purpose::STANDARD.encode(password);
        let arguments = json!({"username": user, "password": password, "crypted": false});
        self.ask("guest-set-user-password", arguments, ANSWER_LIMIT).await.map(drop)
    }
}
