//! Names of disks as the API tells them. Guests find theirs by serial number or tag: as under libvirt, a name that a client
//! asks for is not heeded.

use base::{Error, Result};

use super::BlockDevice;
use crate::flavors::Flavor;

/// `/dev/vda` to `/dev/vdz`.
pub(crate) const MOST: usize = 26;

const PATTERN: &str = "(^/dev/x{0,1}[a-z]{0,1}d{0,1})([a-z]+)[0-9]*$";

/// 400 unless it is the name of some disk.
pub(crate) fn check(name: &str) -> Result<()> {
    let letters = name.strip_prefix("/dev/").map(|rest| rest.trim_end_matches(|c: char| c.is_ascii_digit()));
    // Whatever letters there are, the last ones can be the disk's.
    if letters.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase())) {
        return Ok(());
    }
    let told = format!("'{name}' does not match '{PATTERN}'");
    Err(crate::schema::invalid("device", &serde_json::json!(name), &told))
}

/// The first free name behind the root disk and the flavor's own ones, which no rows are about; 403 when there is none.
pub(crate) fn free(flavor: &Flavor, devices: &[BlockDevice]) -> Result<String> {
    let first = 1 + usize::from(flavor.ephemeral_gib > 0) + usize::from(flavor.swap_mib > 0);
    let taken = |name: &String| devices.iter().any(|device| device.device_name.as_ref() == Some(name));
    (first..MOST).map(at).find(|name| !taken(name)).ok_or_else(too_many)
}

/// The `n`-th disk's.
pub(crate) fn at(n: usize) -> String {
    let letter = u8::try_from(n).ok().and_then(|n| b'a'.checked_add(n)).map_or('z', char::from);
    format!("/dev/vd{letter}")
}

fn too_many() -> Error {
    Error::forbidden(format!(
        "The maximum allowed number of disk devices ({MOST}) to attach to a single instance has been exceeded."
    ))
}
