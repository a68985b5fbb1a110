//! The calls of services that use secrets: load balancers read certificates.

use base::{Ctx, Error, Result};
use db::AnyConnection;

use crate::access::{Need, Owned, check};
use crate::{Barbican, containers, refs, secrets};

/// For whom something is read.
#[derive(Clone, Copy)]
pub enum Reader<'a> {
    /// Somebody who must be allowed to.
    User(&'a Ctx),
    /// The cloud, of a reference that somebody who was allowed to gave it.
    Cloud,
}

impl Reader<'_> {
    fn check(self, thing: &Owned, what: &str) -> Result<()> {
        match self {
            Reader::User(ctx) => check(ctx, thing, Need::Read, what),
            Reader::Cloud => Ok(()),
        }
    }
}

/// What a reference leads to.
pub enum Found {
    Secret(Vec<u8>),
    /// Names and payloads, of a container of certificates.
    Certificate(Vec<(String, Vec<u8>)>),
}

impl Barbican {
    /// A secret's payload.
    pub async fn payload_of(
        &self,
        conn: &mut AnyConnection,
        reader: Reader<'_>,
        reference: &str,
    ) -> Result<Vec<u8>> {
        let secret = secrets::store::get(conn, refs::id(reference)).await?;
        reader.check(&secret.owned, "Secret payload retrieval")?;
        let cipher = secrets::store::payload(conn, &secret.id).await?;
        let cipher = cipher.ok_or_else(|| Error::not_found("Sorry but your secret has no payload."))?;
        self.vault.decrypt(conn, &secret.owned.project_id, &cipher).await
    }

    /// A secret's payload, or the payloads of a container of certificates: whichever has the id.
    pub async fn found(
        &self,
        conn: &mut AnyConnection,
        reader: Reader<'_>,
        reference: &str,
    ) -> Result<Found> {
        match self.payload_of(conn, reader, reference).await {
            Err(e) if e.is_not_found() => {}
            other => return other.map(Found::Secret),
        }
        let container = containers::store::get(conn, refs::id(reference)).await?;
        reader.check(&container.owned, "Container retrieval")?;
        if container.kind != "certificate" {
            return Err(Error::bad_request("The container is not one of certificates."));
        }
        let mut parts = Vec::with_capacity(container.secrets.len());
        for member in &container.secrets {
            let payload = self.payload_of(conn, reader, &member.secret_id).await?;
            parts.push((member.name.clone(), payload));
        }
        Ok(Found::Certificate(parts))
    }
}
