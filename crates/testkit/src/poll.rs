//! Waiting for a state without guessing how long it takes.

use std::time::{Duration, Instant};

/// Asks every 10 ms until `look` has something; panics after `seconds` with what was waited for.
pub async fn poll<T>(what: &str, seconds: u64, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {seconds} s for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
