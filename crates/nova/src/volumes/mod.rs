//! `/v2.1/os-volumes` and `/v2.1/os-snapshots`: Cinder's things in Nova's oldest words, until 2.35.

pub(crate) mod api;
pub(crate) mod snapshots_api;

use base::{Ctx, Error, Policy, Result, Rule};
use http::Method;
use serde_json::{Value, json};
use web::{Params, Refused};

use crate::Nova;
use crate::schema;

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const LIST: Policy = Policy::new("os_compute_api:os-volumes:list", Rule::ProjectReader);
    pub const CREATE: Policy = Policy::new("os_compute_api:os-volumes:create", Rule::ProjectMember);
    pub const DETAIL: Policy = Policy::new("os_compute_api:os-volumes:detail", Rule::ProjectReader);
    pub const SHOW: Policy = Policy::new("os_compute_api:os-volumes:show", Rule::ProjectReader);
    pub const DELETE: Policy = Policy::new("os_compute_api:os-volumes:delete", Rule::ProjectMember);
    pub const SNAPSHOTS: Policy =
        Policy::new("os_compute_api:os-volumes:snapshots:list", Rule::ProjectReader);
    pub const SNAPSHOT_CREATE: Policy =
        Policy::new("os_compute_api:os-volumes:snapshots:create", Rule::ProjectMember);
    pub const SNAPSHOTS_DETAIL: Policy =
        Policy::new("os_compute_api:os-volumes:snapshots:detail", Rule::ProjectReader);
    pub const SNAPSHOT_SHOW: Policy =
        Policy::new("os_compute_api:os-volumes:snapshots:show", Rule::ProjectReader);
    pub const SNAPSHOT_DELETE: Policy =
        Policy::new("os_compute_api:os-volumes:snapshots:delete", Rule::ProjectMember);
}

const JSON: &str = "application/json";

impl Nova {
    /// One of Cinder's calls.
    pub(crate) async fn volume_call(
        &self,
        ctx: &Ctx,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        let said = self.volume_api.call(ctx, method, path, body.map(|body| (JSON, body))).await;
        said.map_err(|refused: Refused| match refused.status {
            // Quotas.
            413 => Error::forbidden(refused.message),
            _ => refused.into(),
        })
    }
}

/// The part of a list that `limit` and `offset` mean.
fn limited(items: &Value, params: &Params) -> Result<Vec<Value>> {
    let number = |key: &str| match params.get(key) {
        None => Ok(None),
        Some(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
            Ok(Some(text.parse::<usize>().unwrap_or(usize::MAX)))
        }
        Some(text) => Err(schema::invalid(key, &json!(text), &format!("'{text}' does not match '^[0-9]*$'"))),
    };
    let most = number("limit")?.filter(|n| *n > 0).unwrap_or(crate::query::MAX_LIMIT);
    let offset = number("offset")?.unwrap_or(0);
    let items = items.as_array().into_iter().flatten();
    Ok(items.skip(offset).take(most.min(crate::query::MAX_LIMIT)).cloned().collect())
}
