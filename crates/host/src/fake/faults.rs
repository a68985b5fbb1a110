//! Slowness and failures on demand: for the next call, for a class of calls, for one server, or by a server's metadata.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

macro_rules! operations {
    ($($variant:ident = $text:literal $(| $alias:literal)?),* $(,)?) => {
        /// A class of calls to the fake drivers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Operation {
            $(#[serde(rename = $text $(, alias = $alias)?)] $variant),*
        }

        impl Operation {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

operations! {
    Prepare = "prepare",
    Start = "start" | "spawn",
    Stop = "stop",
    Reboot = "reboot",
    Pause = "pause",
    Resume = "resume",
    Suspend = "suspend",
    Destroy = "destroy" | "delete",
    Resize = "resize",
    Reset = "reset" | "rebuild",
    Snapshot = "snapshot",
    Plug = "plug",
    Unplug = "unplug",
    SwitchDisk = "switch-disk",
    RebaseDisk = "rebase-disk",
    GrowDisk = "grow-disk",
    Interrupt = "interrupt",
    Password = "password",
    ApplyNetwork = "apply-network",
    RemoveNetwork = "remove-network",
    ApplyRouter = "apply-router",
    RemoveRouter = "remove-router",
    MakeVolume = "make-volume",
    GrowVolume = "grow-volume",
    RemoveVolume = "remove-volume",
    CopyVolume = "copy-volume",
    MergeVolume = "merge-volume",
    ApplyBalancer = "apply-load-balancer",
    RemoveBalancer = "remove-load-balancer",
}

/// One rule: which calls are slow or fail, and how often.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// Calls of this class; None: of any.
    pub operation: Option<Operation>,
    /// The server, network, router or layer of a volume with this id; None: any.
    pub id: Option<String>,
    /// Milliseconds before the call does anything.
    pub delay_ms: u64,
    /// The call fails with these words.
    pub error: Option<String>,
    /// A failure that passes: callers try again by themselves, as after a hiccup of the host.
    pub passing: bool,
    /// The rule is spent after so many calls; None: never.
    pub times: Option<u64>,
}

impl Fault {
    fn is_about(&self, operation: Operation, id: &str) -> bool {
        self.operation.is_none_or(|o| o == operation) && self.id.as_deref().is_none_or(|i| i == id)
    }

    fn failure(&self) -> Option<Error> {
        let words = self.error.clone()?;
        Some(if self.passing { Error::Monitor(words) } else { Error::Refused(words) })
    }
}

/// Keys of a server's metadata that begin so are orders to the fake host: `simulate:delay` and
/// `simulate:delay-<operation>` in milliseconds, `simulate:fail-<operation>` with the words of the failure.
pub const HINT_PREFIX: &str = "simulate:";

#[derive(Debug, Default)]
pub struct Faults {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    failures: HashMap<Operation, VecDeque<String>>,
    delays: HashMap<Operation, Duration>,
    delay: Duration,
    rules: Vec<Fault>,
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

    /// Replaces all rules.
    pub fn set(&self, rules: Vec<Fault>) {
        self.inner().rules = rules;
    }

    pub fn add(&self, rule: Fault) {
        self.inner().rules.push(rule);
    }

    /// Rules that are not spent.
    pub fn rules(&self) -> Vec<Fault> {
        self.inner().rules.clone()
    }

    /// Nothing is slow and nothing fails any more, but for what the driver was started with.
    pub fn clear(&self) {
        let mut inner = self.inner();
        *inner = Inner { delay: inner.delay, ..Inner::default() };
    }

    /// Every call goes through here, before it changes anything.
    pub(super) async fn pass(
        &self,
        operation: Operation,
        id: &str,
        hints: &BTreeMap<String, String>,
    ) -> Result<()> {
        let (delay, failure) = {
            let mut inner = self.inner();
            let mut delay = inner.delays.get(&operation).copied().unwrap_or(inner.delay);
            let next = inner.failures.get_mut(&operation).and_then(VecDeque::pop_front);
            let mut failure = next.map(Error::Refused);
            for rule in inner.rules.iter_mut().filter(|rule| rule.is_about(operation, id)) {
                delay += Duration::from_millis(rule.delay_ms);
                failure = failure.or_else(|| rule.failure());
                if let Some(times) = &mut rule.times {
                    *times = times.saturating_sub(1);
                }
            }
            inner.rules.retain(|rule| rule.times != Some(0));
            (delay + hinted_delay(operation, hints), failure.or_else(|| hinted_failure(operation, hints)))
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        failure.map_or(Ok(()), Err)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hinted_delay(operation: Operation, hints: &BTreeMap<String, String>) -> Duration {
    if hints.is_empty() {
        return Duration::ZERO;
    }
    let own = format!("{HINT_PREFIX}delay-{}", operation.name());
    let any = format!("{HINT_PREFIX}delay");
    let text = hints.get(&own).or_else(|| hints.get(&any));
    Duration::from_millis(text.and_then(|text| text.trim().parse().ok()).unwrap_or(0))
}

fn hinted_failure(operation: Operation, hints: &BTreeMap<String, String>) -> Option<Error> {
    if hints.is_empty() {
        return None;
    }
    let words = hints.get(&format!("{HINT_PREFIX}fail-{}", operation.name()))?.trim();
    Some(Error::Refused(match words {
        "" => format!("{} failed, as the server's metadata asks for", operation.name()),
        words => words.to_owned(),
    }))
}
