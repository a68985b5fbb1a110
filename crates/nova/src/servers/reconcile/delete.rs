//! Deletion: always wins, and leaves nothing. It is tried until it is done.

use base::Result;
use reconcile::Outcome;

use super::Server;
use crate::Nova;

impl Nova {
    pub(super) async fn delete(&self, server: &Server) -> Result<Outcome> {
        self.remove_machine(server).await?;
        self.forget(server).await?;
        tracing::info!(server = server.id, "the server is deleted");
        Ok(Outcome::Done)
    }
}
