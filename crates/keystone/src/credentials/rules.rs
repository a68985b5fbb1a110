//! Who may have which credentials.

use base::Error;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Credential;
use crate::access::{Policy, Target, Who};

const READERS: &[Who] = &[Who::Admin, Who::SystemReader, Who::Owner];
const OWNERS: &[Who] = &[Who::Admin, Who::Owner];

/// Everybody may list; each sees their own.
pub static LIST: Policy = Policy::new("identity:list_credentials", &[Who::Anyone]);
pub static GET: Policy = Policy::new("identity:get_credential", READERS);
pub static CREATE: Policy = Policy::new("identity:create_credential", OWNERS);
pub static UPDATE: Policy = Policy::new("identity:update_credential", OWNERS);
pub static DELETE: Policy = Policy::new("identity:delete_credential", OWNERS);

pub static EC2_LIST: Policy = Policy::new("identity:ec2_list_credentials", READERS);
pub static EC2_GET: Policy = Policy::new("identity:ec2_get_credential", READERS);
pub static EC2_CREATE: Policy = Policy::new("identity:ec2_create_credential", OWNERS);
pub static EC2_DELETE: Policy = Policy::new("identity:ec2_delete_credential", OWNERS);

pub fn target(credential: &Credential) -> Target<'_> {
    Target::user(&credential.user_id)
}

/// EC2 keys are found by their access key, so their id is made of it.
pub fn id(kind: &str, blob: &str) -> Result<String, Error> {
    if kind != "ec2" {
        return Ok(base::id::hex());
    }
    let bad = |text: &str| Error::bad_request(text.to_owned());
    let value: Value = serde_json::from_str(blob).map_err(|_| bad("Invalid blob in credential"))?;
    let access = value
        .get("access")
        .and_then(Value::as_str)
        .filter(|a| !a.is_empty())
        .ok_or_else(|| crate::errors::expecting("access", "blob"))?;
    Ok(ec2_id(access))
}

pub fn ec2_id(access: &str) -> String {
    Sha256::digest(access.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}
