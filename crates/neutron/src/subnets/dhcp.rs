//! The DHCP port of a network follows its subnets.

use base::Result;
use db::Tx;

use super::{SPEC, Subnet};
use crate::agents;
use crate::ports::{self, DHCP, FullPort, Port, addresses};
use crate::rows::Where;

/// Makes, changes or removes the DHCP port so that it has an address on each subnet with DHCP.
pub async fn settle(tx: &mut Tx, network_id: &str) -> Result<()> {
    let mut conditions = Where::of("network_id", network_id);
    conditions.and("enable_dhcp = 1", []);
    let mut subnets: Vec<Subnet> = conditions.rows(tx, SPEC.table).await?;
    if agents::store::is_taken_away(tx, &agents::store::DHCP, network_id).await? {
        subnets.clear();
    }
    let mut conditions = Where::of("network_id", network_id);
    conditions.and("device_owner = ?", [DHCP.into()]);
    let existing: Option<FullPort> = ports::store::load_where(tx, conditions).await?.pop();
    match existing {
        None if subnets.is_empty() => Ok(()),
        None => {
            let network = crate::networks::store::find(tx, network_id).await?;
            let project = network.map(|n| n.standard.project_id).unwrap_or_default();
            let mac = ports::macs::free(tx, network_id).await?;
            let port = Port::internal(&project, network_id, DHCP, &format!("dhcp-{network_id}"), mac);
            let fixed_ips = addresses::for_dhcp(tx, &mut subnets, &[]).await?;
            ports::store::insert(tx, &FullPort { port, fixed_ips, groups: Vec::new() }).await
        }
        Some(full) if subnets.is_empty() => ports::store::remove(tx, &full.port.standard.id).await,
        Some(full) => {
            let fixed_ips = addresses::for_dhcp(tx, &mut subnets, &full.fixed_ips).await?;
            if fixed_ips != full.fixed_ips {
                addresses::write(tx, &full.port, &fixed_ips).await?;
            }
            Ok(())
        }
    }
}
