//! `/v2.1/os-baremetal-nodes`

use base::{Error, Kind};
use web::{Caller, Response, Result};

use crate::query::{self, PROXIES_GONE};

/// Of all nodes and of one alike.
pub async fn nodes(Caller(ctx): Caller) -> Result<Response> {
    query::before(&ctx, PROXIES_GONE)?;
    Err(Error::new(Kind::NotImplemented, "The requested functionality is not supported.").into())
}
