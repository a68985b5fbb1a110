//! Calls of a time when tokens were signed messages. Keystone answers them still, so that old clients learn that asking
//! again is no use.

use std::sync::Arc;

use base::{Error, Kind, Policy, Rule};
use web::{Result, Routes};

use crate::Keystone;

static CERTIFICATES: Policy = Policy::new("identity:get_certificates", Rule::Public);
static REVOKED: Policy = Policy::new("identity:revocation_list", Rule::Public);

pub fn routes(routes: Routes<Arc<Keystone>>) -> Routes<Arc<Keystone>> {
    routes
        .get("/v3/OS-SIMPLE-CERT/ca", &CERTIFICATES, certificates)
        .get("/v3/OS-SIMPLE-CERT/certificates", &CERTIFICATES, certificates)
        .get("/v3/auth/tokens/OS-PKI/revoked", &REVOKED, revoked)
}

async fn certificates() -> Result {
    let told = "This API is no longer available due to the removal of support for PKI tokens.";
    Err(Error::new(Kind::Gone, told).into())
}

/// Nobody may: tokens that were revoked are not written down.
async fn revoked() -> Result {
    Err(Error::forbidden("You are not authorized to perform the requested action.").into())
}
