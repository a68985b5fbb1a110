//! Who may have which credentials.

use base::{Error, Scope};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Credential;
use crate::access::{Policy, Target, Who};
use crate::errors::forbidden_action;
use crate::tokens::Session;

const READERS: &[Who] = &[Who::Admin, Who::SystemReader, Who::Owner];
const OWNERS: &[Who] = &[Who::Admin, Who::Owner];
const OWNING_MEMBERS: &[Who] = &[Who::Admin, Who::OwningMember];

/// Everybody may list; each sees their own.
pub static LIST: Policy = Policy::new("identity:list_credentials", &[Who::Anyone]);
pub static GET: Policy = Policy::new("identity:get_credential", READERS);
pub static CREATE: Policy = Policy::new("identity:create_credential", OWNERS);
pub static UPDATE: Policy = Policy::new("identity:update_credential", OWNERS);
pub static DELETE: Policy = Policy::new("identity:delete_credential", OWNERS);

pub static EC2_LIST: Policy = Policy::of_cloud("identity:ec2_list_credentials", READERS);
pub static EC2_GET: Policy = Policy::of_cloud("identity:ec2_get_credential", READERS);
pub static EC2_CREATE: Policy = Policy::of_cloud("identity:ec2_create_credential", OWNING_MEMBERS);
pub static EC2_DELETE: Policy = Policy::of_cloud("identity:ec2_delete_credential", OWNING_MEMBERS);

pub fn target(credential: &Credential) -> Target<'_> {
    Target::user(&credential.user_id)
}

/// Who acts for somebody else, by a trust or an application credential, deals with what is of that one project.
pub fn check_delegation(session: &Session, project_id: Option<&str>) -> Result<(), Error> {
    let delegated = session.claims.trust_id.is_some() || session.claims.application_credential_id.is_some();
    let own = match &session.auth.scope {
        Scope::Project(project) => Some(project.id.as_str()),
        _ => None,
    };
    if delegated && project_id != own {
        return Err(forbidden_action(
            "Credential project does not match the project scope of the delegated token",
        ));
    }
    Ok(())
}

/// A key that a delegated token makes is good for no more than the delegation.
pub fn delegated_blob(kind: &str, blob: String, session: &Session) -> Result<String, Error> {
    let claims = &session.claims;
    let delegations = [
        ("trust_id", &claims.trust_id),
        ("app_cred_id", &claims.application_credential_id),
        ("access_token_id", &claims.access_token_id),
    ];
    if kind != "ec2" || delegations.iter().all(|(_, id)| id.is_none()) {
        return Ok(blob);
    }
    let mut value: Value =
        serde_json::from_str(&blob).map_err(|_| Error::bad_request("Invalid blob in credential"))?;
    for (key, id) in delegations {
        if let (Some(id), Some(map)) = (id, value.as_object_mut()) {
            map.insert(key.to_owned(), Value::String(id.clone()));
        }
    }
    Ok(value.to_string())
}

/// What makes a key good for less than its user's roles stays as it was given.
pub fn check_blob_update(old: &Value, new: &Value) -> Result<(), Error> {
    for key in ["trust_id", "app_cred_id", "access_token_id", "access_id"] {
        let of = |blob: &Value| blob.get(key).cloned().unwrap_or(Value::Null);
        if of(old) != of(new) {
            return Err(Error::bad_request(format!("{key} can not be updated for credential")));
        }
    }
    Ok(())
}

/// EC2 keys are found by their access key, so their id is made of it.
pub fn id(kind: &str, blob: &str) -> Result<String, Error> {
    if kind != "ec2" {
        return Ok(base::id::hex());
    }
    check_ec2_blob(blob).map(|access| ec2_id(&access))
}

/// The access key in a blob; EC2's are JSON with one.
pub fn check_ec2_blob(blob: &str) -> Result<String, Error> {
    let value: Value =
        serde_json::from_str(blob).map_err(|_| Error::bad_request("Invalid blob in credential"))?;
    let access = value.get("access").and_then(Value::as_str).filter(|a| !a.is_empty());
    access.map(str::to_owned).ok_or_else(|| crate::errors::expecting("access", "blob"))
}

pub fn ec2_id(access: &str) -> String {
    Sha256::digest(access.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}
