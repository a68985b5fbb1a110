//! Who may manage consumers and what was authorized.

use base::{Error, Policy as Route, Rule};

use crate::access::{Policy, Who};
use crate::tokens::Session;

const READERS: &[Who] = &[Who::Admin, Who::SystemReader];
const ADMIN: &[Who] = &[Who::Admin];

pub static LIST: Policy = Policy::of_cloud("identity:list_consumers", READERS);
pub static GET: Policy = Policy::of_cloud("identity:get_consumer", READERS);
pub static CREATE: Policy = Policy::of_cloud("identity:create_consumer", ADMIN);
pub static UPDATE: Policy = Policy::of_cloud("identity:update_consumer", ADMIN);
pub static DELETE: Policy = Policy::of_cloud("identity:delete_consumer", ADMIN);
pub static AUTHORIZE: Policy = Policy::of_project("identity:authorize_request_token", ADMIN);
pub static LIST_ACCESS: Policy = Policy::of_project("identity:list_access_tokens", ADMIN);
pub static GET_ACCESS: Policy = Policy::of_project("identity:get_access_token", ADMIN);
pub static LIST_ROLES: Policy = Policy::of_project("identity:list_access_token_roles", ADMIN);
pub static GET_ROLE: Policy = Policy::of_project("identity:get_access_token_role", ADMIN);
pub static DELETE_ACCESS: Policy = Policy::of_project("identity:delete_access_token", ADMIN);
/// The signature is the proof.
pub static SIGNED: Route = Route::new("identity:create_oauth_token", Rule::Public);

/// Keystone's request_token_duration: eight hours.
pub const REQUEST_MICROS: i64 = 8 * 3600 * 1_000_000;
/// Keystone's access_token_duration: a day.
pub const ACCESS_MICROS: i64 = 24 * 3600 * 1_000_000;

/// Who acts for somebody else does not let a third in.
pub fn check_not_delegated(session: &Session, what: &str) -> Result<(), Error> {
    let claims = &session.claims;
    if claims.trust_id.is_some()
        || claims.access_token_id.is_some()
        || claims.application_credential_id.is_some()
    {
        return Err(Error::forbidden(format!("Cannot {what} with a token issued via delegation.")));
    }
    Ok(())
}
