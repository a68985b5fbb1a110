//! /v3/users/{id}/OS-OAUTH1/access_tokens: what a user has let consumers do.

use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Origin, Path, Result};

use super::{Kind, OauthToken, rules, store};
use crate::access::{Policy, Target};
use crate::call::{Call, Own, one};
use crate::errors::not_found;
use crate::listing::{collection, url};
use crate::{Keystone, change, roles};

fn view(token: &OauthToken, origin: &Origin) -> Value {
    let user = token.authorizing_user_id.as_deref().unwrap_or_default();
    let path = format!("users/{user}/OS-OAUTH1/access_tokens/{}", token.id);
    json!({
        "id": token.id,
        "consumer_id": token.consumer_id,
        "authorizing_user_id": user,
        "project_id": token.project_id,
        "expires_at": base::time::micros_z(token.expires_at),
        "links": {"self": url(origin, &path), "roles": url(origin, &format!("{path}/roles"))},
    })
}

async fn find(
    keystone: &Keystone,
    ctx: &Ctx,
    policy: &Policy,
    user: &str,
    id: &str,
) -> Result<OauthToken, Error> {
    policy.enforce(ctx, &Target::user(user))?;
    store::token(&mut *keystone.db.read().await?, Kind::Access, id)
        .await?
        .filter(|t| t.authorizing_user_id.as_deref() == Some(user))
        .ok_or_else(|| Error::not_found("Access token not found"))
}

pub async fn list(
    Call { keystone, ctx, origin, params }: Call,
    Own(session): Own,
    Path(user): Path<String>,
) -> Result {
    rules::LIST_ACCESS.enforce(&ctx, &Target::user(&user))?;
    rules::check_not_delegated(&session, "manage OAuth access tokens")?;
    let tokens = store::access_tokens_of(&mut *keystone.db.read().await?, &user).await?;
    let views = tokens.iter().map(|t| view(t, &origin)).collect();
    Ok(collection(&origin, &params, "access_tokens", views, &[])?)
}

pub async fn get(
    Call { keystone, ctx, origin, .. }: Call,
    Own(session): Own,
    Path((user, id)): Path<(String, String)>,
) -> Result {
    let token = find(&keystone, &ctx, &rules::GET_ACCESS, &user, &id).await?;
    rules::check_not_delegated(&session, "manage OAuth access tokens")?;
    Ok(one(200, "access_token", view(&token, &origin)))
}

pub async fn list_roles(
    Call { keystone, ctx, origin, params }: Call,
    Path((user, id)): Path<(String, String)>,
) -> Result {
    let token = find(&keystone, &ctx, &rules::LIST_ROLES, &user, &id).await?;
    let snapshot = keystone.snapshot().await?;
    let roles = token.role_ids.iter().filter_map(|id| snapshot.roles.get(id));
    let views = roles.map(|r| roles::view::role(r, &origin)).collect();
    Ok(collection(&origin, &params, "roles", views, &[])?)
}

pub async fn get_role(
    Call { keystone, ctx, origin, .. }: Call,
    Path((user, id, role_id)): Path<(String, String, String)>,
) -> Result {
    let token = find(&keystone, &ctx, &rules::GET_ROLE, &user, &id).await?;
    let snapshot = keystone.snapshot().await?;
    let role = snapshot.roles.get(&role_id).filter(|r| token.role_ids.contains(&r.id));
    let role = role.ok_or_else(|| not_found("role", &role_id))?;
    Ok(one(200, "role", roles::view::role(role, &origin)))
}

/// Tokens that were had by it end with it.
pub async fn delete(
    Call { keystone, ctx, .. }: Call,
    Own(session): Own,
    Path((user, id)): Path<(String, String)>,
) -> Result {
    find(&keystone, &ctx, &rules::DELETE_ACCESS, &user, &id).await?;
    rules::check_not_delegated(&session, "manage OAuth access tokens")?;
    change!(keystone, &ctx, "access_token.delete", &id, |tx| {
        store::delete_token(tx, &id).await?;
        Ok(())
    })?;
    Ok(web::no_content(204))
}
