//! One connection: a task reads lines and answers those who wait; callers hold cheap clones of a handle.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use serde_json::Value;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::codec::{FramedRead, LinesCodec};

use super::wire::{Command, Failure, Message};
use super::{Error, Event};

/// Longest line taken from a machine's monitor. A guest that broke into its QEMU must not exhaust the daemon.
const LINE_LIMIT: usize = 4 << 20;
/// For commands whose caller names no limit. QEMU's main loop may be held up by a slow disk.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Greeting {
    pub major: u32,
    pub minor: u32,
    pub micro: u32,
}

type Answer = Result<Value, Failure>;

struct Request {
    line: Vec<u8>,
    id: u64,
    files: Vec<OwnedFd>,
    answer: oneshot::Sender<Answer>,
}

/// A handle on the one connection to a monitor. The connection ends with its last clone.
#[derive(Debug, Clone)]
pub struct Client {
    requests: mpsc::Sender<Request>,
    events: broadcast::Sender<Event>,
    next: Arc<AtomicU64>,
    greeting: Greeting,
}

impl Client {
    /// Waits for the greeting and leaves negotiation mode.
    pub async fn connect(stream: UnixStream, limit: Duration) -> Result<Self, Error> {
        let late = |command: &str| Error::Timeout { command: command.into(), limit };
        let (reader, writer) = stream.into_split();
        let mut lines = FramedRead::new(reader, LinesCodec::new_with_max_length(LINE_LIMIT));
        let first = timeout(limit, lines.next()).await.map_err(|_| late("greeting"))?;
        let first = first.ok_or(Error::Closed)?.map_err(|error| Error::Protocol(error.to_string()))?;
        let greeting = match serde_json::from_str(&first) {
            Ok(Message::Greeting { qmp }) => {
                let version = qmp.version.qemu;
                Greeting { major: version.major, minor: version.minor, micro: version.micro }
            }
            _ => return Err(Error::Protocol(excerpt(&first))),
        };
        let (requests, inbox) = mpsc::channel(16);
        let (events, _) = broadcast::channel(64);
        let task = Connection { writer, waiting: HashMap::new(), events: events.clone() };
        tokio::spawn(task.run(lines, inbox));
        let client = Self { requests, events, next: Arc::new(AtomicU64::new(1)), greeting };
        client.execute_within("qmp_capabilities", Value::Null, limit).await?;
        Ok(client)
    }

    pub fn greeting(&self) -> Greeting {
        self.greeting
    }

    /// Events from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    pub fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }

    pub async fn execute(&self, command: &str, arguments: Value) -> Result<Value, Error> {
        self.execute_within(command, arguments, ANSWER_LIMIT).await
    }

    pub async fn execute_within(
        &self,
        command: &str,
        arguments: Value,
        limit: Duration,
    ) -> Result<Value, Error> {
        self.send(command, arguments, Vec::new(), limit).await
    }

    /// Hands open files over with the command, for `getfd` and `add-fd`.
    pub async fn execute_with_files(
        &self,
        command: &str,
        arguments: Value,
        files: Vec<OwnedFd>,
    ) -> Result<Value, Error> {
        self.send(command, arguments, files, ANSWER_LIMIT).await
    }

    async fn send(
        &self,
        command: &str,
        arguments: Value,
        files: Vec<OwnedFd>,
        limit: Duration,
    ) -> Result<Value, Error> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut line = serde_json::to_vec(&Command { execute: command, arguments, id })
            .map_err(|error| Error::Protocol(error.to_string()))?;
        line.push(b'\n');
        let (answer, answered) = oneshot::channel();
        let exchange = async {
            let request = Request { line, id, files, answer };
            self.requests.send(request).await.map_err(|_| Error::Closed)?;
            answered.await.map_err(|_| Error::Closed)
        };
        let answer = timeout(limit, exchange)
            .await
            .map_err(|_| Error::Timeout { command: command.into(), limit })??;
        answer.map_err(|failure| Error::Refused {
            command: command.into(),
            class: failure.class,
            description: failure.desc,
        })
    }
}

struct Connection {
    writer: OwnedWriteHalf,
    waiting: HashMap<u64, oneshot::Sender<Answer>>,
    events: broadcast::Sender<Event>,
}

impl Connection {
    /// Ends when the peer closes, speaks nonsense, or the last handle is dropped; those who wait then see
    /// [`Error::Closed`].
    async fn run(
        mut self,
        mut lines: FramedRead<tokio::net::unix::OwnedReadHalf, LinesCodec>,
        mut inbox: mpsc::Receiver<Request>,
    ) {
        loop {
            tokio::select! {
                line = lines.next() => match line {
                    Some(Ok(line)) => {
                        if let Err(error) = self.receive(&line) {
                            tracing::warn!(%error, "closing a monitor connection");
                            return;
                        }
                    }
                    Some(Err(error)) => {
                        tracing::debug!(%error, "a monitor connection broke");
                        return;
                    }
                    None => return,
                },
                request = inbox.recv() => {
                    let Some(Request { line, id, files, answer }) = request else { return };
                    self.waiting.retain(|_, waiter| !waiter.is_closed());
                    self.waiting.insert(id, answer);
                    if let Err(error) = write_all(&self.writer, &line, &files).await {
                        tracing::debug!(%error, "a monitor connection broke");
                        return;
                    }
                }
            }
        }
    }

    fn receive(&mut self, line: &str) -> Result<(), Error> {
        let message = serde_json::from_str(line).map_err(|_| Error::Protocol(excerpt(line)))?;
        match message {
            // Nobody listening is fine.
            Message::Event(event) => drop(self.events.send(event)),
            Message::Success { value, id } => self.answer(id, Ok(value)),
            Message::Failure { error, id } => self.answer(id, Err(error)),
            Message::Greeting { .. } => return Err(Error::Protocol(excerpt(line))),
        }
        Ok(())
    }

    fn answer(&mut self, id: Option<u64>, answer: Answer) {
        if let Some(waiter) = id.and_then(|id| self.waiting.remove(&id)) {
            // The caller may have given up already.
            drop(waiter.send(answer));
        }
    }
}

/// The files travel with the first byte that is sent.
async fn write_all(writer: &OwnedWriteHalf, mut bytes: &[u8], files: &[OwnedFd]) -> std::io::Result<()> {
    let stream: &UnixStream = writer.as_ref();
    let mut files: Vec<_> = files.iter().map(AsFd::as_fd).collect();
    while !bytes.is_empty() {
        stream.writable().await?;
        let sent = stream.try_io(Interest::WRITABLE, || {
            let mut space =
                vec![std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(files.len()))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&files)) {
                return Err(std::io::ErrorKind::InvalidInput.into());
            }
            let sent = rustix::net::sendmsg(
                stream,
                &[std::io::IoSlice::new(bytes)],
                &mut control,
                SendFlags::NOSIGNAL,
            )?;
            Ok(sent)
        });
        match sent {
            Ok(count) => {
                bytes = &bytes[count..];
                files.clear();
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Enough of a line to recognise it in a log.
fn excerpt(line: &str) -> String {
    line.chars().take(120).collect()
}
