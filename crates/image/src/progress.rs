//! What a build tells whoever watches it.

use std::time::{Duration, Instant};

use crate::Result;

/// One event in the life of a step. Names are short and in the present tense: `install Debian packages`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    Started {
        name: &'a str,
    },
    Finished {
        name: &'a str,
        took: Duration,
    },
    /// The step's result was found in the cache.
    Reused {
        name: &'a str,
    },
    Failed {
        name: &'a str,
        took: Duration,
    },
}

/// A callback for [`Step`]s; called on the building thread.
pub type Watch<'a> = &'a (dyn Fn(Step<'_>) + Send + Sync);

/// A [`Watch`] that tells nobody.
pub fn silent(_: Step<'_>) {}

/// Runs `work` as one step.
///
/// # Errors
/// Those of `work`.
pub fn step<T>(watch: Watch<'_>, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    watch(Step::Started { name });
    let begin = Instant::now();
    let result = work();
    let took = begin.elapsed();
    tracing::debug!(step = name, took_ms = took.as_millis() as u64, ok = result.is_ok(), "image step");
    match &result {
        Ok(_) => watch(Step::Finished { name, took }),
        Err(_) => watch(Step::Failed { name, took }),
    }
    result
}
