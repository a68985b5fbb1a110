//! Locks: they keep members out, and an admin's lock keeps the owner out.

use base::Ctx;
use serde_json::Value;

use crate::Nova;
use crate::instance_actions::store as actions;
use crate::schema::{self, Field, Kind};
use crate::servers::{policy, rules, store};

const LOCK: &[Field] = &[Field::new("locked_reason", Kind::Text(1, 255, schema::ANY_CHAR, ""))];

pub(super) async fn lock(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> base::Result<()> {
    let reason = match &body["lock"] {
        Value::Null => None,
        _ if !ctx.at_least(2, 73) => None,
        _ => {
            let fields = schema::body(body, "lock", LOCK, ctx.microversion.minor)?;
            fields.get("locked_reason").and_then(Value::as_str)
        }
    };
    db::write!(nova.db, |tx| {
        let mut server = store::find(tx, ctx, id).await?;
        ctx.authorize(&policy::LOCK, Some(&server.project_id))?;
        // An owner does not take an admin's lock over.
        let is_owner = ctx.project().is_some_and(|p| p.id == server.project_id);
        if !(is_owner && server.locked_by.as_deref() == Some("admin")) {
            server.locked_by = Some(if is_owner { "owner" } else { "admin" }.into());
            server.locked_reason = reason.map(Into::into);
        }
        store::save(tx, ctx, "server.lock", &server).await?;
        actions::record(tx, ctx, id, &server.project_id, "lock").await
    })
}

pub(super) async fn unlock(nova: &Nova, ctx: &Ctx, id: &str) -> base::Result<()> {
    db::write!(nova.db, |tx| {
        let mut server = store::find(tx, ctx, id).await?;
        ctx.authorize(&policy::UNLOCK, Some(&server.project_id))?;
        if server.locked_by.as_deref() == Some("admin") && !ctx.is_admin() {
            return Err(rules::forbidden(&policy::UNLOCK_OVERRIDE));
        }
        server.locked_by = None;
        server.locked_reason = None;
        store::save(tx, ctx, "server.unlock", &server).await?;
        actions::record(tx, ctx, id, &server.project_id, "unlock").await
    })
}
