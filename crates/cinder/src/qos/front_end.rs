//! What QoS specs say to whoever runs machines. Those for the backend limit nothing: files have no limits of their own.

use std::collections::BTreeMap;

use base::Result;
use db::AnyConnection;
use host::plan::DiskLimits;

use super::store;
use crate::volumes::Volume;

type Specs = BTreeMap<String, String>;

/// The limits that there are, each by one name for a whole volume.
const LIMITS: [&str; 6] = [
    "read_iops_sec",
    "read_bytes_sec",
    "write_iops_sec",
    "write_bytes_sec",
    "total_iops_sec",
    "total_bytes_sec",
];

/// The specs of the volume's type, with limits for each of its gigabytes turned into limits of all of it.
pub async fn specs(conn: &mut AnyConnection, volume: &Volume) -> Result<Option<Specs>> {
    let kind = crate::types::store::get(conn, &volume.type_id).await?;
    let found = match kind.and_then(|kind| kind.qos_id) {
        Some(id) => store::get(conn, &id).await?,
        None => None,
    };
    let found = found.filter(|qos| qos.consumer != "back-end");
    Ok(found.map(|qos| of_all_gigabytes(qos.specs, volume.size)))
}

pub async fn limits(conn: &mut AnyConnection, volume: &Volume) -> Result<DiskLimits> {
    Ok(specs(conn, volume).await?.map_or_else(DiskLimits::default, |specs| read(&specs)))
}

/// `*_per_gb` grows with the volume, not below `*_per_gb_min` and not above `*_max`. What is no number is left as it is.
fn of_all_gigabytes(mut specs: Specs, gigabytes: i64) -> Specs {
    for limit in LIMITS {
        let number =
            |specs: &Specs, ending: &str| specs.get(&format!("{limit}{ending}"))?.trim().parse::<i64>().ok();
        let Some(each) = number(&specs, "_per_gb") else { continue };
        let grown = each.saturating_mul(gigabytes).max(number(&specs, "_per_gb_min").unwrap_or(0));
        let most = number(&specs, "_max").unwrap_or(grown);
        for ending in ["_per_gb", "_per_gb_min", "_max"] {
            specs.remove(&format!("{limit}{ending}"));
        }
        specs.insert(limit.to_owned(), grown.min(most).to_string());
    }
    specs
}

/// In the words that Nova knows; 0 is no limit.
fn read(specs: &Specs) -> DiskLimits {
    let number = |key: &str| specs.get(key)?.trim().parse().ok().filter(|number| *number > 0);
    let either = |total: &str, one: Option<u64>, other: Option<u64>| {
        // Both at once are refused by hypervisors: the finer ones count.
        if one.is_some() || other.is_some() { None } else { number(total) }
    };
    let (read_bytes, write_bytes) = (number("read_bytes_sec"), number("write_bytes_sec"));
    let (read_iops, write_iops) = (number("read_iops_sec"), number("write_iops_sec"));
    DiskLimits {
        total_bytes: either("total_bytes_sec", read_bytes, write_bytes),
        read_bytes,
        write_bytes,
        total_iops: either("total_iops_sec", read_iops, write_iops),
        read_iops,
        write_iops,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specs(pairs: &[(&str, &str)]) -> Specs {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn limits_are_what_nova_reads_in_specs() {
        let none = specs(&[("total_iops_sec", "0"), ("color", "red"), ("read_iops_sec", "many")]);
        assert!(read(&none).is_none());
        let both = specs(&[("total_bytes_sec", "10"), ("write_bytes_sec", "4"), ("total_iops_sec", "5")]);
        let wanted = DiskLimits { write_bytes: Some(4), total_iops: Some(5), ..DiskLimits::default() };
        assert_eq!(read(&both), wanted, "QEMU takes a total or its parts");
    }

    #[test]
    fn limits_for_each_gigabyte_grow_with_the_volume() {
        let given = [
            ("total_iops_sec_per_gb", "10"),
            ("total_iops_sec_per_gb_min", "100"),
            ("total_iops_sec_max", "2000"),
            ("read_bytes_sec_per_gb", "9223372036854775807"),
            ("write_bytes_sec_per_gb", "many"),
            ("write_iops_sec_max", "7"),
        ];
        for (gigabytes, wanted) in [(1, "100"), (50, "500"), (1000, "2000")] {
            let told = [
                ("total_iops_sec", wanted),
                ("read_bytes_sec", "9223372036854775807"),
                ("write_bytes_sec_per_gb", "many"),
                ("write_iops_sec_max", "7"),
            ];
            assert_eq!(of_all_gigabytes(specs(&given), gigabytes), specs(&told));
        }
    }
}
