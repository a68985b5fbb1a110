//! A running machine: its process, its monitor, and the task that watches both.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::launch::MONITOR;
use super::paths::VmFiles;
use super::shared::Shared;
use crate::files::remove;
use crate::process::{Process, file_error};
use crate::qmp::{Client, Event};
use crate::{Error, Result, VmState};

/// A machine that was asked to power off is asked again: while it boots nobody listens to the button.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// QEMU writes its disk's metadata when it quits.
const QUIT_LIMIT: Duration = Duration::from_secs(5);
/// From a fork to the exec, on a machine with too much to do.
const EXEC_LIMIT: Duration = Duration::from_secs(10);
const TRIM_PERIOD: Duration = Duration::from_secs(10);

pub(super) struct Machine {
    pub(super) id: String,
    pub(super) files: VmFiles,
    pub(super) process: Process,
    monitor: Mutex<Option<Client>>,
    /// Its end was asked for by a call, so it is no news.
    quiet: AtomicBool,
}

impl Machine {
    pub(super) fn new(id: &str, files: VmFiles, process: Process) -> Self {
        Self { id: id.into(), files, process, monitor: Mutex::new(None), quiet: AtomicBool::new(false) }
    }

    /// What the files say: a process that is this machine's. A number in a file alone proves nothing.
    pub(super) async fn find(id: &str, files: VmFiles) -> Result<Option<Self>> {
        let start = Instant::now();
        loop {
            if let Some(machine) = Self::look(id, &files)? {
                return Ok(Some(machine));
            }
            // A daemon was killed between its fork and the child's exec: the child goes on by itself.
            if !files.is_held() {
                return Ok(None);
            }
            if start.elapsed() > EXEC_LIMIT {
                return Err(Error::Monitor(format!("the process of machine {id} does not become QEMU")));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn look(id: &str, files: &VmFiles) -> Result<Option<Self>> {
        let Ok(text) = std::fs::read_to_string(files.pid()) else { return Ok(None) };
        let Ok(pid) = text.trim().parse() else { return Ok(None) };
        let failed = |error| file_error("looking at the process in", &files.pid(), error);
        let Some(process) = Process::open(pid).map_err(failed)? else { return Ok(None) };
        let arguments = process.arguments().map_err(failed)?;
        let ours = arguments.windows(2).any(|pair| pair[0] == "-uuid" && pair[1] == id);
        let running = ours && !process.has_ended();
        Ok(running.then(|| Self::new(id, files.clone(), process)))
    }

    /// The one connection, made anew if it broke.
    pub(super) async fn monitor(&self, limit: Duration) -> Result<Client> {
        let mut monitor = self.monitor.lock().await;
        if let Some(client) = monitor.as_ref().filter(|client| !client.is_closed()) {
            return Ok(client.clone());
        }
        let stream =
            self.files.with_socket(MONITOR, async |path: &str| UnixStream::connect(path).await).await?;
        let client = Client::connect(stream, limit).await?;
        *monitor = Some(client.clone());
        Ok(client)
    }

    pub(super) async fn execute(&self, command: &str) -> Result<Value> {
        let monitor = self.monitor(QUIT_LIMIT).await?;
        Ok(monitor.execute(command, Value::Null).await?)
    }

    pub(super) async fn state(&self) -> Result<VmState> {
        let status = self.execute("query-status").await?;
        // Paused by us, or by QEMU because the disk is full or the processor failed.
        let running = status.get("running").and_then(Value::as_bool).unwrap_or(false);
        Ok(if running { VmState::Running } else { VmState::Paused })
    }

    /// False for a process that only stands in the way of the file which has the machine's state, whole: it was saved
    /// and not ended, or started from it and never let run, when the daemon was killed.
    pub(super) async fn goes_on(&self) -> Result<bool> {
        // One look at the file system, not a question to QEMU, for machines that never were suspended.
        if !self.files.memory().exists() {
            return Ok(true);
        }
        match self.state().await {
            Ok(VmState::Running) => {}
            Ok(_) => return Ok(false),
            // The daemon that fed it its state was killed: it ends, and what it was to be is in the file still.
            Err(_) if timeout(QUIT_LIMIT, self.process.ended()).await.is_ok() => return Ok(false),
            Err(error) => return Err(error),
        }
        // It has written to its disk since.
        remove(&self.files.memory())?;
        Ok(true)
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.quiet.load(Ordering::Acquire)
    }

    pub(super) fn silence(&self) {
        self.quiet.store(true, Ordering::Release);
    }

    /// Presses the power button until the machine is off or `grace` is over. True if it is off.
    pub(super) async fn power_off(&self, grace: Duration) -> bool {
        let press = async {
            loop {
                if let Err(error) = self.execute("system_powerdown").await {
                    tracing::debug!(machine = self.id, %error, "the power button could not be pressed");
                }
                if timeout(ASK_AGAIN, self.process.ended()).await.is_ok() {
                    return;
                }
            }
        };
        timeout(grace, press).await.is_ok()
    }

    /// Ends the process: it may close its disk first, if it is quick about it.
    pub(super) async fn quit(&self) -> Result<()> {
        let politely = async {
            let monitor = self.monitor(QUIT_LIMIT).await?;
            // The connection may break before the answer.
            drop(monitor.execute_within("quit", Value::Null, QUIT_LIMIT).await);
            self.process.ended().await;
            Result::Ok(())
        };
        match timeout(QUIT_LIMIT, politely).await {
            Ok(Ok(())) => Ok(()),
            _ => self.kill().await,
        }
    }

    pub(super) async fn kill(&self) -> Result<()> {
        self.process
            .kill()
            .map_err(|error| file_error("killing the process in", &self.files.pid(), error))?;
        self.process.ended().await;
        Ok(())
    }
}

/// Notices what no call caused, and keeps the console's log short, until the process ends or the driver is gone.
pub(super) async fn watch(shared: Arc<Shared>, machine: Arc<Machine>) {
    let mut period = interval(TRIM_PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let closing = shared.closing.clone();
    let mut events = None;
    loop {
        if events.is_none() {
            events = machine.monitor(QUIT_LIMIT).await.ok().map(|client| client.events());
        }
        tokio::select! {
            () = closing.cancelled() => return,
            () = machine.process.ended() => {
                shared.ended(&machine);
                return;
            }
            event = next(&mut events) => match event {
                Some(event) if event.name == "STOP" => tell_of_failure(&shared, &machine).await,
                Some(_) => {}
                None => events = None,
            },
            _ = period.tick() => {
                heal(&shared, &machine).await;
                if let Err(error) = machine.mend_taps().await {
                    tracing::warn!(machine = machine.id, %error, "a tap that is gone could not be made again");
                }
                if let Err(error) = super::console::trim(&machine.files.console(), shared.options.console_limit) {
                    tracing::warn!(machine = machine.id, %error, "the console's log could not be cut");
                }
            }
        }
    }
}

/// Bytes that must be free before a machine that ran out of space goes on.
const ENOUGH_SPACE: u64 = 64 << 20;

/// A machine that QEMU stopped because this host's disk was full goes on once it is not.
async fn heal(shared: &Shared, machine: &Machine) {
    let full = machine.execute("query-status").await.is_ok_and(|status| status["status"] == "io-error");
    if !full {
        return;
    }
    let Ok(disk) = rustix::fs::statvfs(machine.files.dir().as_std_path()) else { return };
    if disk.f_bavail * disk.f_frsize < ENOUGH_SPACE {
        return;
    }
    // Should the error be another one, the same request fails and stops the machine again.
    match machine.execute("cont").await {
        Ok(_) => tracing::info!(machine = machine.id, "a machine that was stopped by a full disk goes on"),
        Err(error) => tracing::warn!(machine = machine.id, %error, "a stopped machine could not go on"),
    }
    shared.tell(&machine.id);
}

/// None when the connection is gone. Without one, nothing ever: the period of the caller tries again.
async fn next(events: &mut Option<tokio::sync::broadcast::Receiver<Event>>) -> Option<Event> {
    use tokio::sync::broadcast::error::RecvError;
    let Some(receiver) = events else { return std::future::pending().await };
    match receiver.recv().await {
        Ok(event) => Some(event),
        Err(RecvError::Lagged(_)) => Some(Event { name: "LAGGED".into(), data: json!({}) }),
        Err(RecvError::Closed) => None,
    }
}

/// A machine stops by a call, or because of an error on this host: only that is news.
async fn tell_of_failure(shared: &Shared, machine: &Machine) {
    let Ok(status) = machine.execute("query-status").await else { return };
    let status = status.get("status").and_then(Value::as_str).unwrap_or("");
    if matches!(status, "io-error" | "internal-error" | "guest-panicked" | "watchdog") {
        tracing::warn!(machine = machine.id, status, "QEMU stopped a machine");
        shared.tell(&machine.id);
    }
}
