//! GET /v3/OS-REVOKE/events: what ended tokens before their time.

use base::Error;
use serde_json::{Map, Value, json};
use web::Result;

use super::{revocation, rules};
use crate::access::Target;
use crate::call::Call;
use crate::listing::url;

pub async fn list(Call { keystone, ctx, origin, params }: Call) -> Result {
    rules::LIST_REVOCATIONS.enforce(&ctx, &Target::default())?;
    let since = match params.get("since").filter(|text| !text.is_empty()) {
        None => i64::MIN,
        Some(text) => base::time::parse(text)
            .ok_or_else(|| Error::bad_request(format!("invalidate date format {text}")))?,
    };
    let found = revocation::since(&mut *keystone.db.read().await?, since).await?;
    let events: Vec<Value> = found.iter().map(view).collect();
    let links = json!({"next": null, "self": url(&origin, "OS-REVOKE/events"), "previous": null});
    Ok(web::json(200, &json!({"events": events, "links": links})))
}

fn view(revoked: &revocation::Revoked) -> Value {
    let at = base::time::micros_z(revoked.issued_before);
    let key = match revoked.kind.as_str() {
        "audit" => "audit_id",
        "user" => "user_id",
        "project" => "project_id",
        _ => "domain_id",
    };
    let mut event = Map::from_iter([(key.to_owned(), json!(revoked.subject))]);
    event.insert("issued_before".into(), json!(at));
    event.insert("revoked_at".into(), json!(at));
    Value::Object(event)
}
