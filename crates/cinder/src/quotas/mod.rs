//! How much a project may have: of all volumes, and of volumes of each type. What is used is counted from the rows
//! themselves, so it cannot be wrong. -1 is "any number".

pub mod api;
pub mod store;

use std::collections::BTreeMap;

use base::Result;

use crate::words::over_quota;

/// (resource, default)
pub const RESOURCES: [(&str, i64); 7] = [
    ("volumes", 10),
    ("snapshots", 10),
    ("gigabytes", 1000),
    ("backups", 10),
    ("backup_gigabytes", 1000),
    ("per_volume_gigabytes", -1),
    ("groups", 10),
];

/// Those that each type has limits of its own for.
pub const OF_A_TYPE: [&str; 3] = ["volumes", "snapshots", "gigabytes"];

/// Limits or counts by resource; `volumes_<type>`, `snapshots_<type>` and `gigabytes_<type>` among them.
pub type Amounts = BTreeMap<String, i64>;

/// What is asked for on top of what there is.
#[derive(Debug, Clone, Copy, Default)]
pub struct More {
    pub volumes: i64,
    pub snapshots: i64,
    pub gib: i64,
    pub backups: i64,
    pub backup_gib: i64,
    pub groups: i64,
}

fn of(amounts: &Amounts, name: &str, absent: i64) -> i64 {
    amounts.get(name).copied().unwrap_or(absent)
}

/// 413 in Cinder's words.
pub fn check(limits: &Amounts, used: &Amounts, type_name: &str, more: More) -> Result<()> {
    let rows = [
        ("backup_gigabytes", more.backup_gib),
        ("backups", more.backups),
        ("gigabytes", more.gib),
        ("groups", more.groups),
        ("snapshots", more.snapshots),
        ("volumes", more.volumes),
    ];
    for (resource, amount) in rows.into_iter().filter(|(_, amount)| *amount > 0) {
        for name in [resource.to_owned(), format!("{resource}_{type_name}")] {
            let (limit, taken) = (of(limits, &name, -1), of(used, &name, 0));
            if limit < 0 || taken.saturating_add(amount) <= limit {
                continue;
            }
            return Err(over_quota(match resource {
                "gigabytes" => format!(
                    "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed {name} quota. \
                     Requested {amount}G, quota is {limit}G and {taken}G has been consumed."
                ),
                "backup_gigabytes" => format!(
                    "VolumeBackupSizeExceedsAvailableQuota: Requested backup exceeds allowed Backup gigabytes quota. \
                     Requested {amount}G, quota is {limit}G and {taken}G has been consumed."
                ),
                "backups" => {
                    format!("BackupLimitExceeded: Maximum number of backups allowed ({limit}) exceeded")
                }
                "groups" => {
                    format!("GroupLimitExceeded: Maximum number of groups allowed ({limit}) exceeded")
                }
                "snapshots" => {
                    format!("SnapshotLimitExceeded: Maximum number of snapshots allowed ({limit}) exceeded")
                }
                _ => format!(
                    "VolumeLimitExceeded: Maximum number of volumes allowed ({limit}) exceeded for quota '{name}'."
                ),
            }));
        }
    }
    Ok(())
}

/// One volume of this size at all?
pub fn check_size(limits: &Amounts, size: i64) -> Result<()> {
    let limit = of(limits, "per_volume_gigabytes", -1);
    if limit < 0 || size <= limit {
        return Ok(());
    }
    Err(over_quota(format!(
        "VolumeSizeExceedsLimit: Requested volume size {size}G is larger than maximum allowed limit {limit}G."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amounts(rows: &[(&str, i64)]) -> Amounts {
        rows.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
    }

    #[test]
    fn limits_of_the_project_and_of_the_type_hold() {
        let limits = amounts(&[("volumes", 2), ("gigabytes", 10), ("gigabytes_fast", 5), ("snapshots", -1)]);
        let used = amounts(&[("volumes", 1), ("gigabytes", 4), ("gigabytes_fast", 4)]);
        let volume = |gib| More { volumes: 1, gib, ..More::default() };
        assert!(check(&limits, &used, "slow", volume(6)).is_ok());
        let refused = |type_name: &str, more| check(&limits, &used, type_name, more).unwrap_err().message;
        assert!(refused("slow", volume(7)).contains("quota is 10G and 4G has been consumed"));
        assert!(refused("fast", volume(2)).contains("exceeds allowed gigabytes_fast quota"));
        assert!(
            refused("slow", More { volumes: 2, ..More::default() })
                .contains("(2) exceeded for quota 'volumes'")
        );
        assert!(check(&limits, &used, "slow", More { snapshots: 1000, ..More::default() }).is_ok());
        assert!(check_size(&amounts(&[("per_volume_gigabytes", 3)]), 4).is_err());
        assert!(check_size(&limits, 1 << 30).is_ok());
    }
}
