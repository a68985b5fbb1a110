//! Filters of ports by what is in other tables.

use std::net::IpAddr;

use base::Result;
use web::Params;

use super::addresses;
use crate::fault;
use crate::rows::{Bind, Where, texts};

/// `fixed_ips=ip_address=..`, `fixed_ips=subnet_id=..`, `fixed_ips=ip_address_substr=..` and `security_groups=..`.
pub fn read(conditions: &mut Where, params: &Params) -> Result<()> {
    let (mut ips, mut subnets, mut parts) = (Vec::new(), Vec::new(), Vec::new());
    for filter in params.all("fixed_ips") {
        match filter.split_once('=') {
            Some(("ip_address", ip)) => {
                // Rows hold the canonical spelling; a text that is no address matches nothing.
                ips.push(ip.parse::<IpAddr>().map_or_else(|_| ip.to_owned(), |a| a.to_string()));
            }
            Some(("subnet_id" | "subnet", id)) => subnets.push(id),
            Some(("ip_address_substr", part)) => parts.push(part),
            _ => {
                return Err(fault::http_bad_request(format!("'{filter}' is not in the form <key>=<value>")));
            }
        }
    }
    for (column, values) in [("address", texts(ips)), ("subnet_id", texts(subnets))] {
        if !values.is_empty() {
            let (condition, values) = addresses::having(column, values);
            conditions.and(&condition, values);
        }
    }
    if !parts.is_empty() {
        let like = vec!["address LIKE ? ESCAPE '!'"; parts.len()].join(" OR ");
        let escaped = |part: &str| part.replace('!', "!!").replace('%', "!%").replace('_', "!_");
        conditions.and(
            &format!("id IN (SELECT port_id FROM ip_allocation WHERE {like})"),
            parts.iter().map(|p| Bind::Text(format!("%{}%", escaped(p)))),
        );
    }
    let groups: Vec<Bind> = texts(params.all("security_groups"));
    if !groups.is_empty() {
        let marks = vec!["?"; groups.len()].join(", ");
        conditions.and(
            &format!("id IN (SELECT port_id FROM port_security_group WHERE security_group_id IN ({marks}))"),
            groups,
        );
    }
    Ok(())
}
