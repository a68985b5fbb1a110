//! The activator: makes desired state real, again and again. It knows no service.
//!
//! ```text
//!             wake(key) ─┐                                 ┌─ Done            forget the key
//!   resync() every       ├─► dirty keys ─► reconcile(key) ─┼─ Again(after)    look again later
//!   period and at start ─┘   one at a time per key,        └─ Err             back off: 0.2 s doubling to 30 s
//!                            many keys at once
//! ```
//!
//! A reconciler takes no input but the key: it reads what is wanted, looks at what is, and does the next thing. A
//! wake while it runs makes it run once more, so no change is ever missed; a kill at any point is only one more
//! activation after the next start. It never retries inside: the next activation is the retry.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::time::Instant;
use tracing::{Instrument, Span};

/// What an activation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Wanted and real agree.
    Done,
    /// Something is on its way; look again after this time (or on a wake).
    Again(Duration),
}

/// Why an activation failed; it is shown in status and in the log.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

#[async_trait]
pub trait Reconciler: Send + Sync + 'static {
    /// For logs and status: `nova.servers`.
    fn name(&self) -> &'static str;
    /// Makes the thing named by `key` real. A key of something long gone is fine: clean up and be Done.
    async fn reconcile(&self, key: &str) -> Result<Outcome, Failure>;
    /// All keys to look at on start and each period: what rows want and what the host has, also strays.
    async fn resync(&self) -> Result<Vec<String>, Failure>;
}

#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How many keys are worked on at once.
    pub parallel: usize,
    /// Time between two resyncs.
    pub period: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options { parallel: 8, period: Duration::from_secs(60) }
    }
}

const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LAST_BACKOFF: Duration = Duration::from_secs(30);

/// How a reconciler fares, for `status`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    pub activations: u64,
    pub failures: u64,
    /// Keys that failed last time, with the reason.
    pub failing: BTreeMap<String, String>,
    /// Keys that wait for their turn or a time.
    pub pending: usize,
}

/// Wakes one reconciler; cheap to clone. Made before the reconciler itself, so that services can hold it.
#[derive(Clone)]
pub struct Waker(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    notify: Notify,
}

#[derive(Default)]
struct State {
    keys: HashMap<String, Key>,
    activations: u64,
    failures: u64,
    stopped: bool,
}

#[derive(Default)]
struct Key {
    running: bool,
    /// Run again as soon as it is not running.
    dirty: bool,
    /// Run again at this time even if nobody wakes it.
    due: Option<Instant>,
    failed: u32,
    reason: Option<String>,
    /// The span of who woke it last, until its activations are done: lines of the log then tell which request they
    /// come from. The activation runs in this very span and not below it, or spans would pile up where one reconciler
    /// wakes another for ever.
    cause: Option<Span>,
    waiters: Vec<oneshot::Sender<Result<(), String>>>,
    /// Waiters that came while it was running: the run in progress may have read too early for them.
    late_waiters: Vec<oneshot::Sender<Result<(), String>>>,
}

