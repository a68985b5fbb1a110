//! Who may say where a server's volumes are: either whoever starts its machine with them, or Cinder, which moves them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<String, Arc<Turn<()>>>>);

impl Turns {
    /// This server's turn, for as long as the answer is kept.
    pub async fn take(&self, server: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody holds or waits for those.
            turns.retain(|id, turn| id == server || Arc::strong_count(turn) > 1);
            turns.entry(server.to_owned()).or_default().clone()
        };
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_for_each_server() {
        let turns = Turns::default();
        let first = turns.take("a").await;
        let second = turns.take("b").await;
        let waiting = turns.take("a");
        tokio::pin!(waiting);
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(first);
        waiting.await;
        drop(second);
        turns.take("c").await;
        assert!(turns.0.lock().unwrap().len() <= 1);
    }
}
