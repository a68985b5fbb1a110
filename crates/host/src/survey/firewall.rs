//! Other programs' packet rules, as far as they can keep the cloud's packets from passing.

use std::process::Command;

use serde_json::Value;

use crate::daemon;

/// Of nftables, which has the rules of iptables as well where that is the modern one; else of the older iptables.
pub(super) fn dropping_chains() -> Vec<String> {
    let mut found = Vec::new();
    if let Some(nft) = daemon::find_program("nft")
        && let Ok(output) = Command::new(nft).args(["-j", "list", "chains"]).output()
    {
        found = of_nft(&String::from_utf8_lossy(&output.stdout));
    }
    if let Some(iptables) = daemon::find_program("iptables-legacy")
        && let Ok(output) = Command::new(iptables).args(["-S", "FORWARD"]).output()
        && String::from_utf8_lossy(&output.stdout).lines().any(|line| line == "-P FORWARD DROP")
    {
        found.push("ip filter FORWARD (iptables-legacy)".to_owned());
    }
    found
}

/// Chains at the forward hook that drop by default.
fn of_nft(json: &str) -> Vec<String> {
    let listing: Value = serde_json::from_str(json).unwrap_or_default();
    let chains = listing["nftables"].as_array().into_iter().flatten().map(|entry| &entry["chain"]);
    chains
        .filter(|chain| chain["hook"] == "forward" && chain["policy"] == "drop")
        .map(|chain| {
            let text = |key: &str| chain[key].as_str().unwrap_or_default();
            format!("{} {} {}", text("family"), text("table"), text("name"))
        })
        .collect()
}

pub(super) fn ufw() -> bool {
    std::fs::read_to_string("/etc/ufw/ufw.conf")
        .is_ok_and(|text| text.lines().any(|line| line.trim().eq_ignore_ascii_case("ENABLED=yes")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_chains_that_drop_what_is_forwarded() {
        let json = r#"{"nftables": [{"metainfo": {"version": "1.0.6"}},
            {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward", "policy": "drop"}},
            {"chain": {"family": "ip", "table": "filter", "name": "INPUT", "hook": "input", "policy": "drop"}},
            {"chain": {"family": "ip", "table": "filter", "name": "DOCKER"}},
            {"chain": {"family": "inet", "table": "mine", "name": "f", "hook": "forward", "policy": "accept"}}]}"#;
        assert_eq!(super::of_nft(json), ["ip filter FORWARD"]);
        assert!(super::of_nft("not json").is_empty());
    }
}
