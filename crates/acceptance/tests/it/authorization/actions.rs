//! The actions of `POST /servers/{id}/action`: one route, many policies.

use serde_json::{Value, json};

use super::scene::NOBODY;

/// Of what the bodies speak.
#[derive(Debug, Default)]
pub struct Ids<'a> {
    pub host: &'a str,
    pub network: &'a str,
    pub flavor: &'a str,
    pub image: &'a str,
}

/// The action's own name in what a row says of it.
pub fn name(about: &'static str) -> &'static str {
    about.split(' ').next().unwrap_or(about)
}

/// (what a row says: the name and maybe more, the body, a version that has it)
pub fn all(ids: &Ids<'_>) -> Vec<(&'static str, Value, &'static str)> {
    const NOW: &str = "2.96";
    let Ids { host, network, flavor, image } = ids;
    let address = json!({"address": "172.24.4.250"});
    // What an admin alone may do comes last but one: it leaves the server in any state. What ends it comes last.
    vec![
        ("os-getConsoleOutput", json!({"length": 10}), NOW),
        ("os-getVNCConsole", json!({"type": "novnc"}), "2.1"),
        ("os-getSerialConsole", json!({"type": "serial"}), "2.1"),
        ("os-getSPICEConsole", json!({"type": "spice-html5"}), "2.1"),
        ("os-getRDPConsole", json!({"type": "rdp-html5"}), "2.1"),
        ("addSecurityGroup", json!({"name": "default"}), NOW),
        ("removeSecurityGroup", json!({"name": "default"}), NOW),
        ("addFloatingIp", address.clone(), "2.1"),
        ("removeFloatingIp", address, "2.1"),
        ("addFixedIp", json!({"networkId": network}), "2.1"),
        ("removeFixedIp", json!({"address": "10.3.0.250"}), "2.1"),
        ("unlock", Value::Null, NOW),
        ("reboot", json!({"type": "SOFT"}), NOW),
        ("os-start", Value::Null, NOW),
        ("os-stop", Value::Null, NOW),
        ("pause", Value::Null, NOW),
        ("unpause", Value::Null, NOW),
        ("suspend", Value::Null, NOW),
        ("resume", Value::Null, NOW),
        ("rescue", json!({}), NOW),
        ("unrescue", Value::Null, NOW),
        ("rebuild", json!({"imageRef": image}), NOW),
        ("resize", json!({"flavorRef": flavor}), NOW),
        ("confirmResize", Value::Null, NOW),
        ("revertResize", Value::Null, NOW),
        ("createImage", json!({"name": "snapshot"}), NOW),
        ("createBackup", json!({"name": "backup", "backup_type": "daily", "rotation": 1}), NOW),
        ("changePassword", json!({"adminPass": "secret"}), NOW),
        ("trigger_crash_dump", Value::Null, NOW),
        ("shelve", Value::Null, NOW),
        ("unshelve", Value::Null, NOW),
        ("restore", Value::Null, NOW),
        // Locked by an admin in the end, whom alone it obeys then.
        ("lock", Value::Null, NOW),
        ("migrate", Value::Null, NOW),
        ("migrate to a host", json!({"host": host}), NOW),
        ("os-migrateLive", json!({"host": null, "block_migration": "auto"}), NOW),
        ("os-migrateLive to a host", json!({"host": host, "block_migration": "auto"}), NOW),
        ("evacuate", json!({"host": NOBODY}), NOW),
        ("shelveOffload", Value::Null, NOW),
        ("injectNetworkInfo", Value::Null, NOW),
        // Gone, for everybody.
        ("resetNetwork", Value::Null, "2.1"),
        ("os-resetState", json!({"state": "active"}), NOW),
        ("forceDelete", Value::Null, NOW),
    ]
}
