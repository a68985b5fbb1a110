//! Waiting with an end: every wait has a deadline and can say what it saw last.

use std::time::{Duration, Instant};

use crate::{Error, Result};

#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    end: Instant,
    allowed: Duration,
}

impl Deadline {
    #[must_use]
    pub fn after(allowed: Duration) -> Self {
        Self { end: Instant::now() + allowed, allowed }
    }
    #[must_use]
    pub fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }
    #[must_use]
    pub fn allowed(&self) -> Duration {
        self.allowed
    }
    #[must_use]
    pub fn passed(&self) -> bool {
        self.left().is_zero()
    }
    #[must_use]
    pub fn timeout(&self, what: &str, last_seen: &str) -> Error {
        Error::Timeout {
            what: what.to_owned(),
            seconds: self.allowed.as_secs(),
            last_seen: last_seen.to_owned(),
        }
    }
}

/// Ask until `look` answers `Ok(Ok(value))`. `Ok(Err(seen))` means: not yet, this is how it looks. Transient errors
/// of the cloud are tolerated until the deadline, all others end the wait.
pub async fn poll<T>(
    what: &str,
    deadline: Deadline,
    every: Duration,
    mut look: impl AsyncFnMut() -> Result<std::result::Result<T, String>>,
) -> Result<T> {
    loop {
        let last_seen = match look().await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(seen)) => seen,
            Err(error) if error.is_transient() => error.to_string(),
            Err(error) => return Err(error),
        };
        if deadline.passed() {
            return Err(deadline.timeout(what, &last_seen));
        }
        tokio::time::sleep(every.min(deadline.left())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tells_what_was_seen_last() {
        let deadline = Deadline::after(Duration::from_millis(5));
        let mut looks = 0;
        let error = poll("the server being gone", deadline, Duration::from_millis(2), async || {
            looks += 1;
            Ok::<std::result::Result<(), _>, _>(Err(format!("look {}", looks.min(1))))
        })
        .await
        .unwrap_err();
        assert_eq!(error.to_string(), "the server being gone did not happen within 0 s; last seen: look 1");
    }
}
