//! How a long verb tells what it does.

use std::time::{Duration, Instant};

use crate::Result;

/// Called from the task that does the work, so implementations must not block.
pub trait Progress: Send + Sync {
    /// A step begins: `Network`, `Machines`, ...
    fn started(&self, step: &str);
    /// What the running step is doing or waiting for.
    fn note(&self, text: &str);
    fn finished(&self, step: &str, took: Duration);
    fn failed(&self, step: &str, took: Duration);
}

/// Tells nobody.
pub struct Silent;

impl Progress for Silent {
    fn started(&self, _: &str) {}
    fn note(&self, _: &str) {}
    fn finished(&self, _: &str, _: Duration) {}
    fn failed(&self, _: &str, _: Duration) {}
}

pub(crate) async fn step<T>(
    progress: &dyn Progress,
    name: &str,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    progress.started(name);
    let begin = Instant::now();
    let result = work.await;
    match &result {
        Ok(_) => progress.finished(name, begin.elapsed()),
        Err(_) => progress.failed(name, begin.elapsed()),
    }
    result
}
