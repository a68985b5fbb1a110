//! /v3/users/{id}/access_rules

use base::Error;
use serde_json::json;
use web::{Path, Result};

use super::{AccessRule, rules, store, view};
use crate::access::Target;
use crate::call::{Call, Own};
use crate::errors::not_found;
use crate::listing::collection;
use crate::{Keystone, change};

pub async fn list(
    Call { keystone, ctx, origin, params }: Call,
    Own(session): Own,
    Path(user): Path<String>,
) -> Result {
    rules::LIST_RULES.enforce(&ctx, &Target::user(&user))?;
    rules::check_not_delegated(&session)?;
    let found = store::rules_of_user(&mut *keystone.db.read().await?, &user).await?;
    let views = found.iter().map(|r| view::access_rule(r, &user, &origin)).collect();
    Ok(collection(&origin, &params, "access_rules", views, &["service", "path", "method"])?)
}

async fn find(keystone: &Keystone, user: &str, id: &str) -> Result<AccessRule, Error> {
    let all = store::rules_of_user(&mut *keystone.db.read().await?, user).await?;
    all.into_iter().find(|r| r.id == id).ok_or_else(|| not_found("Access Rule", id))
}

pub async fn get(
    Call { keystone, ctx, origin, .. }: Call,
    Own(session): Own,
    Path((user, id)): Path<(String, String)>,
) -> Result {
    rules::GET_RULE.enforce(&ctx, &Target::user(&user))?;
    rules::check_not_delegated(&session)?;
    let rule = find(&keystone, &user, &id).await?;
    Ok(web::json(200, &json!({"access_rule": view::access_rule(&rule, &user, &origin)})))
}

pub async fn delete(
    Call { keystone, ctx, .. }: Call,
    Own(session): Own,
    Path((user, id)): Path<(String, String)>,
) -> Result {
    rules::DELETE_RULE.enforce(&ctx, &Target::user(&user))?;
    rules::check_not_delegated(&session)?;
    find(&keystone, &user, &id).await?;
    change!(keystone, &ctx, "access_rule.delete", &id, |tx| {
        // Removing it from a credential would widen what that may do.
        let credentials = store::of_user(tx, &user).await?;
        if credentials.iter().any(|c| c.access_rule_ids.contains(&id)) {
            return Err(Error::forbidden(format!("Access rule {id} is still in use and cannot be deleted.")));
        }
        Ok(store::delete_rule(tx, &id).await?)
    })?;
    Ok(web::no_content(204))
}
