//! The one table in the host's own namespace: the external networks' way to the world.

use ipnet::{IpNet, Ipv4Net};

use super::Text;

/// `cumulet_3fa85f64`: one table for each external network.
#[must_use]
pub fn table(prefix: &str, network_id: &str) -> String {
    let plain = |text: &str| text.replace(|byte: char| !byte.is_ascii_alphanumeric(), "_");
    format!("{}_{}", plain(prefix), plain(&network_id[..network_id.len().min(8)]))
}

/// Masquerades what comes from the external subnets and leaves by any other link.
#[must_use]
pub fn render(table: &str, link: &str, subnets: &[IpNet]) -> String {
    let subnets: Vec<Ipv4Net> = subnets
        .iter()
        .filter_map(|subnet| match subnet {
            IpNet::V4(subnet) => Some(subnet.trunc()),
            IpNet::V6(_) => None,
        })
        .collect();
    let mut text = Text::default();
    text.replace_table("ip", table, |text| {
        text.block("chain postrouting", |text| {
            text.line("type nat hook postrouting priority srcnat; policy accept;");
            for subnet in Ipv4Net::aggregate(&subnets) {
                text.line(format!("ip saddr {subnet} oifname != {{ \"{link}\", \"lo\" }} masquerade"));
            }
        });
    });
    text.out
}

/// Removes the table, whether or not it is there.
#[must_use]
pub fn render_removal(table: &str) -> String {
    format!("add table ip {table}\ndelete table ip {table}\n")
}
