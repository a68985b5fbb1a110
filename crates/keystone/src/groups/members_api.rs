//! /v3/groups/{id}/users

use base::{Ctx, Error};
use web::{Path, Result};

use super::{Group, rules, store};
use crate::access::{Policy, Target, token_domain};
use crate::call::Call;
use crate::errors::not_found;
use crate::listing::collection;
use crate::users::{self, User};
use crate::{Keystone, assignments, change};

async fn pair(
    keystone: &Keystone,
    ctx: &Ctx,
    policy: &Policy,
    group_id: &str,
    user_id: &str,
) -> Result<(Group, User), Error> {
    let mut conn = keystone.db.read().await?;
    let group = store::get(&mut conn, group_id).await?;
    let user = users::store::get(&mut conn, user_id).await?;
    match (group, user) {
        (Some(group), Some(user)) => {
            policy.enforce(ctx, &rules::membership_target(&group, &user))?;
            Ok((group, user))
        }
        (group, _) => {
            policy.enforce(ctx, &Target::default())?;
            Err(if group.is_none() { not_found("group", group_id) } else { not_found("user", user_id) })
        }
    }
}

fn not_a_member(group: &str, user: &str) -> Error {
    Error::not_found(format!("User '{user}' not found in group '{group}'."))
}

pub async fn list(Call { keystone, ctx, origin, params }: Call, Path(id): Path<String>) -> Result {
    let mut conn = keystone.db.read().await?;
    let found = store::get(&mut conn, &id).await?;
    let group = rules::LIST_USERS.find(&ctx, found, rules::target, || not_found("group", &id))?;
    let users = store::users(&mut conn, &group.id).await?;
    let own = token_domain(&ctx);
    let shown = users.iter().filter(|u| own.is_none_or(|own| own == u.domain_id));
    let views = shown.map(|u| users::view::user(u, &origin)).collect();
    Ok(collection(&origin, &params, "users", views, users::api::FILTERS)?)
}

pub async fn check(Call { keystone, ctx, .. }: Call, Path((group, user)): Path<(String, String)>) -> Result {
    pair(&keystone, &ctx, &rules::CHECK_USER, &group, &user).await?;
    if store::has_user(&mut *keystone.db.read().await?, &group, &user).await? {
        Ok(web::no_content(204))
    } else {
        Err(not_a_member(&group, &user).into())
    }
}

pub async fn add(Call { keystone, ctx, .. }: Call, Path((group, user)): Path<(String, String)>) -> Result {
    pair(&keystone, &ctx, &rules::ADD_USER, &group, &user).await?;
    change!(keystone, &ctx, "group.add_user", &group, |tx| Ok(store::add_user(tx, &group, &user).await?))?;
    Ok(web::no_content(204))
}

pub async fn remove(Call { keystone, ctx, .. }: Call, Path((group, user)): Path<(String, String)>) -> Result {
    pair(&keystone, &ctx, &rules::REMOVE_USER, &group, &user).await?;
    change!(keystone, &ctx, "group.remove_user", &group, |tx| {
        if !store::has_user(tx, &group, &user).await? {
            return Err(not_a_member(&group, &user));
        }
        store::remove_user(tx, &group, &user).await?;
        Ok(assignments::store::drop_orphaned_credentials(tx, &user).await?)
    })?;
    Ok(web::no_content(204))
}