impl Key {
    fn caused_by(&mut self, span: Span) {
        // A resync is nobody's wish.
        if !span.is_none() {
            self.cause = Some(span);
        }
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}

impl Default for Waker {
    fn default() -> Self {
        Self::new()
    }
}

impl Waker {
    pub fn new() -> Self {
        Waker(Arc::new(Shared { state: Mutex::default(), notify: Notify::new() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock; a poisoned one is as good as any.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something about `key` changed.
    pub fn wake(&self, key: &str) {
        let mut state = self.state();
        let entry = state.keys.entry(key.into()).or_default();
        entry.dirty = true;
        entry.caused_by(Span::current());
        drop(state);
        self.0.notify.notify_one();
    }

    /// Wakes and waits until an activation that began after this call has ended; its failure is returned as text.
    /// An activation that says "again" counts as ended.
    pub async fn wake_and_wait(&self, key: &str) -> Result<(), String> {
        let (send, receive) = oneshot::channel();
        {
            let mut state = self.state();
            if state.stopped {
                return Err("the cloud is shutting down".into());
            }
            let entry = state.keys.entry(key.into()).or_default();
            entry.dirty = true;
            entry.caused_by(Span::current());
            if entry.running { entry.late_waiters.push(send) } else { entry.waiters.push(send) }
        }
        self.0.notify.notify_one();
        receive.await.unwrap_or_else(|_| Err("the cloud is shutting down".into()))
    }

    pub fn status(&self) -> Status {
        let state = self.state();
        Status {
            activations: state.activations,
            failures: state.failures,
            failing: state.keys.iter().filter_map(|(k, v)| Some((k.clone(), v.reason.clone()?))).collect(),
            pending: state.keys.values().filter(|k| k.dirty || k.running || k.due.is_some()).count(),
        }
    }

    /// Takes no new work; what runs ends by itself.
    pub fn stop(&self) {
        let mut state = self.state();
        state.stopped = true;
        state.keys.values_mut().for_each(|k| {
            k.waiters.clear();
            k.late_waiters.clear();
        });
        drop(state);
        self.0.notify.notify_one();
    }

    /// The keys to run now and when the next one is due.
    fn take_ready(&self) -> (Vec<(String, Span)>, Option<Instant>, bool) {
        let now = Instant::now();
        let mut next: Option<Instant> = None;
        let mut ready = Vec::new();
        let mut state = self.state();
        if state.stopped {
            return (ready, None, true);
        }
        for (name, key) in &mut state.keys {
            if key.running {
                continue;
            }
            if key.dirty || key.due.is_some_and(|d| d <= now) {
                key.running = true;
                key.dirty = false;
                key.due = None;
                ready.push((name.clone(), key.cause.clone().unwrap_or_else(Span::none)));
            } else if let Some(due) = key.due {
                next = Some(next.map_or(due, |n| n.min(due)));
            }
        }
        (ready, next, false)
    }

    fn finished(&self, name: &str, result: &Result<Outcome, Failure>) {
        let mut state = self.state();
        state.activations += 1;
        if result.is_err() {
            state.failures += 1;
        }
        let Some(key) = state.keys.get_mut(name) else { return };
        key.running = false;
        let answer = match result {
            Ok(_) => Ok(()),
            Err(e) => Err(chain(&**e)),
        };
        match result {
            Ok(outcome) => {
                key.failed = 0;
                key.reason = None;
                if let Outcome::Again(after) = outcome {
                    key.due = Some(Instant::now() + *after);
                }
            }
            Err(_) => {
                let backoff = FIRST_BACKOFF.saturating_mul(1 << key.failed.min(10)).min(LAST_BACKOFF);
                key.failed += 1;
                key.due = Some(Instant::now() + backoff);
                key.reason = answer.clone().err();
            }
        }
        for waiter in std::mem::take(&mut key.waiters) {
            // The one who waited may have gone away.
            let _ = waiter.send(answer.clone());
        }
        key.waiters = std::mem::take(&mut key.late_waiters);
        if !key.dirty && key.due.is_none() {
            state.keys.remove(name);
        }
        drop(state);
        self.0.notify.notify_one();
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(e) = next {
        text.push_str(": ");
        text.push_str(&e.to_string());
        next = e.source();
    }
    text
}

/// Starts the loops of a reconciler. They end on [`Waker::stop`].
pub fn spawn<R: Reconciler>(waker: Waker, reconciler: Arc<R>, options: Options) {
    let slots = Arc::new(Semaphore::new(options.parallel));
    tokio::spawn(resync_loop(waker.clone(), reconciler.clone(), options.period));
    tokio::spawn(async move {
        loop {
            let (ready, next, stopped) = waker.take_ready();
            if stopped {
                return;
            }
            for (key, cause) in ready {
                let (waker, reconciler, slots) = (waker.clone(), reconciler.clone(), slots.clone());
                tokio::spawn(async move {
                    let Ok(_slot) = slots.acquire().await else { return };
                    // A panic in one activation must not leave its key marked as running for ever.
                    let work = tokio::spawn({
                        let (reconciler, key) = (reconciler.clone(), key.clone());
                        async move { reconciler.reconcile(&key).await }.instrument(cause.clone())
                    });
                    let result = work.await.unwrap_or_else(|panic| Err(Box::new(panic)));
                    if let Err(e) = &result {
                        cause.in_scope(|| {
                            tracing::warn!(
                                reconciler = reconciler.name(),
                                key,
                                error = chain(&**e),
                                "activation failed"
                            );
                        });
                    }
                    waker.finished(&key, &result);
                });
            }
            let notified = waker.0.notify.notified();
            match next {
                Some(due) => {
                    let _ = tokio::time::timeout_at(due, notified).await;
                }
                None => notified.await,
            }
        }
    });
}

async fn resync_loop<R: Reconciler>(waker: Waker, reconciler: Arc<R>, period: Duration) {
    loop {
        match reconciler.resync().await {
            Ok(keys) => keys.iter().for_each(|k| waker.wake(k)),
            Err(e) => tracing::warn!(reconciler = reconciler.name(), error = chain(&*e), "resync failed"),
        }
        tokio::time::sleep(period).await;
        if waker.state().stopped {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
