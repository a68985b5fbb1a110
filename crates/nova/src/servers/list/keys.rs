//! What a list of servers may be asked by.

use base::{Ctx, Error};
use web::Params;

/// Filters for everybody: (key, since).
const FOR_ALL: &[(&str, u16)] = &[
    ("reservation_id", 1),
    ("name", 1),
    ("status", 1),
    ("image", 1),
    ("flavor", 1),
    ("ip", 1),
    ("changes-since", 1),
    ("all_tenants", 1),
    ("ip6", 5),
    ("tags", 26),
    ("tags-any", 26),
    ("not-tags", 26),
    ("not-tags-any", 26),
    ("changes-before", 66),
    ("locked", 73),
    ("availability_zone", 83),
    ("config_drive", 83),
    ("key_name", 83),
    ("created_at", 83),
    ("launched_at", 83),
    ("terminated_at", 83),
    ("power_state", 83),
    ("task_state", 83),
    ("vm_state", 83),
    ("progress", 83),
    ("user_id", 83),
];

/// Further ones that only an admin's request has an effect with.
const FOR_ADMINS: &[&str] = &[
    "user_id",
    "project_id",
    "tenant_id",
    "launch_index",
    "image_ref",
    "kernel_id",
    "ramdisk_id",
    "hostname",
    "key_name",
    "power_state",
    "vm_state",
    "task_state",
    "host",
    "node",
    "launched_at",
    "terminated_at",
    "availability_zone",
    "display_name",
    "description",
    "display_description",
    "locked_by",
    "uuid",
    "root_device_name",
    "config_drive",
    "access_ip_v4",
    "access_ip_v6",
    "auto_disk_config",
    "progress",
    "soft_deleted",
    "deleted",
    "created_at",
    "ip6",
];

const PAGING: &[&str] = &["limit", "marker", "sort_key", "sort_dir", "page_size", "offset"];

/// Names of joined tables: never a filter.
const FORBIDDEN: &[&str] = &[
    "block_device_mapping",
    "services",
    "metadata",
    "system_metadata",
    "info_cache",
    "security_groups",
    "pci_devices",
];

pub(super) const SORT_KEYS: &[&str] = &[
    "access_ip_v4",
    "access_ip_v6",
    "auto_disk_config",
    "availability_zone",
    "config_drive",
    "created_at",
    "display_description",
    "display_name",
    "host",
    "hostname",
    "image_ref",
    "instance_type_id",
    "kernel_id",
    "key_name",
    "launch_index",
    "launched_at",
    "locked_by",
    "node",
    "power_state",
    "progress",
    "project_id",
    "ramdisk_id",
    "root_device_name",
    "task_state",
    "terminated_at",
    "updated_at",
    "user_id",
    "uuid",
    "vm_state",
    "locked",
];

/// Sort keys of the first API: accepted and ignored until 2.75.
pub(super) const IGNORED_SORT_KEYS: &[&str] = &[
    "architecture",
    "cell_name",
    "cleaned",
    "default_ephemeral_device",
    "default_swap_device",
    "deleted",
    "deleted_at",
    "disable_terminate",
    "ephemeral_gb",
    "ephemeral_key_uuid",
    "id",
    "key_data",
    "launched_on",
    "memory_mb",
    "os_type",
    "reservation_id",
    "root_gb",
    "shutdown_terminate",
    "user_data",
    "vcpus",
    "vm_mode",
];

/// Refuses what no server is found by.
pub(super) fn check(ctx: &Ctx, params: &Params) -> base::Result<()> {
    if let Some(key) = params.keys().find(|key| FORBIDDEN.contains(key) || key.starts_with('_')) {
        return Err(Error::bad_request(format!("Invalid filter field: {key}.")));
    }
    let known = |key: &str| is_for_all(ctx, key) || FOR_ADMINS.contains(&key) || PAGING.contains(&key);
    match params.keys().find(|key| !known(key)) {
        Some(key) if ctx.at_least(2, 75) => {
            Err(Error::bad_request(format!("Additional properties are not allowed ('{key}' was unexpected)")))
        }
        _ => Ok(()),
    }
}

/// Others have no effect.
pub(super) fn is_filter(ctx: &Ctx, key: &str) -> bool {
    is_for_all(ctx, key) || ctx.is_admin() && FOR_ADMINS.contains(&key)
}

fn is_for_all(ctx: &Ctx, key: &str) -> bool {
    FOR_ALL.iter().any(|(name, since)| *name == key && ctx.microversion.minor >= *since)
}
