//! MAC addresses of our own making: three random bytes, so of some thousands on one network two are likely the same.

use base::Result;
use db::{AnyConnection, Tx, sql};

use crate::{fault, ipam};

/// As many as Neutron draws.
const DRAWS: usize = 16;

/// One that no port of the network has.
pub async fn free(tx: &mut Tx, network_id: &str) -> Result<String> {
    drawn(tx, network_id, rand::random).await
}

async fn drawn(tx: &mut Tx, network_id: &str, mut random: impl FnMut() -> u32) -> Result<String> {
    let mut mac = String::new();
    for _ in 0..DRAWS {
        mac = ipam::mac(random());
        if !is_taken(tx, network_id, &mac).await? {
            return Ok(mac);
        }
    }
    Err(fault::mac_in_use(network_id, &mac))
}

pub async fn is_taken(conn: &mut AnyConnection, network_id: &str, mac: &str) -> db::Result<bool> {
    sql("SELECT id FROM port WHERE network_id = $1 AND mac_address = $2")
        .bind(network_id)
        .bind(mac)
        .exists(conn)
        .await
}

#[cfg(test)]
mod tests {
    use base::Ctx;
    use camino::Utf8Path;

    use super::*;
    use crate::networks::{self, Network};
    use crate::ports::{Port, store};
    use crate::standard::Standard;

    #[tokio::test]
    async fn what_a_port_has_is_drawn_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path()).unwrap().join("test.db");
        let db = db::Db::open_file(&path).await.unwrap();
        db.migrate(&[crate::MIGRATIONS]).await.unwrap();
        let ctx = Ctx::internal("test");
        let done: Result<()> = db::write!(db, |tx| {
            let network = Network { standard: Standard::new("p", "n", ""), ..Network::default() };
            networks::store::create(tx, &ctx, &network).await?;
            let id = &network.standard.id;
            let port = Port::internal("p", id, "", "", ipam::mac(7));
            store::create(tx, &ctx, port, None, Vec::new()).await?;
            let mut draws = [7, 7, 8].into_iter();
            assert_eq!(drawn(tx, id, || draws.next().unwrap()).await?, ipam::mac(8));
            assert_eq!(drawn(tx, "another", || 7).await?, ipam::mac(7));
            assert!(drawn(tx, id, || 7).await.is_err());
            Ok(())
        });
        done.unwrap();
    }
}
