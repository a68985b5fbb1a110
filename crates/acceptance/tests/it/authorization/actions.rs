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

/// The actions of `POST /volumes/{id}/action`: all at one version. What changes the volume's state for an admin alone comes
/// last.
pub fn of_volumes() -> Vec<(&'static str, Value)> {
    let attach = json!({"instance_uuid": NOBODY, "mountpoint": "/dev/vdb"});
    vec![
        ("os-show_image_metadata", Value::Null),
        ("os-set_image_metadata", json!({"metadata": {"key": "value"}})),
        ("os-unset_image_metadata", json!({"key": "key"})),
        ("os-set_bootable", json!({"bootable": false})),
        ("os-update_readonly_flag", json!({"readonly": false})),
        ("os-extend", json!({"new_size": 2})),
        ("os-retype", json!({"new_type": "__DEFAULT__"})),
        ("revert", json!({"snapshot_id": NOBODY})),
        ("os-volume_upload_image", json!({"image_name": "uploaded", "disk_format": "ploop"})),
        ("os-reserve", Value::Null),
        ("os-unreserve", Value::Null),
        ("os-initialize_connection", json!({"connector": {"host": "h"}})),
        ("os-terminate_connection", json!({"connector": {"host": "h"}})),
        ("os-attach", attach),
        ("os-begin_detaching", Value::Null),
        ("os-roll_detaching", Value::Null),
        ("os-detach", Value::Null),
        ("os-migrate_volume", json!({"host": "elsewhere"})),
        ("os-force_detach", json!({})),
        ("os-reset_status", json!({"status": "available"})),
    ]
}
