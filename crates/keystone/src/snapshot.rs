//! Small things that nearly every request needs, read once per generation of the data.

use std::sync::{Arc, PoisonError};

use base::Error;

use crate::roles::rules::RoleBook;
use crate::tokens::revocation;
use crate::{Keystone, catalog, roles};

pub struct Snapshot {
    pub generation: u64,
    pub roles: RoleBook,
    pub catalog: catalog::Catalog,
    /// Microseconds; see [`revocation::last`].
    pub last_revocation: i64,
}

impl Keystone {
    pub(crate) async fn snapshot(&self) -> Result<Arc<Snapshot>, Error> {
        let generation = self.generation();
        {
            let kept = self.snapshot.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(snapshot) = kept.as_ref().filter(|s| s.generation == generation) {
                return Ok(snapshot.clone());
            }
        }
        let mut conn = self.db.read().await?;
        let snapshot = Arc::new(Snapshot {
            generation,
            roles: RoleBook::new(
                roles::store::all(&mut conn).await?,
                roles::store::implications(&mut conn).await?,
            ),
            catalog: catalog::store::catalog(&mut conn).await?,
            last_revocation: revocation::last(&mut conn).await?,
        });
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Some(snapshot.clone());
        Ok(snapshot)
    }
}
