use base::Result;
use db::{AnyConnection, sql};

use crate::fault;

pub async fn check_unused(conn: &mut AnyConnection, id: &str) -> Result<()> {
    let used = sql("SELECT id FROM security_group_rule WHERE remote_address_group_id = $1 LIMIT 1")
        .bind(id)
        .exists(conn)
        .await?;
    if used {
        return Err(fault::conflict(
            "AddressGroupInUse",
            format!("Address group {id} is in use on one or more security group rules."),
        ));
    }
    Ok(())
}

/// Networks with ports whose rules refer to the group.
pub async fn networks_using(conn: &mut AnyConnection, id: &str) -> Result<Vec<String>> {
    Ok(sql("SELECT DISTINCT p.network_id FROM security_group_rule r \
         JOIN port_security_group b ON b.security_group_id = r.security_group_id \
         JOIN port p ON p.id = b.port_id WHERE r.remote_address_group_id = $1")
    .bind(id)
    .rows(conn)
    .await?)
}
