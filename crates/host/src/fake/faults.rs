//! Slowness and failures on demand.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{Error, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    Prepare,
    Start,
    Stop,
    Reboot,
    Pause,
    Resume,
    Destroy,
    ApplyNetwork,
    RemoveNetwork,
    ApplyRouter,
    RemoveRouter,
}

impl Operation {
    pub fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Reboot => "reboot",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Destroy => "destroy",
            Self::ApplyNetwork => "apply-network",
            Self::RemoveNetwork => "remove-network",
            Self::ApplyRouter => "apply-router",
            Self::RemoveRouter => "remove-router",
        }
    }
}

#[derive(Debug, Default)]
pub struct Faults {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    failures: HashMap<Operation, VecDeque<String>>,
    delays: HashMap<Operation, Duration>,
    delay: Duration,
}

impl Faults {
    pub(super) fn new(delay: Duration) -> Self {
        Self { inner: Mutex::new(Inner { delay, ..Inner::default() }) }
    }

    /// The next call of this kind fails with `message`. Asked twice, the next two do.
    pub fn fail_next(&self, operation: Operation, message: &str) {
        self.inner().failures.entry(operation).or_default().push_back(message.into());
    }

    /// From now on calls of this kind take so long.
    pub fn set_delay(&self, operation: Operation, delay: Duration) {
        self.inner().delays.insert(operation, delay);
    }

    /// Every call goes through here, before it changes anything.
    pub(super) async fn pass(&self, operation: Operation) -> Result<()> {
        let (delay, failure) = {
            let mut inner = self.inner();
            let delay = inner.delays.get(&operation).copied().unwrap_or(inner.delay);
            (delay, inner.failures.get_mut(&operation).and_then(VecDeque::pop_front))
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        failure.map_or(Ok(()), |message| Err(Error::Refused(message)))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
